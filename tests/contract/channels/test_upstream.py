"""Proxy mode: an upstream answers instead of the echo, and may fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from messenger.harness import TIMEOUT, LiveServer, closed_with, receive
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from .conftest import Person, Upstream, echo_history


@pytest.fixture
def ann(upstream: Upstream, tmp_path: Path) -> Iterator[Person]:
    with LiveServer(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": upstream.url}) as server:
        person = Person.new(server, "ann")
        yield person
        person.close()
        assert "Traceback" not in server.log


def test_each_client_has_one_upstream_connection_and_the_greeting_is_dropped(ann: Person, upstream: Upstream) -> None:
    one, other = ann.connect("echo_ws"), ann.connect("echo_ws")
    for client, text in ((one, "раз"), (other, "два"), (one, ""), (other, "четыре")):
        client.send(text)
        assert receive(client) == text
    assert len(upstream.connections) == 2
    one.close()
    other.close()
    assert ann.history == echo_history("раз", "", "два", "четыре")


def test_a_silent_client_opens_no_upstream_connection(ann: Person, upstream: Upstream) -> None:
    ann.connect("echo_ws").close()
    assert upstream.connections == []
    assert ann.history == []


def test_one_text_at_a_time(ann: Person, upstream: Upstream) -> None:
    client = ann.connect("echo_ws")
    client.send("wait")
    for number in range(100):
        client.send(f"{number}")
    assert upstream.asked.wait(TIMEOUT)
    other = ann.connect("echo_ws")
    other.send("между тем")
    assert receive(other) == "между тем"
    assert upstream.lines == ["wait", "между тем"]
    upstream.may_answer.set()
    texts = ["wait", *(f"{number}" for number in range(100))]
    assert [receive(client) for _ in texts] == texts
    client.close()
    assert ann.history == echo_history(*texts)


@pytest.mark.parametrize("how", ["die", "drop", "binary", "large"])
def test_an_upstream_that_fails(ann: Person, how: str) -> None:
    client = ann.connect("echo_ws")
    client.send("раз")
    assert receive(client) == "раз"
    client.send(how)
    client.send("не дошло")
    assert closed_with(client) == 1011
    assert ann.history == [*echo_history("раз"), ("client", how)]
    again = ann.connect("echo_ws")
    again.send("и снова")
    assert receive(again) == "и снова"


def test_an_upstream_that_does_not_answer(ann: Person) -> None:
    client = ann.connect("echo_ws", ping_interval=None)
    client.send("silence")
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(2 * TIMEOUT)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert ann.history == [("client", "silence")]


def test_an_upstream_that_closed_between_two_texts_is_connected_again(ann: Person, upstream: Upstream) -> None:
    client = ann.connect("echo_ws")
    client.send("bye")
    assert receive(client) == "bye"
    assert upstream.gone.wait(TIMEOUT)
    client.send("снова")
    assert receive(client) == "снова"
    assert len(upstream.connections) == 2


def test_the_upstream_is_closed_with_its_client(ann: Person, upstream: Upstream) -> None:
    client = ann.connect("echo_ws")
    client.send("wait")
    assert upstream.asked.wait(TIMEOUT)
    client.close()
    upstream.may_answer.set()
    assert upstream.gone.wait(TIMEOUT)
    assert ann.history == [("client", "wait")]


def test_the_server_stops_while_a_text_waits_for_its_answer(upstream: Upstream, tmp_path: Path) -> None:
    with LiveServer(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": upstream.url}) as server:
        ann = Person.new(server, "ann")
        client = ann.connect("echo_ws")
        client.send("wait")
        assert upstream.asked.wait(TIMEOUT)
        server.send_sigterm()
        assert closed_with(client) == 1012
        ann.close()
    assert "Traceback" not in server.log
    assert "was never retrieved" not in server.log


def test_an_upstream_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with LiveServer(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": f"ws://127.0.0.1:{port}"}) as server:
        ann = Person.new(server, "ann")
        client = ann.connect("echo_ws")
        client.send("раз")
        assert closed_with(client) == 1011
        assert ann.history == [("client", "раз")]
        ann.close()


def test_an_upstream_that_does_not_complete_the_handshake(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with LiveServer(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": url}) as server:
            ann = Person.new(server, "ann")
            client = ann.connect("echo_ws")
            client.send("раз")
            assert closed_with(client) == 1011
            assert ann.history == [("client", "раз")]
            ann.close()


def test_an_upstream_without_a_greeting(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"ECHO_PROXY": "true", "ECHO_UPSTREAM": upstream.url, "ECHO_UPSTREAM_GREETS": "false"}
    with LiveServer(tmp_path, settings) as server:
        ann = Person.new(server, "ann")
        client = ann.connect("echo_ws")
        client.send("раз")
        assert receive(client) == "Request served by a test"
        ann.close()


def test_an_upstream_that_redirects_is_not_followed(upstream: Upstream, tmp_path: Path) -> None:
    def redirect(_connection: ServerConnection, _request: Request) -> Response:
        return Response(302, "Found", Headers({"Location": upstream.url}))

    with serve(lambda _: None, "127.0.0.1", 0, process_request=redirect) as redirecting:
        threading.Thread(target=redirecting.serve_forever, daemon=True).start()
        url = f"ws://127.0.0.1:{redirecting.socket.getsockname()[1]}"
        with LiveServer(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": url}) as server:
            ann = Person.new(server, "ann")
            client = ann.connect("echo_ws")
            client.send("secret")
            assert closed_with(client) == 1011
            ann.close()
        redirecting.shutdown()
    assert upstream.connections == []
