"""Which transcripts `make test` plays on two nodes: a third of them, another one for each commit."""

from __future__ import annotations

import zlib
from pathlib import Path

import veche.dialects

FOLDER = Path(__file__).parent / "contract" / "transcripts"
PARTS = 3


def transcripts() -> dict[str, Path]:
    """Return the files of all transcripts, by name."""
    files = {str(path.relative_to(FOLDER).with_suffix("")): path for path in sorted(FOLDER.rglob("*.txt"))}
    examples = sorted(Path(veche.dialects.__file__).parent.glob("*/examples.txt"))
    return files | {f"{path.parent.name}/examples": path for path in examples}


def is_chosen(name: str, seed: str) -> bool:
    """Return whether a transcript is in the third that belongs to a seed."""
    return zlib.crc32(f"{seed} {name}".encode()) % PARTS == 0


def left_out(seed: str) -> list[str]:
    """Return the names of the transcripts that are not chosen."""
    return [name for name in transcripts() if not is_chosen(name, seed)]
