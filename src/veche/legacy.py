"""The legacy names for settings of the whole server. Those of one dialect are in `dialects/<name>/legacy.py`."""

import ipaddress
import logging
from collections.abc import Mapping
from urllib.parse import quote

from veche.gateway.legacy import Legacy, LegacyError, signing_key

logger = logging.getLogger("veche")

SECRETS = ("JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY")
POSTGRES = ("HOST", "PORT", "DB", "NAME", "USER", "PASSWORD")

NAMES = {
    "APP_HOST": "`VECHE_HOST`, if it is an address or `localhost`",
    "APP_PORT": "`VECHE_PORT`",
    "PORT": "`VECHE_PORT`, if `APP_PORT` is not set",
    "DATABASE_URL": "`VECHE_DATABASE_URL`",
    "POSTGRES_HOST": "`VECHE_DATABASE_URL`, a database of PostgreSQL, if `DATABASE_URL` is not set",
    "POSTGRES_PORT": "its port",
    "POSTGRES_DB": "its name",
    "POSTGRES_NAME": "the same",
    "POSTGRES_USER": "its user; without `POSTGRES_HOST` the host is `postgres`",
    "POSTGRES_PASSWORD": "the password of this user",
    "JWT_SECRET": "`VECHE_SECRET`: 16 bytes or more, and not a well-known secret",
    "SECRET_KEY": "the same",
    "JWT_SECRET_KEY": "the same",
    "JWT_ALGORITHM": "must be HS256; with another value the server does not start",
}


def _read(environ: Mapping[str, str]) -> dict[str, object]:
    if environ.get("JWT_ALGORITHM", "HS256") != "HS256":
        raise LegacyError("JWT_ALGORITHM: tokens are signed with HS256.")
    if (url := environ.get("DATABASE_URL")) and _postgres(environ) and not url.startswith("postgres"):
        logger.warning("POSTGRES_* is ignored, because DATABASE_URL is set")
    secret = next((name for name in SECRETS if name in environ), None)
    return {
        "VECHE_HOST": _listen_address(environ.get("APP_HOST")),
        "VECHE_PORT": environ.get("APP_PORT") or environ.get("PORT"),
        "VECHE_DATABASE_URL": environ.get("DATABASE_URL") or _postgres(environ),
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


def _postgres(environ: Mapping[str, str]) -> str | None:
    """Return the URL of a PostgreSQL database if one of the variables asks for it."""
    given = {part: environ[f"POSTGRES_{part}"] for part in POSTGRES if f"POSTGRES_{part}" in environ}
    if not given.keys() - {"PORT"}:
        return None
    user, password, name = (
        quote(value or "", safe="")
        for value in (given.get("USER"), given.get("PASSWORD"), given.get("DB") or given.get("NAME"))
    )
    credentials = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{given['PORT']}" if "PORT" in given else ""
    return f"postgresql://{credentials}{given.get('HOST', 'postgres')}{port}/{name}"


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
