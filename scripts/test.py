"""Run all static checks, then all tests. `make test` runs this."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"

STEPS = {
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "lint": ["ruff", "check", "--quiet", "."],
    "types": ["mypy"],
    "imports": ["lint-imports", "--no-cache"],
    "fast tests": ["pytest", "tests", "-n", "2", "-m", "not chaos and not e2e", "--ignore=tests/conformance", "-rs"],
    "browser and chaos": ["pytest", "tests", "-m", "chaos or e2e"],
}


def main() -> None:
    for name, (command, *words) in STEPS.items():
        print(f"== {name}", flush=True)
        start = time.monotonic()
        code = subprocess.run([BIN / command, *words], cwd=ROOT, check=False).returncode
        if code:
            sys.exit(f"{name} failed after {time.monotonic() - start:.0f} s.")
        print(f"== {name}: passed in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
