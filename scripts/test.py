"""Run all static checks, then all tests. `make test` runs this."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"

COMMIT = subprocess.run(
    ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
).stdout.strip()
# One representative of each kind. `make test-all` runs all of contract, laws and security on two nodes.
ON_TWO_NODES = [
    "tests/contract/test_transcripts.py",
    "tests/contract/dispatch/test_bad_input.py",
    "tests/laws/test_dialects.py",
    "tests/security/test_tokens.py",
]

# What is marked `long` is left out here. pytest says how many these are ("deselected"); `make test-all` runs them.
FAST = "not chaos and not e2e and not long"
# Many tests wait for a time to pass, so three at once keep two cores busy. Those that measure times are two at once.
THREE, TWO = ("-n", "3", "--dist", "worksteal"), ("-n", "2", "--dist", "worksteal")

STEPS = {
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "lint": ["ruff", "check", "--quiet", "."],
    "types": ["mypy"],
    "imports": ["lint-imports", "--no-cache"],
    "fast tests": [
        "pytest",
        "tests",
        *THREE,
        "-m",
        FAST,
        "--ignore=tests/conformance",
        "--ignore=tests/security",
        "-rs",
    ],
    "security": ["pytest", "tests/security", *TWO, "-m", FAST, "-rs"],
    "two nodes": ["pytest", "--on=nodes", "--third", COMMIT, *ON_TWO_NODES, *THREE],
    "browser and chaos": ["pytest", "tests", "-m", "(chaos or e2e) and not long", *TWO],
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
