"""Run all static checks, then all tests: `make test`. It ends at the first step that fails.

`make test-all` runs it with --all: also what takes long. It goes on after a step that fails, and ends with a table.
Names of steps, such as `types long`, run only these.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
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
CONFORMANCE = "--ignore=tests/conformance"
# With these settings, the files contain all that they contain without: more requests, and all pairs instead of some.
THOROUGH = {"VECHE_SCHEMA_EXAMPLES": "100", "VECHE_PAIRS": "all"}
THOROUGH_FILES = ["tests/contract/test_every_answer.py", "tests/unit/storage/test_pauses.py"]
PROXIES = "tests/proxies"


@dataclass(frozen=True)
class Step:
    """One command, and what it adds to the environment."""

    words: list[str]
    environ: dict[str, str] = field(default_factory=dict)

    def passes(self) -> bool:
        command = [str(BIN / self.words[0]), *self.words[1:]]
        return subprocess.run(command, cwd=ROOT, env=os.environ | self.environ, check=False).returncode == 0


def module(name: str, *words: str) -> Step:
    return Step(["python", "-m", name, *words])


def pytest(*words: str, **environ: str) -> Step:
    return Step(["pytest", *words], environ)


STATIC = {
    "format": Step(["ruff", "format", "--check", "--quiet", "."]),
    "lint": Step(["ruff", "check", "--quiet", "."]),
    "types": Step(["mypy"]),
    "imports": Step(["lint-imports", "--no-cache"]),
}
SECURITY = {"security": pytest("tests/security", *TWO, "-m", FAST, "-rs")}
CHAOS = {  # one after the other: Chromium breaks its connections off when a namespace makes a network interface
    "browser": pytest("tests/e2e", "-m", "e2e and not long", *TWO),
    "chaos": pytest("tests/chaos", "-m", "chaos and not long", *TWO),
}


def fast(*left_out: str) -> dict[str, Step]:
    ignored = [f"--ignore={path}" for path in ("tests/security", *left_out)]
    return {"fast tests": pytest("tests", *THREE, "-m", FAST, CONFORMANCE, *ignored, "-rs")}


STEPS = {
    **STATIC,
    **fast(),
    **SECURITY,
    "two nodes": pytest("--on=nodes", "--third", COMMIT, *ON_TWO_NODES, *THREE),
    **CHAOS,
}
# No test runs twice: what a later step contains is left out of an earlier one.
ALL = {
    **STATIC,
    **fast(PROXIES, *THOROUGH_FILES),
    **SECURITY,
    **CHAOS,
    "long": pytest("tests", "-m", "long", *TWO, CONFORMANCE, f"--ignore={PROXIES}"),
    "proxies": pytest(PROXIES, *TWO, VECHE_NO_SKIPS="1"),
    "thorough": pytest(*THOROUGH_FILES, *TWO, "--timeout", "1800", **THOROUGH),
    "needs": module("tests.mutants.needs"),
    "all on two nodes": pytest(
        "--on=nodes", "tests/contract", "tests/laws", "tests/security", *TWO, "--timeout", "600"
    ),
    "30 kills": module("tests.chaos.run", "--kills", "30"),
    "100 faults": module("tests.chaos.run", "--nodes", "2", "--faults", "100"),
    "20 rolls": module("tests.chaos.rolling", "--rolls", "20"),
    "50 drills": module("tests.chaos.restore", "--drills", "50"),
    "fairness": module("tests.security.fairness"),
    "autobahn": module("tests.conformance.autobahn"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="also run what takes long, and go on after a failed step")
    parser.add_argument("steps", nargs="*", metavar="STEP", help="run only these")
    given = parser.parse_args()
    steps = ALL if given.all else STEPS
    if unknown := set(given.steps) - set(steps):
        parser.error(f"no step: {', '.join(sorted(unknown))}. There are: {', '.join(steps)}")
    lines, failed = [], False
    for name in given.steps or steps:
        passed, seconds = run(name, steps[name])
        lines.append(f"{name:20} {seconds:6.0f} s  {'passed' if passed else 'FAILED'}")
        failed = failed or not passed
        if failed and not given.all:
            sys.exit(f"{name} failed after {seconds:.0f} s.")
    if given.all:
        print("\n".join(("== all steps", *lines)), flush=True)
    sys.exit(failed)


def run(name: str, step: Step) -> tuple[bool, float]:
    """Run one step. Return whether it passed, and how many seconds it took."""
    print(f"== {name}", flush=True)
    start = time.monotonic()
    passed = step.passes()
    seconds = time.monotonic() - start
    print(f"== {name}: {'passed in' if passed else 'FAILED after'} {seconds:.0f} s", flush=True)
    return passed, seconds


if __name__ == "__main__":
    main()
