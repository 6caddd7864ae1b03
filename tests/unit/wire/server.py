"""A uvicorn server in a thread. Its handler echoes messages and records its callbacks."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn
from uvicorn.config import Config

from veche.wire.frames import binary_frame, ping_frame, text_frame
from veche.wire.handler import STREAMED, WIRE, Accept, Accepted, Wire
from veche.wire.handshake import Upgrade, UpgradeRefused
from veche.wire.heartbeat import Heartbeats
from veche.wire.http import BoundedHttp
from veche.wire.websocket import DELIVER_SECONDS, WebSocket

from .client import Address, Client, request

FLOOD = 64

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_Result = TypeVar("_Result")
Calls = SimpleQueue[tuple[str, Any]]


class Echo:
    """Echoes messages, runs a few commands (the `do_` methods), and puts each callback into a queue."""

    def __init__(self, calls: Calls, heartbeat: bytes | None) -> None:
        self.calls = calls
        self.heartbeat = heartbeat

    def opened(self, socket: WebSocket) -> None:
        self.socket = socket
        assert socket.upgrade is not None
        self.calls.put(("opened", socket.upgrade))

    def text(self, text: str) -> None:
        self.calls.put(("text", text))
        word, _, argument = text.partition(" ")
        command = getattr(self, f"do_{word}", None)
        if command is None:
            self.socket.send(text.encode())
        else:
            command(argument)

    def do_close(self, code: str) -> None:
        self.socket.close(int(code) if code else None, "as requested" if code else "")
        self.socket.close(4999, "a second close")
        self.socket.send(b"after the close")

    def do_abort(self, _: str) -> None:
        write = self.socket.write
        self.socket.abort()
        write(text_frame(b"after the abort"))
        self.calls.put(("aborted", None))

    def do_fail(self, _: str) -> None:
        raise RuntimeError("a bug in a dialect")

    def do_flood(self, _: str) -> None:
        for _ in range(FLOOD):
            self.socket.write(binary_frame(b"x" * 65_536))

    def do_pause(self, _: str) -> None:
        self.socket.pause_reading()

    def do_blink(self, _: str) -> None:
        """Pause reading and resume it at once, and take long enough that the rest waits for the next slice."""
        self.socket.pause_reading()
        self.socket.resume_reading()
        time.sleep(DELIVER_SECONDS)

    def binary(self, data: bytes) -> None:
        self.socket.write(binary_frame(data))

    def paused(self) -> None:
        self.calls.put(("paused", None))

    def resumed(self) -> None:
        self.calls.put(("resumed", None))

    def draining(self) -> None:
        self.socket.close(1012, "restart")

    def closed(self) -> None:
        self.calls.put(("closed", None))

    def unanswered(self) -> None:
        self.socket.close(4103, "no_pong")

    def crowded_out(self) -> None:
        self.calls.put(("crowded_out", None))
        self.socket.close(4100, "crowded")

    def stalled(self) -> None:
        self.calls.put(("stalled", None))
        self.socket.close(4101, "slow")


def unix_listener(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener


class Server:
    """Use it as `with Server(...) as server:`. The keywords are `heartbeats` and the settings of `Wire`."""

    def __init__(self, *, heartbeats: Heartbeats | None = None, uds: str | None = None, **settings: Any) -> None:
        self.calls: Calls = SimpleQueue()
        self.heartbeats = heartbeats or Heartbeats()
        self.heartbeat = None if heartbeats is None else ping_frame(b"beat")
        self.wire = Wire(self.routes, self.heartbeats, **settings)
        self.gate = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop
        self.started = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0)) if uds is None else unix_listener(uds)
        self.address: Address = self.listener.getsockname()
        config = Config(self.app, ws=WebSocket, loop="uvloop", http=BoundedHttp, interface="asgi3", log_config=None)
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.uvicorn.run, args=([self.listener],), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        assert self.started.wait(5)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.uvicorn.should_exit = True
        self.thread.join(10)
        assert not self.thread.is_alive(), "the server did not stop"

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(5)

    def client(self, path: str = "/echo", **headers: str | None) -> Client:
        """Connect a client whose upgrade is accepted."""
        client = Client(self.address)
        client.send(request(path, "GET", **headers))
        assert client.head()[0] == 101
        assert self.next_call() == "opened"
        return client

    def next_call(self) -> str:
        """Wait for the next callback of any handler. Returns its name."""
        return self.calls.get(timeout=5)[0]

    def routes(self, upgrade: Upgrade) -> Accept:
        known = {
            "/echo": self.accept,
            "/small": self.accept_small,
            "/chosen": self.accept_chosen,
            "/gate": self.accept_later,
            "/refused": self.refuse,
            "/bug": self.fail,
            "/wrong": self.accept_unoffered,
        }
        if upgrade.path not in known:
            raise UpgradeRefused(404, b"no such path")
        return known[upgrade.path]

    async def accept(self, upgrade: Upgrade) -> Accepted:
        return Accepted(Echo(self.calls, self.heartbeat))

    async def accept_small(self, upgrade: Upgrade) -> Accepted:
        return Accepted(Echo(self.calls, None), max_message=16)

    async def accept_chosen(self, upgrade: Upgrade) -> Accepted:
        return Accepted(Echo(self.calls, None), subprotocol=upgrade.subprotocols[0])

    async def accept_unoffered(self, upgrade: Upgrade) -> Accepted:
        return Accepted(Echo(self.calls, None), subprotocol="unoffered")

    async def accept_later(self, upgrade: Upgrade) -> Accepted:
        self.calls.put(("deciding", None))
        await self.gate.wait()
        return await self.accept(upgrade)

    async def refuse(self, upgrade: Upgrade) -> Accepted:
        raise UpgradeRefused(401, b'{"detail":"Who are you?"}', (("WWW-Authenticate", "Bearer"),))

    async def fail(self, upgrade: Upgrade) -> Accepted:
        raise RuntimeError("a bug in a dialect")

    async def app(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        if scope["path"] == "/wait":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.calls.put(("disconnected", None))
        if scope["path"] == "/streamed":
            scope["extensions"][STREAMED](5.0)
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                self.calls.put(("body", message.get("body")))
        if scope["path"] == "/slow":
            await self.gate.wait()
        body = b"x" * 5_000_000 if scope["path"] == "/large" else b"ok"
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def lifespan(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        await receive()
        self.loop = asyncio.get_running_loop()
        self.heartbeats.start()
        scope["state"][WIRE] = self.wire
        await send({"type": "lifespan.startup.complete"})
        self.started.set()
        await receive()
        self.heartbeats.stop()
        await send({"type": "lifespan.shutdown.complete"})
