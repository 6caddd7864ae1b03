"""Makes the bus that VECHE_BUS_URL names. Only this module asks which kind of bus it is."""

from collections.abc import Callable, Iterable

from veche.bus.bus import Bus, BusError
from veche.bus.frames import EntryCodec, Sealer
from veche.bus.memory import MemoryBus
from veche.core.event import LogEvent

ReadAddress = Callable[[str], tuple[str, str]]
"""Reads the URL of a PostgreSQL, or the word postgresql for that of the server's database.

Returns a connection string of libpq, and a name without a password.
"""

WRONG = (
    "VECHE_BUS_URL has to be empty, for a server with one process; or redis://HOST:PORT or rediss://HOST:PORT; or "
    "postgresql, to use the database itself; or postgresql://USER:PASSWORD@HOST:PORT/NAME."
)


def open_bus(url: str, secret: str, history: str, entries: Iterable[type[LogEvent]], read_address: ReadAddress) -> Bus:
    """Make a bus, which is not connected yet. Raises BusError.

    `secret` is the one that signs tokens, and `history` tells the database and its present history from others.
    `entries` are the types of all entries of logs. The drivers are imported only if they are needed.
    """
    scheme = url.partition(":")[0]
    if not url:
        return MemoryBus()
    if scheme.partition("+")[0] in ("redis", "rediss"):
        from veche.bus.redis import RedisBus

        return RedisBus(url, Sealer(secret, history), EntryCodec(entries))
    if scheme in ("postgresql", "postgres"):
        from veche.bus.postgresql import PostgresBus

        return PostgresBus(*read_address(url), Sealer(secret, history), EntryCodec(entries))
    raise BusError(WRONG)


def postgres_connections(url: str) -> int:
    """Return how many connections to PostgreSQL a node keeps for its bus."""
    if url.partition(":")[0] not in ("postgresql", "postgres"):
        return 0
    from veche.bus.postgresql import CONNECTIONS

    return CONNECTIONS
