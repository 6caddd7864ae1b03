"""Create .venv with the packages of the lock files: `python3 scripts/setup.py [--dev | --lock]`.

It needs only python3 (3.11 or newer) and pip: no venv module, no compiler, no Node. Every download is checked against
its hash. If the lock files have not changed since the last run, it does nothing. On Debian as root it installs pip if
pip is missing. `--lock` resolves the lock files again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS, VENV = ROOT / ".tools", ROOT / ".venv"
UV = TOOLS / "bin" / "uv"
ENV = {
    **os.environ,
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_SYSTEM_CERTS": "1",
    "UV_NO_PROGRESS": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}
LOCKS = {"requirements.lock": ["build"], "requirements-dev.lock": ["build", "dev"]}


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # an older Python would fail later with an unclear error
        sys.exit(f"Veche needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
    if "--lock" in sys.argv:
        make_locks()
        return
    enough = ["requirements-dev.lock"] if "--dev" in sys.argv else list(LOCKS)
    if not any(is_set_up(ROOT / name) for name in enough):
        set_up(ROOT / enough[0])


def is_set_up(lock: Path) -> bool:
    stamp = stamp_of(lock)
    return stamp.exists() and stamp.read_text() == fingerprint(lock)


def stamp_of(lock: Path) -> Path:
    return VENV / f"veche-{lock.stem}.done"


def fingerprint(lock: Path) -> str:
    parts = [ROOT / "tools.lock", lock, ROOT / "pyproject.toml"]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts) + f"{sys.version}{ROOT}".encode()).hexdigest()


def set_up(lock: Path) -> None:
    print(f"Setting up .venv from {lock.name} ...", flush=True)
    get_uv()
    if not (VENV / "bin" / "python").exists():
        run(UV, "venv", "--quiet", "--python", sys.executable, VENV)
    python = ["--quiet", "--python", VENV / "bin" / "python"]
    run(UV, "pip", "sync", *python, "--require-hashes", "--only-binary", ":all:", "--compile-bytecode", lock)
    run(UV, "pip", "install", *python, "--no-deps", "--no-build-isolation", "-e", ROOT)
    for name in LOCKS:
        stamp_of(ROOT / name).unlink(missing_ok=True)
    stamp_of(lock).write_text(fingerprint(lock))


def get_uv() -> None:
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        get_pip()
    pip += ["install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
    run(*pip, "--require-hashes", "--upgrade", "--target", TOOLS, "-r", ROOT / "tools.lock")


def get_pip() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit("The set-up needs pip: install it (on Debian: apt-get install python3-pip), then try again.")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-pip")


def make_locks() -> None:
    get_uv()
    compile_ = [UV, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--upgrade"]
    for name, groups in LOCKS.items():
        options = [word for group in groups for word in ("--group", group)]
        run(*compile_, *options, ROOT / "pyproject.toml", "-o", ROOT / name)


def run(*command: object) -> None:
    words = [str(word) for word in command]
    if subprocess.run(words, env=ENV, cwd=ROOT, check=False).returncode:
        sys.exit(f"The set-up failed at: {' '.join(words)}\nFix the error above, then run the set-up again.")


if __name__ == "__main__":
    main()
