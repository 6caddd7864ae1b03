"""What a program is that Veche is measured beside, and what all of them have in common."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from bench.peers import Peer, Site

HERE = Path(__file__).parent
TEXT = "no %N: hello to all of you, how do you do today?"
TEXT_MESSAGE = f'{{"text":"@%t {TEXT}"}}'
OWN_TEXT = " no %n:"  # the sender waits until it receives its own message


@dataclass(frozen=True)
class Program:
    """A program to measure. `install` makes sure that it is there, and returns its version, or "".

    `keeps` says what it keeps of a message, for the tables. Only a program that `stores` takes part in the figure about
    storing. One that is `only_stored` takes part in no other.
    """

    run: Peer
    install: Callable[[], str]
    keeps: str
    stores: bool = False
    only_stored: bool = False


@contextmanager
def own_folder(site: Site, name: str) -> Iterator[Path]:
    """Make a folder for the files of one run, and remove it when the block ends."""
    folder = Path(mkdtemp(dir=site.folder, prefix=f"{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def configure(name: str, folder: Path, **values: object) -> Path:
    """Copy a configuration of this folder. Each @NAME@ in it becomes the value of that name."""
    text = (HERE / name).read_text()
    for key, value in {"FOLDER": folder, **values}.items():
        text = text.replace(f"@{key}@", str(value))
    (folder / name).write_text(text)
    return folder / name
