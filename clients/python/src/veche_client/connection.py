"""One WebSocket: sends commands, matches their answers, answers the heartbeat, and notices a dead connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .errors import VecheError, refusal

Fields = dict[str, Any]
Done = Callable[[Any], None]

ANSWER = 30.0
OPEN = 10.0
SILENCE = 40.0
MAX_FRAME = 65_536
"""A frame of ours may have so many bytes."""
MAX_RECEIVED = 2**24


class Connection:
    """A connection to `url`. `opened` and `pushed` are called before the next frame is read.

    `silence` is how many seconds without a frame mean that it is dead.
    """

    def __init__(
        self, url: str, silence: float, opened: Callable[[], None], pushed: Callable[[str, Fields], None]
    ) -> None:
        self._silence = silence
        self.bye: Fields = {}
        self._url = url
        self._opened = opened
        self._pushed = pushed
        self._waiting: dict[int, tuple[str, Done, asyncio.TimerHandle]] = {}
        self._last_id = 0
        self._out: asyncio.Queue[str] = asyncio.Queue()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_open = False
        self._listening: asyncio.Timeout | None = None

    def set_silence(self, seconds: float) -> None:
        """Change the silence, from now on."""
        self._silence = seconds
        if self._listening is not None:
            self._listening.reschedule(asyncio.get_running_loop().time() + seconds)

    async def run(self) -> int:
        """Connect, and read until it ends. Return the close code, or 0 if there is none."""
        try:
            async with asyncio.timeout(OPEN):
                socket = await connect(
                    self._url, open_timeout=None, ping_interval=None, close_timeout=1, max_size=MAX_RECEIVED
                )
        except (OSError, TimeoutError, EOFError, WebSocketException):
            return 0
        self._is_open = True
        work = [asyncio.create_task(self._read(socket)), asyncio.create_task(self._write(socket))]
        try:
            self._opened()
            await asyncio.wait([*work, self._end], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_open = False
            for task in work:
                task.cancel()
            ended = await asyncio.gather(*work, return_exceptions=True)
            is_lost = self._end.done() or any(isinstance(error, TimeoutError) for error in ended)
            if is_lost:
                socket.transport.abort()
            await socket.close()
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, ConnectionClosed | TimeoutError):
                raise error
        if self._end.done():
            self._end.result()
        return 0 if is_lost else socket.close_code or 0

    def lose(self, bug: BaseException | None = None) -> None:
        """End the connection. `run` raises the bug, if it is one."""
        if self._end.done():
            return
        if bug is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(bug)

    def settle(self) -> None:
        """Tell all who wait for an answer that none comes."""
        waiting, self._waiting = self._waiting, {}
        for _, done, late in waiting.values():
            late.cancel()
            done(VecheError("lost", "The connection was lost.", temporary=True))

    def ask(self, name: str, fields: Fields, done: Done) -> None:
        """Send a command. `done` gets its answer, or a VecheError, before the next frame is read."""
        if not self._is_open or self._end.done():
            return done(VecheError("offline", "Not connected.", temporary=True))
        self._last_id += 1
        frame = json.dumps({"id": self._last_id, name: fields}, ensure_ascii=False)
        if len(frame) * 4 > MAX_FRAME and len(frame.encode(errors="replace")) > MAX_FRAME:
            return done(VecheError("too_large", "This is too long."))
        late = asyncio.get_running_loop().call_later(ANSWER, self.lose)
        self._waiting[self._last_id] = name, done, late
        return self._out.put_nowait(frame)

    async def command(self, name: str, fields: Fields) -> Any:
        """Send a command, and return its answer. Raises VecheError."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.ask(name, fields, lambda answer: None if future.done() else future.set_result(answer))
        answer = await future
        if isinstance(answer, VecheError):
            raise answer
        return answer

    async def _write(self, socket: ClientConnection) -> None:
        while True:
            await socket.send(await self._out.get())

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            async with asyncio.timeout(self._silence) as self._listening:
                raw = await socket.recv()
            self._listening = None
            try:
                frame = json.loads(raw)
            except ValueError:
                return  # not our contract: connect again
            self._receive(frame)

    def _receive(self, frame: Fields) -> None:
        if not frame:
            self._out.put_nowait("{}")
        elif "id" in frame:
            self._answer(frame)
        else:
            [(kind, body), *_] = frame.items()
            if kind == "bye":
                self.bye = body
            else:
                self._pushed(kind, body)

    def _answer(self, frame: Fields) -> None:
        name, done, late = self._waiting.pop(frame["id"], (None, None, None))
        if name is None or done is None or late is None:
            return
        late.cancel()
        done(refusal(frame["error"]) if "error" in frame else frame.get(name))
