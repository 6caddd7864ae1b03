"""Run the public Engine.IO and Socket.IO protocol suites against `wire.engineio` and `wire.socketio`.

    .venv/bin/python -m tests.conformance.socketio FOLDER [--port 3000]

The folder has copies of socketio/engine.io-protocol and socketio/socket.io-protocol, which are not part of this
project. Their suites run on node, in a copy under `.cache/`, where `npm ci` installs their packages. They use port
3000; with another port, the copy is changed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "socketio"
SUITE_PORT = 3000
NO_NODE = 3


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--port", type=int, default=SUITE_PORT)
    chosen = arguments.parse_args()
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("There is no node with npm on this machine, and the suites run on nothing else.")
        return NO_NODE
    copies = [prepare(chosen.folder, name, chosen.port) for name in ("engine", "socket")]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.socketio_server", "--port", str(chosen.port)], cwd=ROOT
    ) as server:
        try:
            wait_for(chosen.port, server)
            verdicts = [report(run(copy)) for copy in copies]
        finally:
            server.terminate()
    passed, failed = (sum(counts) for counts in zip(*verdicts, strict=True))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def prepare(folder: Path, name: str, port: int) -> Path:
    """Copy a suite and install its packages; packages from an earlier run are kept. Return the copy."""
    suite = folder / f"{name}.io-protocol" / "test-suite"
    script = suite / "test-suite.js"
    if not script.is_file():
        raise SystemExit(f"There is no test-suite.js in {suite}.")
    copy = CACHE / name
    shutil.copytree(suite, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    text = script.read_text().replace(f"localhost:{SUITE_PORT}", f"localhost:{port}")
    (copy / script.name).write_text(text)
    if not (copy / "node_modules").exists():
        print(f"Installing the {name} suite ...", flush=True)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=copy, check=True)
    return copy


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until our server answers; fail if it has ended, because another server may have the port."""
    while server.poll() is None:
        try:
            if httpx.get(f"http://localhost:{port}/socket.io/").text.startswith('{"code":0,'):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"The server did not start; is port {port} in use?")


def run(copy: Path) -> dict[str, Any]:
    """Run a suite; return Mocha's report."""
    command = ["node_modules/.bin/mocha", "test-suite.js", "--reporter", "json", "--exit"]
    mocha = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=120, check=False)
    start = mocha.stdout.find("{")
    if start < 0:
        raise SystemExit(mocha.stdout + mocha.stderr)
    found: dict[str, Any] = json.loads(mocha.stdout[start:])
    return {"name": copy.name, **found}


def report(found: dict[str, Any]) -> tuple[int, int]:
    """Print the results; return how many cases passed, and how many failed."""
    for case in found["failures"]:
        print(f"{case['fullTitle']}: {case['err'].get('message', case['err'])}")
    stats = found["stats"]
    passed, failed = stats["passes"], stats["failures"] + stats["pending"]
    print(f"{found['name']}.io: {passed} passed, {failed} failed", flush=True)
    return passed, failed


if __name__ == "__main__":
    sys.exit(main())
