"""What a bell costs the node that hears it, and what the entry itself costs instead.

    python -m bench.bus [DATABASE_URL] [REDIS_URL]

Without a DATABASE_URL, a new SQLite database is used; a PostgreSQL must be empty, or one that this has used before.

Prints CPU times of this process: what it costs to seal and to open the frame of a bell, and that of an entry; what it
costs to read one entry from the log, as the hub does; and with a REDIS_URL, what an entry costs on its way through
Redis, for the node that publishes and the one that hears together.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from msgspec.structs import replace

from veche.app import ENTRIES
from veche.bus.frames import Bell, Entries, EntryCodec, Sealer
from veche.bus.redis import RedisBus
from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.event import LogEvent
from veche.core.messages import SendMessage
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.entries import read_entries
from veche.storage.opening import open_to_serve
from veche.storage.reader import Reader

SECRET = "the secret of a measurement, which nobody has to guess"
TIMES = 20_000
READS = 3_000
TEXT = "x" * 200
LOGS = 50


def microseconds(action: Callable[[], object]) -> float:
    """Return the CPU time of one call, in microseconds."""
    began = time.process_time()
    for _ in range(TIMES):
        action()
    return (time.process_time() - began) / TIMES * 1e6


def fill(database: Database) -> tuple[int, list[LogEvent]]:
    """Make a room with a thousand messages. Return its id, and the last entries."""
    name = f"bench{time.time_ns() % 10**9}"
    [account], _ = commit(database, [(Actor(NOBODY_ID, "bench"), Register("hash", username=name))])
    actor = Actor(account.id, "bench")
    [created], _ = commit(database, [(actor, CreateRoom(Kind.GROUP, "Room", ()))])
    events: list[LogEvent] = []
    for _ in range(20):
        _, events = commit(database, [(actor, SendMessage(created.room.id, TEXT, None)) for _ in range(50)])
    return created.room.id, events


async def read(database: Database, room_id: int, head: int) -> tuple[float, float]:
    """Read one entry many times, one after the other. Return the CPU and the wall time of one, in microseconds."""
    reader, done = Reader(database), asyncio.Event()
    left = READS

    def reply(page: Sequence[LogEvent] | None) -> None:
        nonlocal left
        assert page
        left -= 1
        if left:
            reader.call(None, reply, read_entries, room_id, head - 1, head, 200)
        else:
            done.set()

    cpu, wall = time.process_time(), time.perf_counter()
    reader.call(None, reply, read_entries, room_id, head - 1, head, 200)
    await done.wait()
    taken = ((time.process_time() - cpu) / READS * 1e6, (time.perf_counter() - wall) / READS * 1e6)
    reader.stop()
    return taken


async def through_redis(url: str, event: Any, at_once: int) -> float:
    """Publish entries of many logs from one bus to another. Return the CPU time of one, in microseconds."""
    sealer, codec = Sealer(SECRET), EntryCodec(ENTRIES)
    here, there = RedisBus(url, sealer, codec), RedisBus(url, sealer, codec)
    heard, come = 0, asyncio.Event()

    def hear(events: Sequence[LogEvent]) -> None:
        nonlocal heard
        heard += len(events)
        come.set()

    there.subscribe(hear)
    for log_id in range(1, LOGS + 1):
        there.follow(log_id)
    await here.start()
    await there.start()
    events = [replace(event, log_id=log_id) for log_id in range(1, at_once + 1)]
    began, sent = time.process_time(), 0
    while sent < TIMES // 4:
        here.publish(events)
        sent += len(events)
        while heard < sent:
            come.clear()
            await come.wait()
    taken = (time.process_time() - began) / sent * 1e6
    await here.stop()
    await there.stop()
    return taken


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{tempfile.mkdtemp()}/bench.db"
    database = open_to_serve(url)
    room_id, events = fill(database)
    event, head = events[-1], events[-1].seq
    sealer, codec = Sealer(SECRET), EntryCodec(ENTRIES)
    bell = Bell("f" * 16, {room_id: head})

    def entries() -> Entries:
        return Entries("f" * 16, room_id, head, codec.form, [codec.encode(event)])

    sealed_bell, sealed_entries = sealer.seal(bell), sealer.seal(entries())

    def open_entries() -> list[LogEvent]:
        frame = sealer.open(sealed_entries)
        assert isinstance(frame, Entries)
        return codec.decode(frame.entries)

    print(f"bell of {len(sealed_bell)} bytes: seal {microseconds(lambda: sealer.seal(bell)):.1f} µs, ", end="")
    print(f"open {microseconds(lambda: sealer.open(sealed_bell)):.1f} µs")
    print(f"entry of {len(sealed_entries)} bytes: seal {microseconds(lambda: sealer.seal(entries())):.1f} µs, ", end="")
    print(f"open {microseconds(open_entries):.1f} µs")
    cpu, wall = uvloop.run(read(database, room_id, head))
    print(f"reading it from {url.partition(':')[0]}: {cpu:.0f} µs of CPU, {wall:.0f} µs of time")
    database.close()
    for at_once in (1, LOGS) if len(sys.argv) > 2 else ():
        taken = uvloop.run(through_redis(sys.argv[2], event, at_once))
        print(f"through Redis, {at_once} at once: {taken:.0f} µs of CPU for both nodes")


if __name__ == "__main__":
    main()
