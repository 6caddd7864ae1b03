"""The real `socket.io-client` from npm against `wire.socketio`: polling only, upgrade, WebSocket only.

    .venv/bin/python -m tests.conformance.socketio_client

It is installed into `.cache/` at the first run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conformance.autobahn import free_port
from tests.conformance.socketio import CACHE, NO_NODE, ROOT, wait_for

CLIENT = "socket.io-client@4"
SCRIPT = Path(__file__).with_suffix(".mjs")


def main() -> int:
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("There is no node with npm on this machine, and socket.io-client runs on nothing else.")
        return NO_NODE
    script = install()
    port = free_port()
    command = [sys.executable, "-m", "tests.conformance.socketio_server", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            wait_for(port, server)
            return subprocess.run(["node", script, f"http://localhost:{port}"], check=False, timeout=120).returncode
        finally:
            server.terminate()


def install() -> Path:
    """Install the client; return a copy of the script beside it, where node finds it."""
    place = CACHE / "client"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "node_modules" / "socket.io-client").exists():
        quiet = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(["npm", "install", *quiet, "--prefix", place, CLIENT], check=True)
    return Path(shutil.copy(SCRIPT, place))


if __name__ == "__main__":
    sys.exit(main())
