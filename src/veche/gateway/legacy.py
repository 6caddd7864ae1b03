"""Legacy names: settings of the original servers. Veche reads them too, so that their environments still work."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from veche.gateway.secret_files import as_written
from veche.gateway.weakness import is_weak

MIN_SECRET_BYTES = 16


class LegacyError(Exception):
    """A legacy setting cannot be used. The message says which one, and what to do."""


class Legacy(NamedTuple):
    """Legacy names and how to read them.

    `names`: each name with its meaning, for docs/settings.md.
    `read`: takes an environment without empty values, and returns values by VECHE_ name, such as VECHE_PORT. None or ""
    as a value means that the setting has no value. Raises LegacyError.
    `written`: for each VECHE_ name, the names that an operator may have written instead. An error in the value names
    the first of them that is in the environment, or else the last.
    `secrets`: the legacy names that may be in a file too, as `<name>_FILE`, with the VECHE_ name that they stand for.
    """

    names: Mapping[str, str]
    read: Callable[[Mapping[str, str]], Mapping[str, object]]
    written: Mapping[str, tuple[str, ...]] = {}
    secrets: Mapping[str, str] = {}

    def written_as(self, name: str, environ: Mapping[str, str]) -> str:
        """Return the name that the operator has written for the setting `name`."""
        written = self.written.get(name, (name,))
        return as_written(next((one for one in written if one in environ), written[-1]), environ)


NO_LEGACY = Legacy({}, lambda _: {})


def seconds_of_minutes(environ: Mapping[str, str], name: str) -> int | None:
    """Read a setting that is in minutes. Return seconds, or None if it is not set."""
    if name not in environ:
        return None
    if not re.fullmatch(r"[0-9]{1,7}", environ[name]):
        raise LegacyError(f"{name} takes a number of minutes.")
    return int(environ[name]) * 60


def signing_key(environ: Mapping[str, str], name: str, secret: str) -> str | None:
    """Return a signing key made from a legacy secret, or None if VECHE_SECRET is set, which has priority.

    Raises LegacyError if the secret is short or well known. The error does not show the secret.
    """
    if "VECHE_SECRET" in environ:
        return None
    if is_weak(secret, MIN_SECRET_BYTES):
        name = as_written(name, environ)
        raise LegacyError(
            f"{name} is too weak: give {MIN_SECRET_BYTES} bytes or more that nobody can guess, for example of "
            "`openssl rand -hex 32`, or set VECHE_SECRET instead."
        )
    return hashlib.sha256(secret.encode()).hexdigest()
