"""Reads settings from `.env` files: `NAME=value` lines, as docker compose and the original servers have them.

The syntax is what docker compose, python-dotenv and shells read in the same way. What they read differently is refused.
"""

import grp
import os
import pwd
import re
import stat
from pathlib import Path
from typing import Annotated

import typer

from veche.app import DIALECTS
from veche.settings import Settings, SettingsError, read_settings

OF_SERVE = (Path(".env"), Path("src/.env"))
"""The files that `veche serve` reads if they exist. The first one has priority."""
MAX_BYTES = 65_536
_LINE = re.compile(r"(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*(?:=[ \t]*(?P<value>.*))?")
_QUOTED = re.compile(r"""(?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)")[ \t]*(?:\#.*)?""")
_VARIABLE = re.compile(r"(?<!\\)(?:\\\\)*\$")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}

_files: list[Path] = []  # the file of --env-file of the command that runs


def _choose(context: typer.Context, path: Path | None) -> Path | None:
    """Remember the file. It may stand before the command or after it; then the command's own one counts."""
    if path is not None or context.parent is None:
        _files[:] = [] if path is None else [path]
    return path


EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", help="A file of settings, NAME=value. The environment has priority.", callback=_choose),
]


def settings_for(database_url: str | None = None) -> Settings:
    """Read the settings of a command: from the environment, and from the file of --env-file if there is one."""
    return read_settings(DIALECTS, environment(_files), database_url=database_url)


def files_of_serve() -> list[Path]:
    """Return the files that `veche serve` reads; the first of them has priority."""
    return _files or [path for path in OF_SERVE if os.path.lexists(path)]


def environment(files: list[Path]) -> dict[str, str]:
    """Return the environment with what it does not set from files; the first of them has priority.

    Empty variables count as not set. Raises SettingsError.
    """
    found: dict[str, str] = {}
    for path in reversed(files):
        found |= {name: value for name, value in read(path).items() if value}
    return found | {name: value for name, value in os.environ.items() if value or name not in found}


def read(path: Path) -> dict[str, str]:
    """Return the variables that a file sets. Raises SettingsError, which shows nothing of what is in the file.

    A file that other people could have written is refused.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would block otherwise
        with open(descriptor, "rb") as file:  # noqa: PTH123  # it is open already
            _refuse_foreign(path, os.fstat(descriptor))
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{path} cannot be read: {reason}.") from None
    if len(content) > MAX_BYTES or "\0" in text:
        raise SettingsError(f"{path} is no file of settings: it is too large, or no text.")
    return parse(text, str(path))


def parse(text: str, where: str) -> dict[str, str]:
    """Return the variables that a text sets; the last line of a name holds. Raises SettingsError.

    A line is `NAME=value`, with or without `export`. A name alone sets nothing. A value may be in quotes. Without
    them, it ends at a blank and `#`. In double quotes a backslash escapes. `$` is refused outside of single quotes.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if not (stripped := line.strip(" \t")) or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise SettingsError(f"{where}, line {number}: this is no NAME=value.")
        if (value := match["value"]) is not None:
            found[match["name"]] = _value(value, f"{where}, line {number}, {match['name']}")
    return found


def _value(text: str, where: str) -> str:
    if text[:1] not in ("'", '"'):
        return _without_variables(re.split(r"(?:^|[ \t])#", text, maxsplit=1)[0].rstrip(" \t"), where)
    match = _QUOTED.fullmatch(text)
    if match is None:
        raise SettingsError(f"{where}: the quote is not closed on this line, or something stands after it.")
    if match["single"] is not None:
        return match["single"]
    inside = _without_variables(match["double"], where)
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), inside)


def _without_variables(value: str, where: str) -> str:
    if _VARIABLE.search(value):
        raise SettingsError(f"{where}: put a value with a $ in single quotes. Variables are not filled in.")
    return value


def _refuse_foreign(path: Path, file: os.stat_result) -> None:
    """Raise SettingsError unless only root and the account of this process can write a file."""
    if not stat.S_ISREG(file.st_mode):
        raise SettingsError(f"{path} is no file.")
    if file.st_uid not in (0, os.geteuid()):
        raise SettingsError(f"{path} belongs to somebody else, who could change the settings: run chown on it.")
    if file.st_mode & stat.S_IWOTH or (file.st_mode & stat.S_IWGRP and not _is_own_group(file)):
        raise SettingsError(f"{path} can be written by other people: run chmod go-w on it.")


def _is_own_group(file: os.stat_result) -> bool:
    """Return whether the group of a file has no other member than its owner, as Debian and others make it."""
    try:
        owner, group = pwd.getpwuid(file.st_uid), grp.getgrgid(file.st_gid)
    except KeyError:
        return False
    return owner.pw_gid == group.gr_gid and owner.pw_name == group.gr_name and set(group.gr_mem) <= {owner.pw_name}
