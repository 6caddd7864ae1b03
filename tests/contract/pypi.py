"""Python packages that only a test uses, installed at the first run and cached. They are no part of the environment."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "python"


def installed(name: str, *packages: str) -> Path:
    """Install packages below the cache, under a lock; return a folder for PYTHONPATH. `name` names the folder."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / name
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        uv = ROOT / ".tools" / "bin" / "uv"
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", folder, *packages]
        if subprocess.run(command, check=False).returncode:
            pytest.fail(f"These tests need {' '.join(packages)}, which could not be installed.", False)
    return folder
