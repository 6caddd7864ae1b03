"""A common client for the sockets of all dialects: send a text to a room, and receive texts in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .town import LOBBY, TIMEOUT, Person

SYSTEM = 2**31 - 1  # the sender of notices


@dataclass(frozen=True)
class Dialect:
    """How to use the socket of one dialect.

    `path` and `greet` open it for a person and a room. `ready` recognizes the frame after which it receives messages
    (None: the first frame). `say` makes the frame of a text; `text_of` returns the text of a frame, or None.
    """

    name: str
    path: Callable[[Person, int], str]
    greet: Callable[[Person, int], list[str]]
    ready: Callable[[str], bool] | None
    say: Callable[[int, str, int], str]
    text_of: Callable[[str], str | None]


@dataclass
class DialectClient:
    """One open socket, with the frames and texts received so far."""

    dialect: Dialect
    room_id: int
    socket: ClientConnection
    frames: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    closed: bool = False
    _said: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _ready: bool = False

    async def say(self, text: str) -> None:
        self._said += 1
        await self.socket.send(self.dialect.say(self.room_id, text, self._said))

    async def listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in self.socket:
                assert isinstance(frame, str)
                async with self._changed:
                    self.frames.append(frame)
                    if (text := self.dialect.text_of(frame)) is not None:
                        self.texts.append(text)
                    self._ready = self._ready or self.dialect.ready is None or self.dialect.ready(frame)
                    self._changed.notify_all()
        async with self._changed:
            self.closed = True
            self._changed.notify_all()

    async def until(self, good: Callable[[DialectClient], bool]) -> None:
        async with asyncio.timeout(TIMEOUT), self._changed:
            await self._changed.wait_for(lambda: good(self))

    async def receives(self, *texts: str) -> None:
        await self.until(lambda client: set(texts) <= set(client.texts))

    async def drain(self) -> None:
        """Wait until everything that the server has written so far is in `texts`; the socket may be closed."""
        for _ in range(2):  # at the second pong, all frames before the first one are in `texts`
            if not self.closed:
                with contextlib.suppress(ConnectionClosed):
                    await asyncio.wait_for(await self.socket.ping(), TIMEOUT)


def _native(frame: str) -> str | None:
    message = json.loads(frame).get("message")
    return message["text"] if message and message["kind"] == "text" else None


def _native_greeting(person: Person, room_id: int) -> list[str]:
    rooms = {str(LOBBY): 0} if room_id == LOBBY else {}
    return [json.dumps({"id": 0, "hello": {"token": person.token, "rooms": rooms}})]


def _native_say(room_id: int, text: str, number: int) -> str:
    return json.dumps({"id": number, "send": {"room_id": room_id, "text": text}})


def _rooms_text(frame: str) -> str | None:
    line = json.loads(frame)
    return None if line["username"] in ("system", "error") else line["text"]


def _messenger_text(frame: str) -> str | None:
    line = json.loads(frame)
    return line["text"] if line["type"] == "message" and line["sender_id"] != SYSTEM else None


def _channels_text(frame: str) -> str | None:
    return frame.partition(": ")[2] or None


def _socketio_text(frame: str) -> str | None:
    return json.loads(frame[2:])[1]["text"] if frame.startswith('42["message"') else None


NATIVE = Dialect(
    "native", lambda *_: "/v1/socket", _native_greeting, lambda frame: "caught_up" in frame, _native_say, _native
)
DISPATCH = Dialect(
    "dispatch",
    lambda *_: "/connect",
    lambda person, _: [person.token],
    None,
    lambda _, text, __: text,
    lambda frame: json.loads(frame)["body"],
)
CHANNELS = Dialect(
    "channels",
    lambda person, _: f"/pub_ws/{quote(person.name)}?token={person.token}",
    lambda *_: [],
    lambda frame: frame.startswith("Приветствую"),
    lambda _, text, __: text,
    _channels_text,
)
SOCKETIO = Dialect(
    "socketio",
    lambda *_: "/socket.io/?EIO=4&transport=websocket",
    lambda person, _: [f'40{{"token":"{person.token}"}}'],
    lambda frame: frame.startswith("40"),
    lambda _, text, __: "42" + json.dumps(["message", {"id": str(uuid4()), "text": text}]),
    _socketio_text,
)
ROOMS = Dialect(
    "rooms",
    lambda person, _: f"/ws?token={person.token}",
    lambda _, room_id: [json.dumps({"type": "join", "content": str(room_id)})],
    lambda frame: "joined the room" in frame,
    lambda _, text, __: json.dumps({"type": "message", "content": text}),
    _rooms_text,
)
MESSENGER = Dialect(
    "messenger",
    lambda person, room_id: f"/ws/{room_id}?token={person.token}",
    lambda *_: [],
    None,
    lambda _, text, __: json.dumps({"type": "message", "text": text}),
    _messenger_text,
)
IN_LOBBY = (NATIVE, DISPATCH, ROOMS, SOCKETIO, CHANNELS, MESSENGER)
IN_ROOMS = (NATIVE, ROOMS, MESSENGER)


@contextlib.asynccontextmanager
async def opened(port: int, dialect: Dialect, person: Person, room_id: int) -> AsyncIterator[DialectClient]:
    """Open a socket; it yields once the socket receives the messages of the room."""
    async with connect(f"ws://127.0.0.1:{port}{dialect.path(person, room_id)}", ping_interval=None) as socket:
        client = DialectClient(dialect, room_id, socket)
        listening = asyncio.create_task(client.listen())
        try:
            for frame in dialect.greet(person, room_id):
                await socket.send(frame)
            if dialect.ready is not None:
                await client.until(lambda client: client._ready)
            yield client
        finally:
            listening.cancel()


@dataclass
class PollingClient:
    """A Socket.IO client that uses only polling, with the texts received so far."""

    http: httpx.AsyncClient
    sid: str
    texts: list[str] = field(default_factory=list)

    async def post(self, packet: str) -> None:
        (await self.http.post("/socket.io/", params=POLLING | {"sid": self.sid}, content=packet)).raise_for_status()

    async def packets(self) -> list[str]:
        answer = await self.http.get("/socket.io/", params=POLLING | {"sid": self.sid})
        return answer.raise_for_status().text.split("\x1e")

    async def receives(self, text: str) -> None:
        async with asyncio.timeout(TIMEOUT):
            while text not in self.texts:
                self.texts += filter(None, map(_socketio_text, await self.packets()))


POLLING = {"EIO": "4", "transport": "polling"}


@contextlib.asynccontextmanager
async def polling(port: int, person: Person) -> AsyncIterator[PollingClient]:
    """Enter the lobby by polling; it yields once the next poll returns the messages of the lobby."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT, trust_env=False) as http:
        opening = await http.get("/socket.io/", params=POLLING)
        poll = PollingClient(http, json.loads(opening.raise_for_status().text[1:])["sid"])
        await poll.post(f'40{{"token":"{person.token}"}}')
        assert (await poll.packets())[0].startswith("40")
        yield poll
