"""The settings that the older contracts' own documents name, understood: their environment still works.

Each gives a default for one of ours; `VECHE_*` and the command line win. 001's YAML file is named by CONFIG_PATH.
"""

import hashlib
import ipaddress
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

log = logging.getLogger("veche")

WEAK = frozenset({"secret", "dev-secret", "changeme", "secret-key", "your-secret-key", "supersecret", "password"})
LEAST_BYTES = 16
OURS = "VECHE_SECRET"  # where it is set, no other one is looked at
SECRETS = ("JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY")
TRUE = ("True", "true", "1")  # to 003; all else is false
REACHED_FROM_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104

UNDERSTOOD = {
    "APP_HOST": "`VECHE_HOST`; with a name that one can reach, `VECHE_CHANNELS_HOST`",
    "APP_PORT": "`VECHE_PORT`",
    "PORT": "`VECHE_PORT`, where there is no `APP_PORT`",
    "DATABASE_URL": "`VECHE_DATABASE_URL`",
    "POSTGRES_HOST": "with `POSTGRES_DB` or `POSTGRES_NAME`: `VECHE_DATABASE_URL`, where there is no `DATABASE_URL`",
    "POSTGRES_PORT": "its port",
    "POSTGRES_USER": "its user",
    "POSTGRES_PASSWORD": "its password",
    "JWT_SECRET": "`VECHE_SECRET`, 16 bytes or more and none that everybody knows",
    "SECRET_KEY": "the same",
    "JWT_SECRET_KEY": "the same",
    "JWT_ALGORITHM": "HS256, or the start is refused",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "`VECHE_CHANNELS_TOKEN_SECONDS`",
    "JWT_EXPIRATION_TIME": "`VECHE_MESSENGER_TOKEN_SECONDS`, in minutes",
    "IS_PROXY": "`VECHE_ECHO_PROXY`",
    "CONFIG_PATH": "a YAML file: `pkg.system_username`, `pkg.error_username`, `http.host`, `http.port`, "
    "`websocket.msg_max_length`, `websocket.check_origin`, `websocket.allowed_origins`, `jwt.secret`, `jwt.expire`",
}
"""Each name, and which of ours it stands for; docs/settings.md shows them."""


class BorrowedError(Exception):
    """A borrowed setting cannot be used; the message says which, and what to do."""


def borrowed(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read them: our names, and values as text or as YAML has them. Empty ones count as not set."""
    given = {name: value for name, value in environ.items() if value}
    found = _yaml(given) | _environment(given)
    return {name: value for name, value in found.items() if value not in (None, "")}


def _environment(given: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "host": _listening(given.get("APP_HOST")),
        "port": given.get("APP_PORT") or given.get("PORT"),
        "database_url": given.get("DATABASE_URL") or _postgres(given),
        "channels_host": _linked(given),
        "echo_proxy": given["IS_PROXY"] in TRUE if "IS_PROXY" in given else None,
        "channels_token_seconds": _minutes(given, "ACCESS_TOKEN_EXPIRE_MINUTES"),
        "messenger_token_seconds": _minutes(given, "JWT_EXPIRATION_TIME"),
    }
    if given.get("JWT_ALGORITHM", "HS256") != "HS256":
        raise BorrowedError("JWT_ALGORITHM: tokens are signed with HS256.")
    for name in SECRETS:
        if name in given and OURS not in given:
            found.setdefault("secret", strong(name, given[name]))
    return {name: value for name, value in found.items() if value is not None}


def strong(name: str, secret: str) -> str:
    """Make a signing key of a borrowed secret; refuses those that anybody could guess. Never says the value."""
    if secret.lower() in WEAK or len(secret.encode()) < LEAST_BYTES:
        raise BorrowedError(f"{name} is too weak: give {LEAST_BYTES} bytes or more, or set VECHE_SECRET instead.")
    log.warning("tokens are signed with %s; VECHE_SECRET is the better name, with 32 bytes or more", name)
    return hashlib.sha256(secret.encode()).hexdigest()


def _listening(host: str | None) -> str | None:
    """003's APP_HOST is an address to listen on, or a name that only its links use."""
    try:
        return str(ipaddress.ip_address(host or ""))
    except ValueError:
        return "127.0.0.1" if host == "localhost" else None


def _linked(given: Mapping[str, str]) -> str | None:
    host = given.get("APP_HOST", "")
    if host in REACHED_FROM_ANYWHERE:
        return None
    return f"{f'[{host}]' if ':' in host else host}:{given.get('APP_PORT', '8000')}"


def _postgres(given: Mapping[str, str]) -> str | None:
    host = given.get("POSTGRES_HOST")
    name = given.get("POSTGRES_DB") or given.get("POSTGRES_NAME")
    if not (host and name):
        return None
    user, password = (quote(given.get(f"POSTGRES_{part}", ""), safe="") for part in ("USER", "PASSWORD"))
    who = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{given['POSTGRES_PORT']}" if "POSTGRES_PORT" in given else ""
    return f"postgresql://{who}{host}{port}/{quote(name, safe='')}"


def _minutes(given: Mapping[str, str], name: str) -> int | None:
    if name not in given:
        return None
    if not re.fullmatch(r"[0-9]{1,7}", given[name]):
        raise BorrowedError(f"{name} takes a number of minutes.")
    return int(given[name]) * 60


def _yaml(given: Mapping[str, str]) -> dict[str, Any]:
    if (path := given.get("CONFIG_PATH")) is None:
        return {}
    try:
        file = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise BorrowedError(f"CONFIG_PATH: {path} cannot be read: {error}.") from None
    pkg, http, socket, jwt = (_part(file, name) for name in ("pkg", "http", "websocket", "jwt"))
    if socket.get("check_origin") and not socket.get("allowed_origins"):
        raise BorrowedError("websocket.check_origin needs websocket.allowed_origins: which pages may connect.")
    found = {
        "host": http.get("host"),
        "port": http.get("port"),
        "rooms_system_name": pkg.get("system_username"),
        "rooms_error_name": pkg.get("error_username"),
        "rooms_text_bytes": socket.get("msg_max_length"),
        "origins": tuple(socket.get("allowed_origins") or ()) if socket.get("check_origin") else None,
        "rooms_token_seconds": _duration(jwt.get("expire")),
        "secret": strong("jwt.secret", str(jwt["secret"])) if jwt.get("secret") and OURS not in given else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _part(file: object, name: str) -> dict[str, Any]:
    part = file.get(name) if isinstance(file, dict) else None
    return part if isinstance(part, dict) else {}


def _duration(text: object) -> int | None:
    """Read a duration as Go writes it (`24h`, `1h30m`, `90s`), in seconds."""
    if text is None:
        return None
    parts = re.findall(r"([0-9]+)([hms])", str(text))
    if not parts or "".join(number + unit for number, unit in parts) != str(text):
        raise BorrowedError(f"jwt.expire: {text!r} is no duration like 24h or 90m.")
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)
