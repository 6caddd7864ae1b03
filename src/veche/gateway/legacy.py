"""Legacy names: settings of the original servers. Veche reads them too, so that their environments still work."""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

log = logging.getLogger("veche")

KNOWN_SECRETS = frozenset(
    {"secret", "dev-secret", "changeme", "secret-key", "your-secret-key", "supersecret", "password"}
)
MIN_SECRET_BYTES = 16


class LegacyError(Exception):
    """A legacy setting cannot be used. The message says which one, and what to do."""


class Legacy(NamedTuple):
    """Legacy names and how to read them.

    `names`: each name with its meaning, for docs/settings.md.
    `read`: takes an environment without empty values, and returns values by VECHE_ name, such as VECHE_PORT. None or ""
    as a value means that the setting has no value. Raises LegacyError.
    """

    names: Mapping[str, str]
    read: Callable[[Mapping[str, str]], Mapping[str, object]]


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
    if secret.lower() in KNOWN_SECRETS or len(secret.encode()) < MIN_SECRET_BYTES:
        raise LegacyError(f"{name} is too weak: give {MIN_SECRET_BYTES} bytes or more, or set VECHE_SECRET instead.")
    log.warning("tokens are signed with %s; set VECHE_SECRET instead, with 32 bytes or more", name)
    return hashlib.sha256(secret.encode()).hexdigest()
