"""The bus over Redis or Valkey. Each log has a channel, and a node is subscribed to those of its topics.

The server keeps nothing. What is published while nobody is connected is lost, and nodes find it in the database.
"""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

from veche.bus.frames import MAX_FRAME, Bell, Entries, EntryCodec, Sealer
from veche.bus.outbox import News
from veche.bus.redis_address import parse
from veche.bus.redis_link import Link
from veche.bus.remote import RemoteBus
from veche.core.values import LogId

CONNECT_SECONDS = 3.0
PUBLISHED = 200  # messages that are published at once


class RedisBus(RemoteBus):
    """Entries travel in the frames, if they are small, so that no other node has to read them from the log."""

    def __init__(self, url: str, sealer: Sealer, codec: EntryCodec) -> None:
        super().__init__(sealer, codec, entries=True)
        self._address = parse(url)
        self.where = repr(self._address)
        self._links: list[Link] = []
        self._first_slots: list[int] = [0]  # for each link of a cluster, the first slot of a range; sorted
        self._range_links: list[Link] = []

    def follow(self, log_id: LogId) -> None:
        """Hear from now on what other nodes commit to a log."""
        super().follow(log_id)
        if self._links:
            channel = self._channel(log_id)
            self._link_of(channel).want(channel)

    def unfollow(self, log_id: LogId) -> None:
        """Stop hearing of a log."""
        super().unfollow(log_id)
        if self._links:
            channel = self._channel(log_id)
            self._link_of(channel).unwant(channel)

    @property
    def _prefix(self) -> str:
        return f"veche:{self._sealer.name}:"

    def _channel(self, log_id: LogId) -> str:
        return f"{self._prefix}log:{log_id}"

    @property
    def _notes_channel(self) -> str:
        return f"{self._prefix}notes"

    def _link_of(self, channel: str) -> Link:
        if len(self._links) == 1:
            return self._links[0]
        return self._range_links[bisect_right(self._first_slots, key_slot(channel.encode())) - 1]

    # Connecting.

    async def _connection(self) -> None:
        ranges = await self._ranges()
        links = {
            server: Link(
                partial(self._open, server, self._address.sign_in),
                self._hear,
                self._confirm,
                sharded=self._address.kind == "cluster",
            )
            for _, server in ranges
        }
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                for link in links.values():
                    await link.connect()
            self._first_slots = [first for first, _ in ranges]
            self._range_links = [links[server] for _, server in ranges]
            self._links = list(links.values())
            for channel in (self._notes_channel, *map(self._channel, self._followed)):
                self._link_of(channel).want(channel)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._end_with_history())
                for link in self._links:
                    group.create_task(link.serve())
                group.create_task(self._open_when_ready())
                group.create_task(self._send_news())
        finally:
            self._links = []
            for link in links.values():
                await link.close()

    async def _open_when_ready(self) -> None:
        for link in self._links:
            await link.ready.wait()
        self._opened()

    def _confirm(self, channels: Sequence[str]) -> None:
        start = len(self._prefix) + len("log:")
        self._tell_followed([int(channel[start:]) for channel in channels if channel != self._notes_channel])

    def _open(self, server: tuple[str, int], sign_in: dict[str, Any]) -> AbstractConnection:
        host, port = server
        options: dict[str, Any] = {"ssl_check_hostname": True} if self._address.tls else {}
        return (SSLConnection if self._address.tls else Connection)(
            host=host,
            port=port,
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            **sign_in,
            **options,
        )

    async def _ask(self, server: tuple[str, int], sign_in: dict[str, Any], *command: str) -> Any:
        """Send one command on a connection of its own, and return the answer."""
        connection = self._open(server, sign_in)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.send_command(*command)
                return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)

    async def _ask_any(self, sign_in: dict[str, Any], *command: str) -> tuple[tuple[str, int], Any]:
        """Send a command to the servers of the address, until one has an answer. Return that server and the answer."""
        failed: Exception = ConnectionError("none of the servers answers")
        for server in self._address.hosts:
            try:
                if answer := await self._ask(server, sign_in, *command):
                    return server, answer
            except (RedisError, OSError, TimeoutError) as error:
                failed = error
        raise failed

    async def _ranges(self) -> list[tuple[int, tuple[str, int]]]:
        """Return the servers, each with the first slot of a range of slots that it has, in the order of the slots."""
        address = self._address
        if address.kind == "cluster":
            seed, slots = await self._ask_any(address.sign_in, "CLUSTER", "SLOTS")
            return sorted((first, (host_of(master, seed[0]), master[1])) for first, _, master, *_ in slots)
        if address.kind == "sentinel":
            command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)
            _, (host, port) = await self._ask_any(address.sentinel_sign_in, *command)
            server = (host.decode(), int(port))
            role, *_ = await self._ask(server, address.sign_in, "ROLE")
            if role != b"master":
                raise ConnectionError("the server that Sentinel names is no master yet")
            return [(0, server)]
        return [(0, address.hosts[0])]

    # Sending.

    async def _send_news(self) -> None:
        while True:
            await self._something_to_send()
            notes = [(self._notes_channel, note) for note in self._take_notes()]
            await self._publish(notes)
            news = iter(self._outbox.take())
            while part := list(islice(news, PUBLISHED)):
                await self._publish([(self._channel(one.log_id), self._frame(one)) for one in part])

    def _frame(self, news: News) -> bytes:
        if news.entries and self._codec.kinds.issuperset(entry.kind for entry in news.entries):
            entries = [self._codec.encode(entry) for entry in news.entries]
            frame = Entries(self.node_id, news.log_id, news.head, self._codec.form, entries)
            if len(sealed := self._sealer.seal(frame)) <= MAX_FRAME:
                return sealed
        return self._sealer.seal(Bell(self.node_id, {news.log_id: news.head}))

    async def _publish(self, messages: list[tuple[str, bytes]]) -> None:
        if not messages:
            return
        if len(self._links) == 1:
            await self._links[0].publish(messages)
            return
        by_link: defaultdict[Link, list[tuple[str, bytes]]] = defaultdict(list)
        for message in messages:
            by_link[self._link_of(message[0])].append(message)
        await asyncio.gather(*(link.publish(part) for link, part in by_link.items()))


def host_of(server: Sequence[Any], asked: str) -> str:
    """Return the host of a server in the answer to CLUSTER SLOTS.

    No host means that which was asked. "?" means that the server should have a name, and has none; its IP address
    may follow.
    """
    host, _, _, *more = server
    if host == b"?":
        facts = more[0] if more else []
        host = dict(zip(facts[::2], facts[1::2], strict=True)).get(b"ip")
    return host.decode() if host else asked


def check_redis(url: str) -> None:
    """Raise BusError if a URL is no address of a Redis."""
    parse(url)
