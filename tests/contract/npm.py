"""Packages that the tests use from npm, installed at the first run and cached."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[2] / ".cache"
QUIET = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")


def installed(package: str, subfolder: str) -> Path:
    """Install `name@version` below the cache, under a lock; return the folder that has `node_modules`."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.fail(f"{package} needs node and npm, which are not installed.", False)
    folder = CACHE / subfolder
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "node_modules" / package.partition("@")[0]).exists():
            return folder
        if subprocess.run(["npm", "install", *QUIET, "--prefix", folder, package], check=False).returncode:
            pytest.fail(f"These tests need {package}, which npm could not install.", False)
    return folder
