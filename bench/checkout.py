"""A checkout of Veche: its folder and its environment. Code that imports its modules runs in its own Python."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
WHERE = "import veche; print(veche.__file__)"
WHERE_SECONDS = 60.0


@dataclass(frozen=True)
class Checkout:
    """`root` is its folder. `bin` is the folder with the programs of its environment."""

    root: Path
    bin: Path

    @property
    def veche(self) -> Path:
        if not (program := self.bin / "veche").exists():
            raise BenchError(f"There is no {program}: install the project into this environment.")
        return program

    def python(self, words: list[str], seconds: float) -> str:
        """Run its Python with the arguments `words`, in its folder on the server's core. Return what it prints.

        Raises BenchError if it fails or takes longer than `seconds`.
        """
        command = [str(self.bin / "python"), *words]
        with machine.pinned(machine.SERVER_CORE):
            process = subprocess.Popen(
                command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        with process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise BenchError(f"{command[:3]} took more than {seconds:.0f} s.") from None
        if process.returncode:
            raise BenchError(f"{command[:3]} in {self.root} failed:\n{errors[-2000:]}")
        return output


THIS = Checkout(ROOT, Path(sys.executable).parent)


def checkout_at(folder: Path) -> Checkout:
    """Return the checkout in a folder. Raises BenchError if its environment runs the code of another folder."""
    root = folder.resolve()
    found = Checkout(root, root / ".venv" / "bin")
    if not (found.bin / "python").exists():
        raise BenchError(f"{folder} has no .venv: run `python3 scripts/setup.py` in it.")
    imported = Path(found.python(["-c", WHERE], WHERE_SECONDS).strip())
    if not imported.is_relative_to(root):
        raise BenchError(f"The .venv of {folder} runs the code in {imported.parent}: run its scripts/setup.py.")
    return found
