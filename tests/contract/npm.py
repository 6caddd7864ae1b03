"""What the tests take from npm: installed at the first run, and kept."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[2] / ".cache"
QUIET = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")


def installed(package: str, place: str) -> Path:
    """Install `name@version` into a place of the cache, one run at a time; gives the folder that has `node_modules`."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.fail(f"There is no node with npm on this machine, and {package} runs on nothing else.", False)
    folder = CACHE / place
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "node_modules" / package.partition("@")[0]).exists():
            return folder
        if subprocess.run(["npm", "install", *QUIET, "--prefix", folder, package], check=False).returncode:
            pytest.fail(f"npm could not install {package}: these tests need it.", False)
    return folder
