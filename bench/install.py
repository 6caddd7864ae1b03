"""Installs what the benchmarks measure beside Veche. Each function says so first, and does nothing the second time.

Packages of npm and Python go into `.cache/bench/`. Packages of Debian are for the whole machine.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from bench.build import CACHE
from bench.errors import BenchError

INSTALL_SECONDS = 300.0
QUIET = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks it whether a service may start
FORBIDDEN = "#!/bin/sh\nexit 101\n"
ENV = {"DEBIAN_FRONTEND": "noninteractive", "UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "1"}


def node_package(name: str, version: str) -> Path:
    """Return the folder whose node_modules/ has this package of npm."""
    folder = CACHE / "npm" / name
    if not (folder / "node_modules" / name).exists():
        if shutil.which("npm") is None or shutil.which("node") is None:
            raise BenchError(f"{name} needs node with npm, which are not installed on this machine.")
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", *QUIET, "--prefix", str(folder), f"{name}@{version}"], f"{name} from npm into {folder}")
    return folder


def node_version(name: str, version: str) -> str:
    """Install a package of npm, and return the version that is there now."""
    package = node_package(name, version) / "node_modules" / name / "package.json"
    return str(json.loads(package.read_text())["version"])


def python_package(name: str) -> Path:
    """Return a folder for PYTHONPATH that has this package."""
    folder = CACHE / "python" / name
    if not folder.exists():
        uv = Path(sys.prefix).parent / ".tools" / "bin" / "uv"
        if not uv.exists():
            raise BenchError(f"{name} needs the installer of scripts/setup.py: run it in this checkout.")
        words = ["pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder), name]
        _run([str(uv), *words], f"the Python package {name} into {folder}")
    return folder


def python_version(name: str) -> str:
    """Install a Python package, and return the version that is there now."""
    return next(one.version for one in distributions(path=[str(python_package(name))]) if one.name == name)


def debian_version(program: str, packages: Sequence[str]) -> str:
    """Install packages of Debian if one of them is missing. Return the version of the first. No service is started."""
    if any(_installed(package) is None for package in packages):
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise BenchError(f"{program} needs the Debian packages {' '.join(packages)}: install them as root.")
        with _no_service_starts():
            _update_list()
            words = ["install", "-y", "-qq", "--no-install-recommends", *packages]
            _run(["apt-get", *words], f"the Debian packages {' '.join(packages)}")
    return _installed(packages[0]) or ""


@cache
def _update_list() -> None:
    _run(["apt-get", "update", "-qq"], "a fresh list of Debian's packages")


def _installed(package: str) -> str | None:
    """Return the version of an installed package of Debian, without what Debian has added. None if it is missing."""
    if shutil.which("dpkg-query") is None:
        return None
    words = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${source:Upstream-Version}", package]
    status, _, version = subprocess.run(words, capture_output=True, text=True, check=False).stdout.partition(" ")
    return version if status == "installed" else None


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Forbid packages that are installed in the block to start their services."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(FORBIDDEN)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _run(command: Sequence[str], what: str) -> None:
    print(f"Installing {what} ...", flush=True)
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **ENV},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"Installing {what} took more than {INSTALL_SECONDS:.0f} s.") from None
    if done.returncode:
        raise BenchError(f"Installing {what} failed: {(done.stderr or done.stdout).strip()[-300:]}")
