"""An echo server on the WebSocket class, for suites that test the protocol and nothing above it."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from veche.wire.frames import binary_frame, text_frame
from veche.wire.handler import WIRE, Accept, Accepted, Wire
from veche.wire.handshake import Upgrade
from veche.wire.heartbeat import Heartbeats
from veche.wire.websocket import WebSocket

MAX_MESSAGE = 16 * 1024 * 1024

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class Echo:
    heartbeat: bytes | None = None

    def opened(self, socket: WebSocket) -> None:
        self.socket = socket

    def text(self, text: str) -> None:
        self.socket.write(text_frame(text.encode()))

    def binary(self, data: bytes) -> None:
        self.socket.write(binary_frame(data))

    def paused(self) -> None:
        self.socket.pause_reading()

    def resumed(self) -> None:
        self.socket.resume_reading()

    def draining(self) -> None:
        self.socket.close(1012)

    def closed(self) -> None:
        del self.socket

    def unanswered(self) -> None:
        self.socket.close(1001)

    def crowded_out(self) -> None:
        self.socket.close(1013)

    def stalled(self) -> None:
        self.socket.close(1001)


async def _accept(upgrade: Upgrade) -> Accepted:
    return Accepted(Echo(), max_message=MAX_MESSAGE)


def _routes(upgrade: Upgrade) -> Accept:
    return _accept


async def app(scope: _Message, receive: _Receive, send: _Send) -> None:
    """Put the wire into the lifespan state, as Veche's app does; HTTP requests get no answer."""
    assert scope["type"] == "lifespan"
    await receive()
    heartbeats = Heartbeats()
    heartbeats.start()
    scope["state"][WIRE] = Wire(_routes, heartbeats)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    heartbeats.stop()
    await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    port: int = arguments.parse_args().port
    uvicorn.run(app, port=port, ws=WebSocket, loop="uvloop", http="httptools", lifespan="on", log_level="warning")


if __name__ == "__main__":
    main()
