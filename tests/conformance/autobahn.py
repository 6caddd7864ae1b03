"""Run the Autobahn test suite against the WebSocket class: `.venv/bin/python -m tests.conformance.autobahn`.

The suite runs on Python 2.7 only; it is installed from the package index into `.cache/autobahn` at the first run.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "autobahn"
INSTALLED = CACHE / "installed"
REPORTS = CACHE / "reports"

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
NO_PYTHON = 3


def main() -> int:
    python = find_python()
    if python is None:
        print("There is no Python 2.7 on this machine, and the Autobahn suite runs on nothing else.")
        return NO_PYTHON
    CACHE.mkdir(parents=True, exist_ok=True)
    install(python)
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "tests.conformance.echo", "--port", str(port)], cwd=ROOT)
    try:
        wait_for(port, server)
        run_suite(python, port)
    finally:
        server.terminate()
        server.wait()
    return report(json.loads((REPORTS / "index.json").read_text())["veche"])


def find_python() -> list[str] | None:
    """Return the command of a Python 2.7 from the PATH or from pyenv; None if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which("python2.7"), shutil.which("python2"), *pyenv.glob("versions/2.7*/bin/python2.7")]
    for candidate in candidates:
        if candidate is not None and is_python_27(str(candidate)):
            return [str(candidate)]
    return None


def is_python_27(command: str) -> bool:
    """Run the command to check its version: a shim of pyenv may be on the PATH without a Python behind it."""
    asked = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return "Python 2.7" in asked.stdout + asked.stderr


def install(python: list[str]) -> None:
    if INSTALLED.exists():
        return
    print("Installing the Autobahn suite ...", flush=True)
    quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
    with (CACHE / "install.log").open("w") as log:
        run([*python, "-m", "pip", "install", *quiet, "--user", "autobahntestsuite"], log)
    INSTALLED.touch()


def run(command: list[str], log: TextIO) -> None:
    """Run Python 2.7 with `.cache/autobahn` as its user directory, in place of a virtualenv."""
    environment = {**os.environ, "PYTHONUSERBASE": str(CACHE)}
    try:
        subprocess.run(command, check=True, cwd=CACHE, env=environment, stdout=log, stderr=log)
    except subprocess.CalledProcessError as failure:
        raise SystemExit(f"It failed with code {failure.returncode}; {log.name} tells why.") from None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("The echo server did not start.")


def run_suite(python: list[str], port: int) -> None:
    specification = CACHE / "fuzzingclient.json"
    servers = [{"agent": "veche", "url": f"ws://127.0.0.1:{port}/"}]
    specification.write_text(
        json.dumps({"outdir": str(REPORTS), "servers": servers, "cases": CASES, "exclude-cases": []}),
    )
    shutil.rmtree(REPORTS, ignore_errors=True)
    with (CACHE / "wstest.log").open("w") as log:
        run([*python, "-m", "autobahntestsuite.wstest", "-m", "fuzzingclient", "-s", str(specification)], log)


def report(cases: dict[str, dict[str, Any]]) -> int:
    """Print the results; return 1 if a case failed, by its behaviour or by its close."""
    verdicts = Counter(case["behavior"] for case in cases.values())
    failed = [name for name, case in cases.items() if case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD]
    for name in failed:
        print(f"{name}: {cases[name]['behavior']}, close {cases[name]['behaviorClose']}")
    strict = [name for name, case in cases.items() if case["behavior"] == "NON-STRICT"]
    counts = ", ".join(f"{count} {verdict.lower()}" for verdict, count in verdicts.most_common())
    print(f"{len(cases)} cases: {counts}")
    if strict:
        print("non-strict: " + ", ".join(strict))
    print(f"{len(cases) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
