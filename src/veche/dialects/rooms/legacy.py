"""Reads the legacy setting of the rooms dialect: CONFIG_PATH, the path of the original server's YAML file."""

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from veche.gateway.legacy import Legacy, LegacyError, service_host, signing_key, url_of

NAMES = {
    "CONFIG_PATH": "a YAML file: `pkg.system_username`, `pkg.error_username`, `http.host`, `http.port`, "
    "`websocket.msg_max_length`, `websocket.check_origin`, `websocket.allowed_origins`, `jwt.secret`, `jwt.expire`, "
    "`db` (`VECHE_DATABASE_URL`, a database of PostgreSQL: `host`, `port`, `user`, `password`, `name`; what is missing "
    "is that of `POSTGRES_*`) and `redis` (`VECHE_BUS_URL`: `host`, `port`, `password`, `db`)",
    "REDIS_PASSWORD": "the password of `redis` in this file",
}

SECTIONS = {
    "pkg": {"system_username", "error_username", "get_messages_limit"},
    "http": {"host", "port", "read_timeout", "write_timeout", "idle_timeout", "shutdown_timeout", "rate_limit"},
    "websocket": {
        *("write_buf_size", "read_buf_size", "msg_buf_size", "msg_max_size", "msg_max_length", "write_wait"),
        *("pong_wait", "ping_period", "max_failed_pings", "enable_compression", "check_origin", "allowed_origins"),
    },
    "jwt": {"secret", "expire"},
}
"""The keys that the original reads, by section. Those that `_read` does not use are ignored."""
OTHER_SECTIONS = frozenset({"db", "redis", "log"})  # also of the original; their keys are not checked


def _read(environ: Mapping[str, str]) -> dict[str, object]:
    if (path := environ.get("CONFIG_PATH")) is None:
        return {}
    try:
        file = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise LegacyError(f"CONFIG_PATH: {path} cannot be read: {error}.") from None
    _refuse_unknown(file)
    pkg, http, socket, jwt = (_section(file, name) for name in ("pkg", "http", "websocket", "jwt"))
    if socket.get("check_origin") and not socket.get("allowed_origins"):
        raise LegacyError("websocket.check_origin needs websocket.allowed_origins: which pages may connect.")
    return {
        "VECHE_HOST": http.get("host"),
        "VECHE_PORT": http.get("port"),
        "VECHE_DATABASE_URL": _postgres(environ, _section(file, "db")),
        "VECHE_BUS_URL": _redis(environ, _section(file, "redis")),
        "VECHE_ROOMS_SYSTEM_NAME": pkg.get("system_username"),
        "VECHE_ROOMS_ERROR_NAME": pkg.get("error_username"),
        "VECHE_ROOMS_TEXT_BYTES": socket.get("msg_max_length"),
        "VECHE_ORIGINS": _origins(socket.get("allowed_origins")) if socket.get("check_origin") else None,
        "VECHE_ROOMS_TOKEN_SECONDS": _seconds(jwt.get("expire")),
        "VECHE_SECRET": signing_key(environ, "jwt.secret", str(jwt["secret"])) if jwt.get("secret") else None,
    }


def _refuse_unknown(file: object) -> None:
    """Raise LegacyError for a key that the original does not have. A misspelt `check_origin` would check nothing."""
    for name in file if isinstance(file, dict) else ():
        _refuse_unless_known(str(name), "", SECTIONS.keys() | OTHER_SECTIONS)
        for key in _section(file, str(name)):
            if str(name) in SECTIONS:
                _refuse_unless_known(str(key), f"{name}.", SECTIONS[str(name)])


def _refuse_unless_known(key: str, prefix: str, known: Collection[str]) -> None:
    if key not in known:
        close = difflib.get_close_matches(key.lower(), known, n=1)
        meant = f" Did you mean {prefix}{close[0]}?" if close else ""
        raise LegacyError(f"There is no setting {prefix}{key[:100]} in the file of CONFIG_PATH.{meant}")


def _section(file: object, name: str) -> dict[str, Any]:
    section = file.get(name) if isinstance(file, dict) else None
    return section if isinstance(section, dict) else {}


def _postgres(environ: Mapping[str, str], db: Mapping[str, Any]) -> str | None:
    """Return the URL of the PostgreSQL database that the section `db` names, or None if it is empty.

    The original takes what is missing there from the environment.
    """
    if not db:
        return None
    user, password, name, other_name, port = (
        environ.get(f"POSTGRES_{part}") for part in ("USER", "PASSWORD", "DB", "NAME", "PORT")
    )
    host = db.get("host") or environ.get("POSTGRES_HOST")
    return url_of(
        "postgresql",
        service_host(environ, host, "postgres", "db.host", "VECHE_DATABASE_URL"),
        db.get("port") or port,
        db.get("name") or name or other_name,
        db.get("user") or user,
        db.get("password") or password,
    )


def _redis(environ: Mapping[str, str], redis: Mapping[str, Any]) -> str | None:
    """Return the URL of the Redis that the section `redis` names, or None if it has nothing of an address."""
    password = redis.get("password") or environ.get("REDIS_PASSWORD")
    if not redis.keys() & {"host", "port", "password", "db"}:
        return None
    host = service_host(environ, redis.get("host"), "redis", "redis.host", "VECHE_BUS_URL")
    return url_of("redis", host, redis.get("port"), redis.get("db"), None, password)


def _origins(value: object) -> tuple[str, ...]:
    """Return the origins of a list, or of a single text."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(origin, str) for origin in found):
        raise LegacyError("websocket.allowed_origins takes a list of origins like https://chat.example.com.")
    return tuple(found)


def _seconds(duration: object) -> int | None:
    """Convert a Go duration (`24h`, `1h30m`, `90s`) to seconds. Raises LegacyError if it is invalid."""
    if duration is None:
        return None
    parts = re.findall(r"([0-9]{1,9})([hms])", str(duration))
    if not parts or "".join(number + unit for number, unit in parts) != str(duration):
        raise LegacyError(f"jwt.expire: {duration!r} is no duration like 24h or 90m.")
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)


LEGACY = Legacy(
    NAMES,
    _read,
    {
        name: (f"{key} (in the file of CONFIG_PATH)",)
        for name, key in {
            "VECHE_HOST": "http.host",
            "VECHE_PORT": "http.port",
            "VECHE_DATABASE_URL": "db",
            "VECHE_BUS_URL": "redis",
            "VECHE_ROOMS_SYSTEM_NAME": "pkg.system_username",
            "VECHE_ROOMS_ERROR_NAME": "pkg.error_username",
            "VECHE_ROOMS_TEXT_BYTES": "websocket.msg_max_length",
            "VECHE_ORIGINS": "websocket.allowed_origins",
            "VECHE_ROOMS_TOKEN_SECONDS": "jwt.expire",
            "VECHE_SECRET": "jwt.secret",
        }.items()
    },
    {"REDIS_PASSWORD": "VECHE_BUS_URL"},
)
