"""The bytes held for all connections together are bounded, whatever holds them. Those with the most have to go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest

from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.server import Server as EngineServer
from veche.wire.frames import TEXT
from veche.wire.held import HeldBytes

from .client import Client, frame, request, text
from .server import Server

AT_MOST = 1_000_000
CROWD = 20
PIECE = 100_000  # bytes that each of the crowd has the server hold, at least
MESSAGES = b"".join(text("x" * 10_000) for _ in range(PIECE // 10_000))

# What a client does so that the server holds PIECE bytes for it: on an open WebSocket, or on a new connection.
HOLDING: dict[str, bytes] = {
    "frames that wait, as the handler has paused reading": request() + text("pause") + MESSAGES,
    "a message that is not complete": request() + frame(TEXT, b"x" * 60_000, final=False),
    "frames that wait for the decision about the upgrade": request("/gate") + MESSAGES,
    "answers that are not read": request() + text("flood"),
    "a body that nobody reads": b"POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 500000\r\n\r\n" + b"x" * 60_000,
    "a body that the application is reading": b"POST /wait HTTP/1.1\r\nHost: test\r\nContent-Length: 500000\r\n\r\n"
    + b"x" * 60_000,
    "a body with another request after it": b"POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 60000\r\n\r\n"
    + b"x" * 60_000
    + b"GET / HTTP/1.1\r\nHost: test\r\n\r\n",
    "an answer of HTTP that is not read": b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n",
}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(accept_timeout=30.0) as server:
        held = HeldBytes([server.wire.connections], AT_MOST)
        server.run(on_loop(held.start))
        yield server
        server.loop.call_soon_threadsafe(server.gate.set)
        server.run(on_loop(held.stop))


async def on_loop(call: Callable[[], None]) -> None:
    call()


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # nothing tells when the sum of many connections changes
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("holding", HOLDING)
def test_the_bytes_held_for_all_are_bounded(server: Server, holding: str) -> None:
    with contextlib.ExitStack() as stack:
        honest = stack.enter_context(server.client())
        crowd = [stack.enter_context(Client(server.address)) for _ in range(CROWD)]
        for client in crowd:
            client.send(HOLDING[holding])
        connections = server.wire.connections
        server.run(wait_for(lambda: sum(one.held() for one in connections) > AT_MOST))
        server.run(wait_for(lambda: sum(one.held() for one in connections) <= AT_MOST))
        if "not read" not in holding:  # more is held for one of these than for all others
            assert sum(one.held() for one in connections) > AT_MOST - 3 * PIECE, "no more had to go than necessary"
        honest.send(text("still here"))
        assert honest.frame() == (TEXT, b"still here")


def test_below_the_bound_nobody_has_to_go_and_nothing_is_lost(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        few = [stack.enter_context(server.client()) for _ in range(5)]
        for client in few:
            client.send(text("pause") + MESSAGES)
        server.run(wait_for(lambda: all(one.held() for one in server.wire.connections)))
        server.run(asyncio.sleep(2.1))  # at least one count
        for connection in list(server.wire.connections):
            server.loop.call_soon_threadsafe(connection.resume_reading)  # type: ignore[attr-defined]
        for client in few:
            for _ in range(PIECE // 10_000):
                assert client.frame() == (TEXT, b"x" * 10_000)


class Application:
    def __init__(self, connection: EngineConnection) -> None:
        self.connection = connection

    def closed(self, reason: str) -> None:
        self.reason = reason


def test_nothing_is_held_of_a_request_that_is_answered(server: Server) -> None:
    with Client(server.address) as client:
        post = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
        client.send(post + post)
        for _ in range(2):
            assert client.head()[0] == 200
            assert client.body(2) == b"ok"
        server.run(wait_for(lambda: [one.held() for one in server.wire.connections] == [0]))


async def test_what_waits_for_polls_is_bounded() -> None:
    applications: list[Application] = []

    def new(connection: EngineConnection) -> Application:
        applications.append(Application(connection))
        return applications[-1]

    engine = EngineServer(new)  # type: ignore[arg-type]
    held = HeldBytes([engine], AT_MOST)
    for number in range(CROWD):
        connection, _ = engine.open("192.0.2.1")
        engine.start(connection)
        connection.send(b"4" + b"x" * (PIECE + number))
    held.start()
    await wait_for(lambda: sum(one.held() for one in engine) <= AT_MOST)
    held.stop()
    assert len(engine) == AT_MOST // (PIECE + CROWD)
    largest_first = [hasattr(application, "reason") for application in applications]
    assert largest_first == sorted(largest_first), "those for which most is held had to go"
    engine.drain()
