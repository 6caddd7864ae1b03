"""The legacy names for settings of the whole server. Those of one dialect are in `dialects/<name>/legacy.py`."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import quote

from veche.gateway.legacy import Legacy, LegacyError, signing_key

SECRETS = ("JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY")

NAMES = {
    "APP_HOST": "`VECHE_HOST`, if it is an address or `localhost`",
    "APP_PORT": "`VECHE_PORT`",
    "PORT": "`VECHE_PORT`, if `APP_PORT` is not set",
    "DATABASE_URL": "`VECHE_DATABASE_URL`",
    "POSTGRES_HOST": "with `POSTGRES_DB` or `POSTGRES_NAME`: `VECHE_DATABASE_URL`, if `DATABASE_URL` is not set",
    "POSTGRES_PORT": "the port of `POSTGRES_HOST`",
    "POSTGRES_USER": "the user for `POSTGRES_HOST`",
    "POSTGRES_PASSWORD": "the password for `POSTGRES_HOST`",
    "JWT_SECRET": "`VECHE_SECRET`: 16 bytes or more, and not a well-known secret",
    "SECRET_KEY": "the same",
    "JWT_SECRET_KEY": "the same",
    "JWT_ALGORITHM": "must be HS256; with another value the server does not start",
}


def _read(environ: Mapping[str, str]) -> dict[str, object]:
    if environ.get("JWT_ALGORITHM", "HS256") != "HS256":
        raise LegacyError("JWT_ALGORITHM: tokens are signed with HS256.")
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
    host = environ.get("POSTGRES_HOST")
    name = environ.get("POSTGRES_DB") or environ.get("POSTGRES_NAME")
    if not (host and name):
        return None
    user, password = (quote(environ.get(f"POSTGRES_{part}", ""), safe="") for part in ("USER", "PASSWORD"))
    credentials = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{environ['POSTGRES_PORT']}" if "POSTGRES_PORT" in environ else ""
    return f"postgresql://{credentials}{host}{port}/{quote(name, safe='')}"


LEGACY = Legacy(
    NAMES,
    _read,
    {
        "VECHE_HOST": ("APP_HOST",),
        "VECHE_PORT": ("APP_PORT", "PORT"),
        "VECHE_DATABASE_URL": ("DATABASE_URL", "POSTGRES_HOST"),
        "VECHE_SECRET": SECRETS,
    },
)
