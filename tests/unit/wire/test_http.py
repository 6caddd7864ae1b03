"""Limits of HTTP requests: their time and the size of their head."""

from __future__ import annotations

import contextlib
import queue
import socket
import time
from collections.abc import Callable

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tests.collecting import living, without_collector
from veche.wire.frames import TEXT
from veche.wire.http import MAX_PIPELINED, BoundedHttp
from veche.wire.reader import FrameReader
from veche.wire.websocket import WebSocket

from .client import text
from .server import Server

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
PATIENCE = 30.0


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def responses_to(server: Server, *pieces: bytes) -> bytes:
    """Send the pieces and read until the server closes. It may close before all pieces are sent."""
    with socket.create_connection(server.address, PATIENCE) as peer:
        answer = b""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                peer.sendall(piece)
            while data := peer.recv(65_536):
                answer += data
        return answer


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (b"G",),
        (HEAD,),
        (HEAD, b"X: y"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (HEAD + b"\r\n", HEAD),
    ],
    ids=["silence", "a letter", "half a head", "half a header", "half a body", "half the chunks", "half the second"],
)
def test_an_incomplete_request_times_out(pieces: tuple[bytes, ...]) -> None:
    with Server(request_timeout=0.3) as server:
        began = time.monotonic()
        answer = responses_to(server, *pieces)
        assert 0.2 < time.monotonic() - began < PATIENCE
        assert answer.count(b"HTTP/1.1") <= 1


def test_a_body_that_is_not_kept_has_more_time_and_is_not_counted_as_held() -> None:
    """The request may take longer than others: the time of these is over when the last bytes are sent."""
    with Server(request_timeout=0.3) as server, socket.create_connection(server.address, PATIENCE) as peer:
        size = 3_000_000
        peer.sendall(b"POST /streamed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (size + 1))
        peer.sendall(b"x" * size)
        taken = 0
        while taken < size:
            taken += len(server.calls.get(timeout=PATIENCE)[1])
        [connection] = server.wire.connections
        assert connection.held() < 1_000_000
        with pytest.raises(queue.Empty):  # longer than any other request may take
            server.calls.get(timeout=0.4)
        peer.sendall(b"y")
        assert peer.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD, *[b"X: " + b"x" * 1000 + b"\r\n"] * 2_000),
        (HEAD, b"X: ", *[b"x" * 1000] * 2_000),
        (b"GET /", *[b"x" * 1000] * 2_000),
        (CHUNKED, b"1\r\nx\r\n0\r\n", *[b"X: " + b"x" * 1000 + b"\r\n"] * 2_000),
        (CHUNKED, *[b"1\r\nx\r\n" * 1000] * 2_000),
    ],
    ids=["headers", "a header", "a path", "trailers", "chunks of a byte"],
)
def test_a_large_head_is_refused(pieces: tuple[bytes, ...]) -> None:
    with Server() as server:
        assert responses_to(server, *pieces)[:13] in (b"", b"HTTP/1.1 431 ", b"HTTP/1.1 200 ")
        assert responses_to(server, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_long_head_and_a_long_body_are_accepted() -> None:
    with Server() as server:
        long_head = HEAD + b"X: " + b"x" * 60_000 + b"\r\n\r\n"
        long_body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
        last = HEAD + b"Connection: close\r\n\r\n"
        assert responses_to(server, long_head, long_body, long_head, last).count(b"HTTP/1.1 200") == 4


def test_an_upgraded_connection_has_no_request_timeout() -> None:
    with Server(request_timeout=0.3) as server, server.client() as client:
        began = time.monotonic()
        while time.monotonic() - began < 0.6:
            client.send(text("still here"))
            assert client.frame() == (TEXT, b"still here")


def test_an_upgrade_frees_what_read_the_request_without_the_garbage_collector() -> None:
    with Server() as server, without_collector(), server.client() as client:
        client.send(text("upgraded"))
        assert client.frame() == (TEXT, b"upgraded")
        assert not living(BoundedHttp)


def test_a_websocket_that_ends_is_freed_without_the_garbage_collector() -> None:
    with Server() as server, without_collector():
        with server.client() as client:
            client.send(text("upgraded"))
            assert client.frame() == (TEXT, b"upgraded")
        until(lambda: not living(WebSocket, FrameReader))


@pytest.mark.parametrize("requests", [1, 5, 200])
def test_a_connection_that_ends_is_freed_without_the_garbage_collector(requests: int) -> None:
    """Otherwise 10,000 connections leave a million objects for one collection, during which everybody waits."""
    with Server() as server:
        responses_to(server, HEAD + b"Connection: close\r\n\r\n")  # what a first request makes once
        with without_collector():
            with socket.create_connection(server.address, PATIENCE) as peer:
                peer.sendall((HEAD + b"\r\n") * requests)
                peer.recv(1)
            until(lambda: not living(BoundedHttp, RequestResponseCycle))


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n",
        b"GET / HTTP/0.9\r\nHost: a\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n",
        b"GET /\r\n",
        b"GET /echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
    ids=["no Host", "two Hosts", "two Hosts of 1.0", "0.9", "2.0", "no version", "an upgrade without Host"],
)
def test_a_request_that_does_not_name_one_host_is_refused(head: bytes) -> None:
    with Server() as server:
        assert responses_to(server, head + b"\r\n").startswith(b"HTTP/1.1 400")


def test_http_1_0_needs_no_host() -> None:
    with Server() as server:
        assert responses_to(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "pieces",
    [(b"",), (b"G",), (HEAD, b"X: y"), (HEAD + b"\r\n", HEAD)],
    ids=["silence", "a letter", "half a head", "half the second head"],
)
def test_a_head_has_less_time_than_a_body(pieces: tuple[bytes, ...]) -> None:
    with Server(head_timeout=0.3, request_timeout=60) as server:
        began = time.monotonic()
        responses_to(server, *pieces)
        assert 0.2 < time.monotonic() - began < PATIENCE


def test_a_head_that_comes_byte_by_byte_times_out() -> None:
    with Server(head_timeout=0.3) as server, socket.create_connection(server.address, PATIENCE) as peer:
        began = time.monotonic()
        peer.sendall(HEAD + b"X: ")
        peer.settimeout(0.02)
        while not has_closed(peer):
            with contextlib.suppress(ConnectionError):
                peer.sendall(b"x")
        assert 0.2 < time.monotonic() - began < PATIENCE


def has_closed(peer: socket.socket) -> bool:
    """Wait a moment, and return whether the server has closed the connection."""
    try:
        return peer.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_requests_that_wait_for_an_answer_are_bounded() -> None:
    with Server() as server:
        one = HEAD + b"\r\n"
        last = HEAD + b"Connection: close\r\n\r\n"
        assert responses_to(server, one * (MAX_PIPELINED - 1) + last).count(b"HTTP/1.1 200") == MAX_PIPELINED
        assert b"HTTP/1.1 400" in responses_to(server, one * 5 * MAX_PIPELINED)


def test_a_request_learns_that_its_client_is_gone_also_if_others_wait_behind_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Server() as server:
        with socket.create_connection(server.address, PATIENCE) as peer:
            peer.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + 2 * (HEAD + b"\r\n"))
        assert server.next_call() == "disconnected"
        assert responses_to(server, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert not caplog.records


BROKEN = {
    "no request": b"\0\1\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "a length that is none": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    "a chunk size that is none": CHUNKED + b"zz\r\n",
    "a second chunk that is none": CHUNKED + b"1\r\nx\r\nzz\r\n",
    "two Hosts": HEAD + HEAD + b"\r\n",
}


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_http_gets_no_answer_in_the_place_of_another(
    caplog: pytest.LogCaptureFixture, kind: str, before: int
) -> None:
    """The requests before it are answered first. If one of them is broken itself, the connection may be closed."""
    with Server() as server:
        answers = responses_to(server, (HEAD + b"\r\n") * before + BROKEN[kind])
        assert responses_to(server, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
    statuses = [answer[:3] for answer in answers.split(b"HTTP/1.1 ")[1:]]
    expected = [b"200"] * before + [b"400"]
    assert statuses == (expected if "chunk" not in kind or before == 0 else expected[: len(statuses)])
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
