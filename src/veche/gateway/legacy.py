"""Legacy names: the settings that the original servers read, understood so that their environment still works."""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

log = logging.getLogger("veche")

WEAK = frozenset({"secret", "dev-secret", "changeme", "secret-key", "your-secret-key", "supersecret", "password"})
LEAST_BYTES = 16


class LegacyError(Exception):
    """A legacy setting cannot be used; the message says which, and what to do."""


class Legacy(NamedTuple):
    """Legacy names, and how they are read.

    `names` has each name with what it stands for, which docs/settings.md shows. `read` takes an environment without
    empty values and gives values for our names, such as VECHE_PORT; None and "" stand for no value. It raises
    LegacyError.
    """

    names: Mapping[str, str]
    read: Callable[[Mapping[str, str]], Mapping[str, object]]


NO_LEGACY = Legacy({}, lambda _: {})


def seconds_of_minutes(environ: Mapping[str, str], name: str) -> int | None:
    """Read a number of minutes, in seconds."""
    if name not in environ:
        return None
    if not re.fullmatch(r"[0-9]{1,7}", environ[name]):
        raise LegacyError(f"{name} takes a number of minutes.")
    return int(environ[name]) * 60


def signing_key(environ: Mapping[str, str], name: str, secret: str) -> str | None:
    """Make a signing key of a legacy secret. Refuses a secret that anybody could guess, and never shows its value.

    None where VECHE_SECRET is set: then no other secret is looked at.
    """
    if "VECHE_SECRET" in environ:
        return None
    if secret.lower() in WEAK or len(secret.encode()) < LEAST_BYTES:
        raise LegacyError(f"{name} is too weak: give {LEAST_BYTES} bytes or more, or set VECHE_SECRET instead.")
    log.warning("tokens are signed with %s; VECHE_SECRET is the better name, with 32 bytes or more", name)
    return hashlib.sha256(secret.encode()).hexdigest()
