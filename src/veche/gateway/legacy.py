"""Legacy names: settings of the original servers. Veche reads them too, so that their environments still work."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote

from veche.gateway.secret_files import as_written
from veche.gateway.weakness import is_weak

MIN_SECRET_BYTES = 16
TRUE_WORDS = ("1", "on", "t", "true", "y", "yes")
FALSE_WORDS = ("0", "off", "f", "false", "n", "no")
"""What a boolean setting takes, in any case. They are the words of pydantic."""


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


def in_container(environ: Mapping[str, str]) -> bool:
    """Return whether this process runs in Veche's image, where other services have the names of the compose file."""
    return environ.get("VECHE_CONTAINER", "").lower() in TRUE_WORDS


def service_host(environ: Mapping[str, str], host: object, service: str, name: str, means: str) -> str:
    """Return `host`, or if there is none the name of the service in the compose file.

    `name` is what would give the host of the setting `means`. Raises LegacyError outside the container, where nobody
    knows which host is meant, unless `means` is set, which has priority.
    """
    if not host and means not in environ and not in_container(environ):
        raise LegacyError(f"{name} is not set: set it to the host of {service}, for example localhost, or set {means}.")
    return str(host or service)


def url_of(scheme: str, host: str, port: object, path: object, user: object, password: object) -> str:
    """Return the URL of a service. Values that are None or empty are left out, and all are quoted."""
    user, password, path = (quote(str(one or ""), safe="") for one in (user, password, path))
    credentials = f"{user}:{password}@" if password else f"{user}@" if user else ""
    where = f"[{host.strip('[]')}]" if ":" in host else quote(host, safe="")
    return f"{scheme}://{credentials}{where}{f':{quote(str(port))}' if port else ''}/{path}"
