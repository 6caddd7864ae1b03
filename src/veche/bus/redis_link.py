"""The connections to one Redis server: one publishes, and the other is subscribed to channels."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection

SLICE = 500  # channels that are subscribed to at once; the next ones follow when the server has confirmed these
PING_SECONDS = 2.0  # between two pings; a server that says nothing for as long after one is gone
PUBLISH_SECONDS = 5.0  # that a server may take to confirm what was published

Open = Callable[[], AbstractConnection]


class Link:
    """One server. `hear` is called with what is published to channels that were wanted.

    `followed` is called with channels that the server has confirmed. With `sharded`, channels are those of sharded
    pub/sub: each is on the server that has its slot. Any method that waits raises if the connection is lost.
    """

    def __init__(
        self,
        open_connection: Open,
        hear: Callable[[bytes], None],
        followed: Callable[[Sequence[str]], None],
        *,
        sharded: bool,
    ) -> None:
        self._hear = hear
        self._followed = followed
        self._prefix = "S" if sharded else ""
        self._publisher = open_connection()
        self._subscriber = open_connection()
        self._wanted: dict[str, None] = {}  # channels to subscribe to
        self._unwanted: dict[str, None] = {}  # channels to leave
        self._channels: set[bytes] = set()  # wanted, whether or not they are confirmed
        self._left: Counter[bytes] = Counter()  # channels whose UNSUBSCRIBE was not answered yet
        self._wake = asyncio.Event()
        self._unconfirmed = 0
        self._confirmed = asyncio.Event()
        self._heard = True  # something came since the last ping
        self.ready = asyncio.Event()  # all channels that were wanted before the start are confirmed

    async def connect(self) -> None:
        """Open both connections."""
        await self._publisher.connect()  # type: ignore[no-untyped-call]
        await self._subscriber.connect()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Close both connections at once."""
        await self._publisher.disconnect(nowait=True)
        await self._subscriber.disconnect(nowait=True)

    def want(self, channel: str) -> None:
        """Subscribe to a channel soon."""
        self._channels.add(channel.encode())
        self._unwanted.pop(channel, None)
        self._wanted[channel] = None
        self._wake.set()

    def unwant(self, channel: str) -> None:
        """Leave a channel soon."""
        self._channels.discard(channel.encode())
        self._wanted.pop(channel, None)
        self._unwanted[channel] = None
        self._wake.set()

    async def serve(self) -> None:
        """Subscribe, and hear, until the connection breaks. Raises what broke it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._keep_subscriptions())
            group.create_task(self._ping())

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish messages, each a channel and its data, in one write, and wait until the server has them."""
        command = f"{self._prefix}PUBLISH"
        commands = self._publisher.pack_commands([(command, channel, data) for channel, data in messages])
        async with asyncio.timeout(PUBLISH_SECONDS):
            await self._publisher.send_packed_command(commands, check_health=False)
            for _ in messages:
                await self._publisher.read_response(timeout=math.inf)

    async def _keep_subscriptions(self) -> None:
        while True:
            if self._unwanted:
                channels = _take(self._unwanted)
                self._left.update(channel.encode() for channel in channels)
                await self._send("UNSUBSCRIBE", channels)
            elif self._wanted:
                channels = _take(self._wanted)
                self._unconfirmed = len(channels)
                self._confirmed.clear()
                await self._send("SUBSCRIBE", channels)
                await self._confirmed.wait()
                self._followed(channels)
            else:
                self.ready.set()
                self._wake.clear()
                await self._wake.wait()

    async def _send(self, command: str, channels: list[str]) -> None:
        command = self._prefix + command
        # Channels of sharded pub/sub that are in one command must be in one slot.
        parts = [(command, channel) for channel in channels] if self._prefix else [(command, *channels)]
        await self._subscriber.send_packed_command(self._subscriber.pack_commands(parts), check_health=False)

    async def _listen(self) -> None:
        read = self._subscriber.read_response
        while True:
            message: Any = await read(timeout=math.inf)
            self._heard = True
            match message:
                case [b"message" | b"smessage", _, bytes(data)]:
                    self._hear(data)
                case [b"subscribe" | b"ssubscribe", *_]:
                    self._unconfirmed -= 1
                    if not self._unconfirmed:
                        self._confirmed.set()
                case [b"unsubscribe" | b"sunsubscribe", bytes(channel), *_] if channel in self._left:
                    self._left[channel] -= 1
                    if not self._left[channel]:
                        del self._left[channel]
                case [b"sunsubscribe", channel, *_] if channel in self._channels:
                    raise ConnectionError("the cluster has moved a slot to another server")

    async def _ping(self) -> None:
        while True:
            self._heard = False
            await self._subscriber.send_packed_command(self._subscriber.pack_command("PING"), check_health=False)
            await asyncio.sleep(PING_SECONDS)
            if not self._heard:
                raise TimeoutError("it does not answer")


def _take(channels: dict[str, None]) -> list[str]:
    """Remove the first channels, as many as are in one slice, and return them."""
    found = list(channels)[:SLICE]
    for channel in found:
        del channels[channel]
    return found
