"""Programs and packages that tests use and that may be missing. What is missing is fetched within a minute.

Debian's packages are unpacked below `.cache/`, not installed: nothing of the machine changes, and no service starts.
A test of what cannot be fetched is skipped. With VECHE_NO_SKIPS=1 it fails. PostgreSQL and Redis are in `services`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from tests.services.service import MissingError

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "programs"
SOCKETIO_CLIENT, WSCAT = "socket.io-client@4", "wscat@6"  # packages of npm
WITHIN = 60.0  # seconds to fetch one thing
SBIN = ("/usr/local/sbin", "/usr/sbin")  # where servers are, and which are not in the path of everybody


def skip(missing: MissingError) -> NoReturn:
    """Skip the test for what is missing; fail it if nothing may be missing."""
    if os.environ.get("VECHE_NO_SKIPS"):
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))


def program(name: str, *others: str) -> str:
    """Return the path of a program of the machine with one of these names, or Debian's package of the first name.

    Raises MissingError.
    """
    path = os.pathsep.join((os.environ["PATH"], *SBIN))
    for one in (name, *others):
        if found := shutil.which(one, path=path):
            return found
    return str(_fetched(f"debian-{name}", lambda fetch: _unpack(name, fetch)) / name)


def node_modules(package: str) -> Path:
    """Return a folder with a package of npm, `name@version`, in its `node_modules`. Raises MissingError."""
    quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    return _fetched(package, lambda fetch: fetch.run(program("npm"), "install", *quiet, "--prefix", fetch.to, package))


def python_packages(name: str, *packages: str) -> Path:
    """Return a folder with packages of PyPI, for PYTHONPATH. `name` names the folder. Raises MissingError."""
    uv = ROOT / ".tools" / "bin" / "uv"
    install = (uv, "pip", "install", "--quiet", "--python", sys.executable, "--target")
    return _fetched(name, lambda fetch: fetch.run(*install, fetch.to, *packages))


@dataclass
class Fetch:
    """One thing that is fetched to the folder `to`."""

    name: str
    to: Path
    end: float = field(default_factory=lambda: time.monotonic() + WITHIN)

    def run(self, *command: object) -> None:
        """Run a command within the time that is left. Raises MissingError."""
        words = [str(word) for word in command]
        left = max(0.1, self.end - time.monotonic())
        try:
            subprocess.run(words, check=True, capture_output=True, timeout=left)
        except subprocess.TimeoutExpired:
            raise MissingError(f"{self.name} is not here, and was not fetched within {WITHIN:.0f} seconds.") from None
        except (OSError, subprocess.CalledProcessError) as error:
            said = (getattr(error, "stderr", b"") or str(error).encode()).decode(errors="replace").strip()
            last = said.splitlines()[-1] if said else f"{words[0]} failed"
            raise MissingError(f"{self.name} is not here, and could not be fetched: {last}") from None


_missing: dict[str, MissingError] = {}  # what this process has tried


def _fetched(name: str, fetch: Callable[[Fetch], object]) -> Path:
    """Fetch something once for all processes; return its folder."""
    if name in _missing:
        raise _missing[name]
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / name
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        half = CACHE / f"{name}.half"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        try:
            fetch(Fetch(name.removeprefix("debian-"), half))
        except MissingError as missing:
            _missing[name] = missing
            raise
        half.rename(folder)
    return folder


def _unpack(package: str, fetch: Fetch) -> None:
    """Unpack a package of Debian and what it needs, without the rights of root, and write a script that starts it."""
    own = fetch.to / "apt"
    for folder in (own / "lists" / "partial", own / "archives" / "partial"):
        folder.mkdir(parents=True)
    places = (f"Dir::State::Lists={own}/lists", f"Dir::Cache={own}", "Debug::NoLocking=1", "APT::Sandbox::User=root")
    apt = ("apt-get", "-qq", *(word for place in places for word in ("-o", place)))
    fetch.run(*apt, "update")
    fetch.run(*apt, "install", "--download-only", "--yes", "--no-install-recommends", package)
    for archive in (own / "archives").glob("*.deb"):
        fetch.run("dpkg", "--extract", archive, fetch.to)
    shutil.rmtree(own)
    # A program may be a script that names a place of the machine; the folder of the program then has the real one.
    places_of = (f"usr/lib/{package}/{package}", f"usr/bin/{package}", f"usr/sbin/{package}")
    found = next((place for place in places_of if (fetch.to / place).exists()), None)
    if found is None:
        raise MissingError(f"{package} is not here, and Debian's package has no program of this name.")
    script = fetch.to / package
    here = CACHE / fetch.to.stem
    folders = sorted({file.parent.relative_to(fetch.to) for file in fetch.to.glob("**/lib/*-linux-gnu*/**/lib*.so*")})
    libraries = ":".join(f"{here}/{folder}" for folder in folders)
    script.write_text(f'#!/bin/sh\nexport LD_LIBRARY_PATH="{libraries}"\nexec "{here}/{found}" "$@"\n')
    script.chmod(0o755)
