"""The legacy names for settings of the whole server. Those of one dialect are in `dialects/<name>/legacy.py`."""

import ipaddress
import logging
from collections.abc import Mapping, Sequence

from veche.gateway.legacy import Legacy, LegacyError, service_host, signing_key, url_of
from veche.storage.database import DEFAULT_URL

logger = logging.getLogger("veche")

SECRETS = ("JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY")
POSTGRES = ("HOST", "PORT", "DB", "NAME", "USER", "PASSWORD")

NAMES = {
    "APP_HOST": "`VECHE_HOST`, if it is an address or `localhost`",
    "APP_PORT": "`VECHE_PORT`",
    "PORT": "`VECHE_PORT`, if `APP_PORT` is not set",
    "DATABASE_URL": "`VECHE_DATABASE_URL`",
    "POSTGRES_HOST": "`VECHE_DATABASE_URL`, a database of PostgreSQL, if `DATABASE_URL` is not set. Without it, the "
    "host is that of `db` in the file of `CONFIG_PATH`, or `postgres` in the container; elsewhere the server does not "
    "start",
    "POSTGRES_PORT": "its port",
    "POSTGRES_DB": "its name; the default is that of the user",
    "POSTGRES_NAME": "the same",
    "POSTGRES_USER": "its user; the default is `postgres`",
    "POSTGRES_PASSWORD": "the password of this user",
    "JWT_SECRET": "`VECHE_SECRET`: 16 bytes or more, and not a well-known secret",
    "SECRET_KEY": "the same",
    "JWT_SECRET_KEY": "the same",
    "JWT_ALGORITHM": "must be HS256; with another value the server does not start",
}


def _read(environ: Mapping[str, str]) -> dict[str, object]:
    if environ.get("JWT_ALGORITHM", "HS256") != "HS256":
        raise LegacyError("JWT_ALGORITHM: tokens are signed with HS256.")
    url = environ.get("DATABASE_URL")
    if url and _parts(environ) and not url.startswith("postgres"):
        logger.warning("POSTGRES_* is ignored, because DATABASE_URL is set")
    secret = next((name for name in SECRETS if name in environ), None)
    return {
        "VECHE_HOST": _listen_address(environ.get("APP_HOST")),
        "VECHE_PORT": environ.get("APP_PORT") or environ.get("PORT"),
        "VECHE_DATABASE_URL": url or _postgres(environ),
        "VECHE_SECRET": signing_key(environ, secret, environ[secret]) if secret else None,
    }


def _listen_address(host: str | None) -> str | None:
    """Return APP_HOST if it is an IP address or `localhost`, otherwise None.

    Any other host name is used only for the links in the channels dialect.
    """
    try:
        return str(ipaddress.ip_address(host or ""))
    except ValueError:
        return "127.0.0.1" if host == "localhost" else None


def _parts(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of the address of a PostgreSQL database. A port alone asks for none."""
    given = {part: environ[f"POSTGRES_{part}"] for part in POSTGRES if f"POSTGRES_{part}" in environ}
    return given if given.keys() - {"PORT"} else {}


def _postgres(environ: Mapping[str, str]) -> str | None:
    """Return the URL of a PostgreSQL database if one of the variables asks for it."""
    if not (given := _parts(environ)):
        return None
    chosen = environ.get("VECHE_DATABASE_URL", "")
    if "HOST" not in given and chosen.startswith("postgres"):
        return chosen  # for example that of `db` in the file of CONFIG_PATH, which has used these names
    host = service_host(environ, given.get("HOST"), "postgres", "POSTGRES_HOST", "VECHE_DATABASE_URL")
    user = given.get("USER", "postgres")
    return url_of(
        "postgresql", host, given.get("PORT"), given.get("DB") or given.get("NAME"), user, given.get("PASSWORD")
    )


LEGACY = Legacy(
    NAMES,
    _read,
    {
        "VECHE_HOST": ("APP_HOST",),
        "VECHE_PORT": ("APP_PORT", "PORT"),
        "VECHE_DATABASE_URL": ("DATABASE_URL", *(f"POSTGRES_{part}" for part in POSTGRES)),
        "VECHE_SECRET": SECRETS,
    },
    dict.fromkeys(SECRETS, "VECHE_SECRET") | dict.fromkeys(("DATABASE_URL", "POSTGRES_PASSWORD"), "VECHE_DATABASE_URL"),
)


def read_all(legacies: Sequence[Legacy], environ: Mapping[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the values of legacy names by VECHE_ name, and by VECHE_ name what the operator wrote instead.

    The later legacies have priority, and know the database that earlier ones give. Raises LegacyError.
    """
    nonempty = {name: value for name, value in environ.items() if value}
    found: dict[str, object] = {}
    written: dict[str, str] = {}
    for legacy in legacies:
        known = {name: str(found[name]) for name in found.keys() & {"VECHE_DATABASE_URL"}} | nonempty
        new = {name: value for name, value in legacy.read(known).items() if value not in (None, "")}
        written |= {name: legacy.written_as(name, nonempty) for name in new if found.get(name) != new[name]}
        found |= new
    return found, written


def leave_out_ignored(given: Mapping[str, object], found: dict[str, object]) -> None:
    """Log that a database of legacy names is ignored, and leave out their bus, if `given` settings want that."""
    chosen, other, usual = (
        str(url or "").partition(":")[0]
        for url in (given.get("VECHE_DATABASE_URL"), found.get("VECHE_DATABASE_URL"), DEFAULT_URL)
    )
    if chosen and other and chosen != other:
        logger.warning("the environment of an original server names another database, which is ignored")
    if "VECHE_BUS_URL" in found and (chosen or other or usual) == usual:
        del found["VECHE_BUS_URL"]
        logger.warning("redis (in the file of CONFIG_PATH) is ignored: a server with SQLite needs no bus")
