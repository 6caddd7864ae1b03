"""Reads secrets from files, as Docker gives them: `NAME_FILE` is the path of a file that has the value of `NAME`."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

SUFFIX = "_FILE"
MAX_BYTES = 65_536  # of one file; a path that is wrong may name a huge one


class SecretFileError(Exception):
    """A file cannot be used. The message names the setting and the file, and shows nothing of what is in it."""


class SecretMark:
    """Marks a setting that may be in a file too: `Annotated[str, SECRET]`."""


SECRET = SecretMark()


def read_secrets(
    names: Iterable[str], legacy: Mapping[str, str], environ: Mapping[str, str], overridden: Collection[str]
) -> dict[str, str]:
    """Return the values of those settings whose files are named in `environ`. Raises SecretFileError.

    `legacy` has the legacy names, each with the VECHE_ name that it stands for. A file is not read if its value would
    not be used: if the setting is `overridden`, or if a VECHE_ name has priority over a legacy name.
    """
    found = _values([name for name in names if name not in overridden], environ)
    chosen = environ.keys() | found.keys() | set(overridden)
    return found | _values([name for name, means in legacy.items() if means not in chosen], environ)


def as_written(name: str, environ: Mapping[str, str]) -> str:
    """Return the name that the operator has written to set `name`: with SUFFIX if it is in a file."""
    return name + SUFFIX if name + SUFFIX in environ else name


def _values(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in names:
        if (path := environ.get(name + SUFFIX)) is not None:
            if name in environ:
                raise SecretFileError(f"{name} and {name}{SUFFIX} are both set: keep one of them.")
            found[name] = _read(name + SUFFIX, path)
    return found


def _read(name: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        value = content.decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SecretFileError(f"{name}: {path} cannot be read: {reason}.") from None
    if not value or len(content) > MAX_BYTES or any(one in value for one in "\0\r\n"):
        raise SecretFileError(f"{name}: {path} has to be one line of text.")
    return value
