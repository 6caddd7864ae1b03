"""Compiles the C programs of the benchmarks into `.cache/bench/`."""

import shutil
import subprocess
from pathlib import Path

from bench.errors import BenchError

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "bench"


def program(name: str) -> Path:
    """Return the path of the compiled `bench/NAME.c`. Compile it if it is missing or older than its source."""
    source, target = HERE / f"{name}.c", CACHE / name
    if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
        return target
    if (compiler := shutil.which("cc")) is None:
        raise BenchError("The load client is written in C and there is no C compiler: install the Debian package gcc.")
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-o", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"cc could not compile {source.name}:\n{done.stderr}")
    return target
