"""The address of a Redis or Valkey: one server, a cluster, or servers that Sentinel watches."""

from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from veche.bus.bus import BusError
from veche.ops.addresses import ADVICE, is_clear

SCHEMES = {
    "redis": (False, ""),
    "rediss": (True, ""),
    "redis+cluster": (False, "cluster"),
    "rediss+cluster": (True, "cluster"),
    "redis+sentinel": (False, "sentinel"),
    "rediss+sentinel": (True, "sentinel"),
}
FORMS = (
    "redis://:PASSWORD@HOST:PORT, rediss://... with TLS, redis+cluster://HOST:PORT,HOST:PORT for a cluster, or "
    "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE"
)
PORT, SENTINEL_PORT = 6379, 26379
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


class RedisAddress(NamedTuple):
    """Where the Redis is, and how to sign in.

    `kind` is "", "cluster" or "sentinel". `hosts` are the servers of the address: the Redis itself, some of the
    cluster, or the Sentinels. `service` is the name under which Sentinel knows the Redis.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...]
    service: str
    sign_in: dict[str, Any]  # arguments of redis-py's connections to the Redis
    sentinel_sign_in: dict[str, Any]  # the same for the Sentinels
    tls: bool

    def __repr__(self) -> str:
        """Show where it is, and no password."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.kind or 'redis'} {hosts}" + (f" {self.service}" if self.service else "")


def parse(url: str) -> RedisAddress:
    """Read an address. Raises BusError, whose message does not show the address."""
    if not is_clear(url):
        raise BusError(f"VECHE_BUS_URL is no address of a Redis. {ADVICE}")
    try:
        parts = urlsplit(url)
        tls, kind = SCHEMES[parts.scheme]
        user, _, hosts = parts.netloc.rpartition("@")
        username, _, password = user.partition(":")
        options = dict(parse_qsl(parts.query, strict_parsing=True) if parts.query else ())
        found = tuple(_host(host, SENTINEL_PORT if kind == "sentinel" else PORT) for host in hosts.split(","))
    except (ValueError, KeyError):
        raise BusError(f"VECHE_BUS_URL is no address of a Redis. It has to be like {FORMS}.") from None
    allowed = (*(TLS_OPTIONS if tls else ()), *(SENTINEL_OPTIONS if kind == "sentinel" else ()))
    if unknown := options.keys() - set(allowed):
        known = f"Known are {', '.join(allowed)}" if allowed else "There are none"
        raise BusError(f"VECHE_BUS_URL has unknown options: {', '.join(sorted(unknown))}. {known} for this scheme.")
    service = unquote(parts.path.strip("/")) if kind == "sentinel" else ""  # else it is the number of a database
    if kind == "sentinel" and not service:
        raise BusError("VECHE_BUS_URL does not name the service that Sentinel watches: add /SERVICE at the end.")
    if not kind and len(found) > 1:
        raise BusError("VECHE_BUS_URL names several servers. Use redis+cluster:// or redis+sentinel://.")
    security = {name: options[name] for name in TLS_OPTIONS if name in options}
    sentinel = {name.removeprefix("sentinel_"): options[name] for name in SENTINEL_OPTIONS if name in options}
    signing = {"username": unquote(username) or None, "password": unquote(password) or None}
    return RedisAddress(kind, found, service, signing | security, sentinel | security, tls)


def _host(text: str, default: int) -> tuple[str, int]:
    """Read HOST or HOST:PORT. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.username is not None:
        raise ValueError("no host")
    return parts.hostname, parts.port or default
