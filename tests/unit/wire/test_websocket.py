"""Whole WebSocket connections to a uvicorn server, over real sockets, also with invalid frames."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from veche.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from veche.wire.heartbeat import Heartbeats
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted

from .client import Client, close, frame, request, text
from .server import FLOOD, Server


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server(accept_timeout=0.2, trusted=Trusted.parse("127.0.0.1")) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The server that most tests share, without connections or recorded calls of an earlier test."""
    running.run(no_connections(running))
    while not running.calls.empty():
        running.calls.get()
    return running


async def no_connections(server: Server) -> None:
    while server.uvicorn.server_state.connections:  # noqa: ASYNC110  # uvicorn's set has no event to wait for
        await asyncio.sleep(0.001)


# Messages.


def test_echo(server: Server) -> None:
    with server.client() as client:
        client.send(text("hello"), frame(BINARY, b"\xff"), text("x" * 65_536))
        assert client.frame() == (TEXT, b"hello")
        assert client.frame() == (BINARY, b"\xff")
        assert client.frame() == (TEXT, b"x" * 65_536)


def test_the_websockets_library(server: Server) -> None:
    with connect("ws://test/echo", sock=socket.create_connection(server.listener.getsockname())) as client:
        for message in ("hello", "κόσμε" * 5_000, b"\xff" * 60_000):
            client.send(message)
            assert client.recv() == message
        assert client.ping().wait(5)
        client.send("close 4001")
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert (client.close_code, client.close_reason) == (4001, "as requested")


def test_byte_by_byte(server: Server) -> None:
    with server.client() as client:
        client.send(*(bytes((byte,)) for byte in text("hello") + frame(PING, b"?") + close(1000)))
        assert client.frame() == (TEXT, b"hello")
        assert client.frame() == (PONG, b"?")
        assert client.closed_with(answering=False) == 1000


def test_fragments_with_a_ping_between(server: Server) -> None:
    with server.client() as client:
        client.send(frame(TEXT, b"he", final=False), frame(PING, b"?"), frame(CONTINUATION, b"llo"))
        assert client.frame() == (PONG, b"?")
        assert client.frame() == (TEXT, b"hello")


def test_a_message_before_the_101_is_read_after_it(server: Server) -> None:
    with Client(server.address) as client:
        client.send(request("/gate"))
        assert server.next_call() == "deciding"
        client.send(text("early"))
        server.loop.call_soon_threadsafe(server.gate.set)
        assert client.head()[0] == 101
        assert client.frame() == (TEXT, b"early")
    server.loop.call_soon_threadsafe(server.gate.clear)


def test_an_idle_connection_has_no_task(server: Server) -> None:
    async def tasks() -> int:
        return len(asyncio.all_tasks())

    before = server.run(tasks())
    with server.client(), server.client(), server.client():
        assert server.run(tasks()) == before


# The closing handshake.


@pytest.mark.parametrize("code", [None, 1000, 1001, 3000, 4999])
def test_the_clients_close_is_echoed(server: Server, code: int | None) -> None:
    with server.client() as client:
        client.send(close(code))
        assert client.closed_with(answering=False) == code
        assert server.next_call() == "closed"


@pytest.mark.parametrize("code", [None, 1000, 4001])
def test_our_close_waits_for_the_clients_close(server: Server, code: int | None) -> None:
    with server.client() as client:
        client.send(text(f"close {code or ''}".strip()) + text("too late"))
        opcode, payload = client.frame()
        assert opcode == CLOSE
        assert payload == (b"" if code is None else code.to_bytes(2, "big") + b"as requested")
        client.send(close(code))
        assert client.body(1) == b""
        assert [server.next_call(), server.next_call()] == ["text", "closed"]


def test_our_close_times_out(server: Server) -> None:
    with server.client() as client:
        client.send(text("close 4001"))
        assert client.closed_with(answering=False) == 4001
        assert [server.next_call(), server.next_call()] == ["text", "closed"]


def test_a_client_that_disconnects(server: Server) -> None:
    with server.client():
        pass
    assert server.next_call() == "closed"


def test_a_client_that_resets_the_connection(server: Server) -> None:
    with server.client() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert server.next_call() == "closed"


def test_abort(server: Server) -> None:
    with server.client() as client:
        client.send(text("abort"))
        assert client.body(1) == b""
        assert [server.next_call(), server.next_call(), server.next_call()] == ["text", "aborted", "closed"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"hello", mask=None), 1002),
        (frame(TEXT, b"hello", rsv=4), 1002),
        (frame(3), 1002),
        (frame(PING, final=False), 1002),
        (frame(CONTINUATION), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"x" * 65_537), 1009),
        (frame(TEXT, b"x" * 65_000, final=False) + frame(CONTINUATION, b"x" * 1_000), 1009),
        (close(1005), 1002),
    ],
)
def test_a_protocol_error_closes_with_its_code(server: Server, data: bytes, code: int) -> None:
    with server.client() as client:
        client.send(data + text("late"))
        assert client.closed_with() == code
        assert server.next_call() == "closed"


def test_the_close_code_arrives_although_input_is_unread(server: Server) -> None:
    """Without the delayed close, the kernel answers the remaining input with a reset, and 1009 is lost."""
    flood = frame(BINARY, b"x" * 65_537) * 16
    with server.client() as client:
        client.send(flood)
        assert client.closed_with() == 1009


def test_many_messages_of_one_read_are_delivered_in_order_and_in_slices(server: Server) -> None:
    """Other clients have their turn between the slices."""
    texts = [f"{number}" for number in range(20_000)]
    with server.client() as client, server.client() as other:
        sending = threading.Thread(target=client.send, args=(b"".join(map(text, texts)) + close(1000),))
        sending.start()
        other.send(text("between"))
        assert other.frame() == (TEXT, b"between")
        for one in texts:
            assert client.frame() == (TEXT, one.encode())
        assert client.closed_with(answering=False) == 1000, "the close frame is the last of many"
        sending.join()


def test_messages_of_one_read_wait_while_the_handler_has_paused_reading(server: Server) -> None:
    texts = [f"{number}" for number in range(100)]
    with server.client() as client, server.client() as other:
        client.send(b"".join(map(text, ["pause", *texts])))
        while not (paused := [one for one in server.uvicorn.server_state.connections if one.reading_paused]):
            time.sleep(0.001)
        for _ in range(3):
            other.send(text("meanwhile"))
            assert other.frame() == (TEXT, b"meanwhile")
        calls = [server.calls.get() for _ in range(server.calls.qsize())]
        assert ("text", "pause") in calls
        assert ("text", "0") not in calls
        server.loop.call_soon_threadsafe(paused[0].resume_reading)
        for one in texts:
            assert client.frame() == (TEXT, one.encode())
        client.send(text("and on"))
        assert client.frame() == (TEXT, b"and on")


def test_messages_keep_their_order_if_the_handler_pauses_reading_and_resumes_it_at_once(server: Server) -> None:
    """Then the rest of a slice is left although the socket was read on: what comes now must not come before it."""
    texts = [f"{number}" if number % 3 else f"blink {number}" for number in range(1_000)]
    with server.client() as client:
        client.send(*(b"".join(map(text, texts[start : start + 50])) for start in range(0, 1_000, 50)), close(1000))
        assert client.closed_with(answering=False) == 1000
    found = [server.calls.get() for _ in range(server.calls.qsize())]
    assert [argument for name, argument in found if name == "text"] == texts


def test_the_message_limit_of_the_handler(server: Server) -> None:
    with server.client("/small") as client:
        client.send(text("x" * 16), text("x" * 17))
        assert client.frame() == (TEXT, b"x" * 16)
        assert client.closed_with() == 1009


def test_an_exception_in_a_handler_is_logged_once_and_ends_only_its_connection(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), server.client("/echo?token=SECRET") as other:
        with server.client("/echo?token=SECRET") as client:
            client.send(text("fail"))
            assert client.closed_with() == 1011
        other.send(text("still here"))
        assert other.frame() == (TEXT, b"still here")
    assert [record.exc_info is not None for record in caplog.records if record.levelno >= logging.ERROR] == [True]
    assert "SECRET" not in caplog.text


# The upgrade.


def refusal(server: Server, path: str = "/echo", method: str = "GET", **headers: str | None) -> tuple[int, bytes]:
    """Read the status and the body of a refusal, and check that the connection is closed."""
    with Client(server.address) as client:
        client.send(request(path, method, **headers))
        status, received = client.head()
        assert received["connection"] == "close"
        body = client.body(int(received["content-length"]))
        assert client.body(1) == b""
        return status, body


def test_refused_upgrades(server: Server) -> None:
    assert refusal(server, "/nowhere") == (404, b"no such path")
    assert refusal(server, "/refused") == (401, b'{"detail":"Who are you?"}')
    assert refusal(server, sec_websocket_version="8") == (426, b"")
    assert refusal(server, sec_websocket_key="short") == (400, b"")
    assert refusal(server, method="POST", content_length="0") == (405, b"")


def test_the_accept_timeout(server: Server) -> None:
    assert refusal(server, "/gate") == (503, b"")


@pytest.mark.parametrize("path", ["/bug?token=SECRET", "/wrong?token=SECRET"])
def test_an_exception_before_the_upgrade_is_logged_once(
    server: Server, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert refusal(server, path) == (500, b"")
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert "SECRET" not in caplog.text


def test_a_client_that_disconnects_before_the_101_is_never_opened(server: Server) -> None:
    with Client(server.address) as client:
        client.send(request("/gate"))
        assert server.next_call() == "deciding"
    server.run(no_connections(server))
    assert server.calls.empty()


def test_subprotocol(server: Server) -> None:
    with Client(server.address) as client:
        client.send(request("/chosen", sec_websocket_protocol="veche.v1, bearer.TOKEN"))
        status, headers = client.head()
        assert (status, headers["sec-websocket-protocol"]) == (101, "veche.v1")
    with Client(server.address) as client:
        client.send(request("/echo", sec_websocket_protocol="veche.v1"))
        assert "sec-websocket-protocol" not in client.head()[1]


def test_the_upgrade_that_a_handler_gets(server: Server) -> None:
    with Client(server.address) as client:
        client.send(request("/echo?a=1", x_forwarded_for="192.0.2.1, 198.51.100.7", user_agent="test"))
        assert client.head()[0] == 101
        _, upgrade = server.calls.get(timeout=5)
        assert (upgrade.path, upgrade.query, upgrade.client) == ("/echo", {"a": "1"}, "198.51.100.7")
        assert upgrade.headers["user-agent"] == "test"


def test_http_and_then_an_upgrade_on_the_same_connection(server: Server) -> None:
    with Client(server.address) as client:
        client.send(b"GET /hello HTTP/1.1\r\nHost: test\r\n\r\n")
        assert client.head()[0] == 200
        assert client.body(2) == b"ok"
        client.send(request())
        assert client.head()[0] == 101
        client.send(text("hello"))
        assert client.frame() == (TEXT, b"hello")


def test_frames_in_one_write_with_the_request_wait_for_the_decision() -> None:
    with Server() as server, Client(server.address) as client:
        client.send(request("/gate") + text("first") + text("second")[:3])
        assert server.next_call() == "deciding"
        client.send(text("second")[3:])
        server.loop.call_soon_threadsafe(server.gate.set)
        assert client.head()[0] == 101
        assert [client.frame(), client.frame()] == [(TEXT, b"first"), (TEXT, b"second")]


def test_frames_in_one_write_with_the_request_end_with_a_close(server: Server) -> None:
    with Client(server.address) as client:
        client.send(request() + text("close 4001") + text("late"))
        assert client.head()[0] == 101
        assert client.closed_with() == 4001


@pytest.mark.parametrize("path", ["/refused", "/gate", "/nowhere"])
def test_frames_in_one_write_with_a_request_that_is_refused_are_dropped(
    server: Server, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(server.address) as client:
        client.send(request(path) + request("/echo") + text("x" * 1000) * 20)
        assert client.head()[0] == {"/refused": 401, "/gate": 503, "/nowhere": 404}[path]
    server.run(no_connections(server))
    assert "opened" not in [server.calls.get()[0] for _ in range(server.calls.qsize())]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_origins() -> None:
    with Server(origins=Origins.of(["https://chat.example"])) as server:
        assert refusal(server, origin="https://evil.example") == (403, b"")
        assert refusal(server, origin="null") == (403, b"")
        with server.client(origin="https://chat.example"), server.client(origin=None):
            pass


def test_a_unix_socket(tmp_path: Path) -> None:
    with Server(uds=str(tmp_path / "veche.sock")) as server, server.client() as client:
        client.send(text("hello"))
        assert client.frame() == (TEXT, b"hello")


# Slow readers, heartbeats and shutdown.


def test_a_slow_reader_is_paused_and_resumed(server: Server) -> None:
    with server.client() as client:
        client.send(text("flood"))
        assert [server.next_call(), server.next_call()] == ["text", "paused"]
        assert {client.frame() for _ in range(FLOOD)} == {(BINARY, b"x" * 65_536)}
        assert server.next_call() == "resumed"
        client.send(text("close 1000"))
        assert client.closed_with() == 1000


def test_a_client_that_never_reads_is_closed() -> None:
    with Server(heartbeats=Heartbeats(interval=0.5, timeout=0.4, stall=0.1)) as server, server.client() as client:
        client.send(text("flood"))
        assert [server.next_call() for _ in range(3)] == ["text", "paused", "stalled"]
        assert client.closed_with() == 4101
        assert server.next_call() == "closed"


def test_a_slow_reader_gets_the_close_frame_after_the_close_timeout() -> None:
    """Also if it sends: input that arrives after a full close makes the kernel send a reset instead."""
    heartbeats = Heartbeats(interval=0.5, timeout=0.4, stall=0.1)
    with Server(heartbeats=heartbeats, close_timeout=0.1) as server, server.client() as client:
        client.send(text("flood"))
        assert [server.next_call() for _ in range(3)] == ["text", "paused", "stalled"]
        time.sleep(0.3)  # the close timeout is over
        client.send(text("late"))
        assert client.closed_with() == 4101
        assert server.next_call() == "closed"


def test_a_client_that_answers_the_heartbeat_stays_connected() -> None:
    with Server(heartbeats=Heartbeats(interval=0.25, timeout=0.2)) as server, server.client() as client:
        for _ in range(3):
            assert client.frame() == (PING, b"beat")
            client.send(frame(PONG, b"beat"))
        client.send(close(1000))
        assert client.closed_with(answering=False) == 1000


def test_a_client_that_does_not_answer_the_heartbeat_is_closed() -> None:
    with Server(heartbeats=Heartbeats(interval=0.25, timeout=0.1)) as server, server.client() as client:
        assert client.frame() == (PING, b"beat")
        assert client.closed_with() == 4103
        assert server.next_call() == "closed"


def test_a_client_that_is_not_read_need_not_answer_the_heartbeat() -> None:
    with Server(heartbeats=Heartbeats(interval=0.1, timeout=0.05)) as server, server.client() as client:
        client.send(text("pause"))
        for _ in range(5):
            assert client.frame() == (PING, b"beat")


def test_a_shutdown_closes_all_connections() -> None:
    with Server() as server, server.client() as open_one, Client(server.address) as deciding:
        deciding.send(request("/gate"))
        assert server.next_call() == "deciding"
        server.uvicorn.should_exit = True
        assert deciding.head()[0] == 503
        opcode, payload = open_one.frame()
        assert (opcode, payload) == (CLOSE, (1012).to_bytes(2, "big") + b"restart")
        open_one.send(close(1012))
        assert server.next_call() == "closed"
        server.thread.join(5)
        assert not server.thread.is_alive()


@pytest.mark.parametrize(
    "lines",
    [
        ["Connection: Upgrade", "Connection: keep-alive"],
        ["Connection: keep-alive", "Connection: Upgrade"],
        ["Connection: keep-alive, upgrade"],
        ["Connection: close, TE", "Connection: ,Upgrade ,"],
    ],
)
def test_the_values_of_connection_may_be_spread_over_several_lines(lines: list[str]) -> None:
    head = request(connection=None)[: -len(b"\r\n")] + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
    with Server() as server, Client(server.address) as client:
        client.send(head)
        assert client.head()[0] == 101


def test_a_handler_that_fails_is_detached_before_its_close_frame() -> None:
    """Otherwise it could write after the close frame."""
    with Server() as server, server.client() as client:
        client.send(text("fail"))
        assert server.next_call() == "text"
        assert client.frame() == (CLOSE, (1011).to_bytes(2, "big") + b"internal error")
        assert server.next_call() == "closed", "although the client has not answered the close frame"
