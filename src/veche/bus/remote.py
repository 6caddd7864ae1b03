"""What all buses between nodes share: what waits to be sent, what is heard, and connecting again and again."""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from veche.bus.bus import Listener, OnBell, OnConnected, OnNote
from veche.bus.frames import BadFrameError, Bell, Entries, EntryCodec, Note, NoteTimes, Sealer
from veche.bus.outbox import Outbox
from veche.core.event import LogEvent
from veche.core.values import LogId

logger = logging.getLogger("veche.bus")

START_SECONDS = 3.0  # that the start of the server waits for the first connection
STOP_SECONDS = 0.5  # that the stop of the server waits until everything is sent
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts to connect
STEADY_SECONDS = 10.0  # after which a connection that breaks is tried again at once, and not after a longer pause
LOG_AGAIN = 60.0  # seconds until the log says again that frames are dropped, or that the bus is still away


class RemoteBus:
    """A bus to other nodes. Subclasses connect it.

    `_connection` runs one connection until it breaks. It calls `_opened` when this node hears the others, sends what
    `_next` returns, and passes what it hears to `_hear`. `where` names the other end, without a password.
    """

    where: str

    def __init__(self, sealer: Sealer, codec: EntryCodec, *, entries: bool) -> None:
        self.node_id = secrets.token_hex(8)
        self._sealer = sealer
        self._next_sealer: Sealer | None = None  # of a history that has begun, until the connection is another one
        self._history_ends = asyncio.Event()
        self._codec = codec
        self._outbox = Outbox(entries=entries)
        self._followed: dict[LogId, None] = {}
        self._listeners: list[Listener] = []
        self._bells: list[OnBell] = []
        self._on_followed: list[Callable[[Sequence[LogId]], None]] = []
        self._on_note: dict[str, OnNote] = {}
        self._on_connected: list[OnConnected] = []
        self._times = NoteTimes()
        self._wake = asyncio.Event()  # set while the outbox may have something
        self._idle = asyncio.Event()  # set while everything is sent
        self._first = asyncio.Event()  # set once it has connected
        self._connected = False
        self._has_connected = False  # by the present attempt
        self._opened_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._dropped = 0  # bad frames since the last line in the log
        self._logged: dict[str, float] = {}

    # The interface.

    @property
    def connected(self) -> bool:
        """Whether this node hears the others now, as far as it knows."""
        return self._connected

    @property
    def was_connected(self) -> bool:
        """Whether this node hears the others now, or has heard them since it started."""
        return self._first.is_set()

    async def start(self) -> None:
        """Connect. If that takes long, go on without, and log it."""
        self._task = asyncio.create_task(self._run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await self._first.wait()
        if not self._connected:
            logger.warning("the server starts without the bus: what other nodes write comes up to a second late")

    async def stop(self) -> None:
        """Send what waits, for a moment at most, and disconnect."""
        if self._outbox:
            self._idle.clear()
        if self._connected:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._idle.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def begin_history(self, history: str) -> None:
        """Hear and tell from now on only nodes whose database has this history. What waits to be sent is dropped."""
        sealer = self._sealer.with_history(history)
        if sealer.name == (self._next_sealer or self._sealer).name:
            return
        self._next_sealer = sealer
        self._connected = False
        self._outbox.clear()
        self._history_ends.set()

    def publish(self, events: Sequence[LogEvent]) -> None:
        """Pass entries to the listeners here, and let the other nodes hear of them in a later turn of the loop."""
        for listener in self._listeners:
            listener(events)
        if self._connected and events:
            self._outbox.add(events)
            self._wake.set()

    def subscribe(self, listener: Listener) -> None:
        """Call a function with the entries that are announced here, and with those that other nodes send."""
        self._listeners.append(listener)

    def on_bell(self, handler: OnBell) -> None:
        """Call a function with heads of followed logs."""
        self._bells.append(handler)

    def follow(self, log_id: LogId) -> None:
        """Hear from now on what other nodes commit to a log."""
        self._followed[log_id] = None

    def unfollow(self, log_id: LogId) -> None:
        """Stop hearing of a log."""
        self._followed.pop(log_id, None)

    def on_followed(self, handler: Callable[[Sequence[LogId]], None]) -> None:
        """Call a function with logs that this node hears from now on."""
        self._on_followed.append(handler)

    def tell(self, kind: str, payload: Any) -> None:
        """Send a note to all other nodes, if they are connected now. Raises NoteTooLargeError."""
        self._outbox.add_note(kind, payload)
        if self._connected:
            self._wake.set()
        else:
            self._outbox.clear()

    def on_note(self, kind: str, handler: OnNote) -> None:
        """Call a function with the notes of a kind that other nodes tell."""
        self._on_note[kind] = handler

    def on_connected(self, callback: OnConnected) -> None:
        """Call a function each time that this node has connected."""
        self._on_connected.append(callback)

    # For subclasses.

    @abstractmethod
    async def _connection(self) -> None:
        """Connect, and serve this connection until it breaks. Raises what broke it."""

    async def _end_with_history(self) -> None:
        """End the connection once another history begins: all channels have other names then."""
        await self._history_ends.wait()
        raise ConnectionError("the database has another history")

    def _opened(self) -> None:
        """Note that this node hears the others from now on."""
        if self._next_sealer is not None:
            return
        self._outbox.clear()
        self._connected = self._has_connected = True
        self._opened_at = time.monotonic()
        self._first.set()
        logger.info("the bus is connected to %s", self.where)
        for callback in self._on_connected:
            _call(callback)

    def _tell_followed(self, log_ids: Sequence[LogId]) -> None:
        for handler in self._on_followed:
            _call(handler, log_ids)

    async def _something_to_send(self) -> None:
        """Wait until the outbox has something. Everything taken before has been sent."""
        while not self._outbox:
            self._wake.clear()
            self._idle.set()
            await self._wake.wait()
        self._idle.clear()

    def _take_notes(self) -> list[bytes]:
        """Take the notes that wait, as frames."""
        return [
            self._sealer.seal(Note(self.node_id, self._times.next(), kind, msgspec.Raw(payload)))
            for kind, payload in self._outbox.take_notes()
        ]

    def _hear(self, data: bytes) -> None:
        """Take what came from the other end. What is wrong with it is only logged."""
        if self._next_sealer is not None:
            return
        try:
            frame = self._sealer.open(data)
            if frame.node_id == self.node_id:
                return
            match frame:
                case Bell():
                    self._ring({id: head for id, head in frame.heads.items() if id in self._followed})
                case Entries():
                    self._hear_entries(frame)
                case Note():
                    self._times.check(frame)
                    if (handler := self._on_note.get(frame.kind)) is not None:
                        _call(handler, frame.node_id, msgspec.json.decode(frame.payload))
        except BadFrameError as error:
            self._drop(str(error))

    def _hear_entries(self, frame: Entries) -> None:
        if frame.log_id not in self._followed:
            return
        if frame.form != self._codec.form:  # another version of Veche encoded them
            self._ring({frame.log_id: frame.head})
            return
        entries = self._codec.decode(frame.entries)
        if any(entry.log_id != frame.log_id for entry in entries):
            raise BadFrameError("its entries are of another log")
        for listener in self._listeners:
            _call(listener, entries)

    def _ring(self, heads: dict[LogId, int]) -> None:
        for handler in self._bells if heads else ():
            _call(handler, heads)

    def _drop(self, reason: str) -> None:
        self._dropped += 1
        if self._may_log("dropped"):
            logger.warning("%d frames of the bus were dropped. The last one: %s", self._dropped, reason)
            self._dropped = 0

    def _may_log(self, what: str) -> bool:
        now = time.monotonic()
        if now - self._logged.get(what, -LOG_AGAIN) < LOG_AGAIN:
            return False
        self._logged[what] = now
        return True

    # Connecting.

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            self._use_next_sealer()
            self._has_connected = False
            error = await self._one_connection()
            was_connected, self._connected = self._has_connected, False
            self._outbox.clear()
            if self._next_sealer is not None:
                continue
            if was_connected and time.monotonic() - self._opened_at >= STEADY_SECONDS:
                pause = FIRST_PAUSE
            if was_connected or self._may_log("away"):
                self._logged["away"] = time.monotonic()
                logger.warning("the bus to %s is away, and is tried again: %s", self.where, error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _use_next_sealer(self) -> None:
        if self._next_sealer is not None:
            self._sealer, self._next_sealer = self._next_sealer, None
            self._history_ends.clear()

    async def _one_connection(self) -> BaseException:
        try:
            await self._connection()
        except Exception as error:
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            return error
        return ConnectionError("it was closed")


def _call(function: Callable[..., None], *args: Any) -> None:
    """Call a function of others. What it raises is logged: the bus goes on."""
    try:
        function(*args)
    except Exception:
        logger.exception("a listener of the bus failed")
