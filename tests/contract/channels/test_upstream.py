"""Proxy mode: an upstream answers in the echo's place, and what happens when it does not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from messenger.harness import PATIENCE, Served, closed_with, heard
from websockets.exceptions import ConnectionClosed

from .conftest import Person, Upstream, both


@pytest.fixture
def ann(upstream: Upstream, tmp_path: Path) -> Iterator[Person]:
    with Served(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": upstream.url}) as server:
        person = Person.new(server, "ann")
        yield person
        person.leave()
        assert "Traceback" not in server.log


def test_one_connection_a_client_and_the_greeting_is_no_answer(ann: Person, upstream: Upstream) -> None:
    one, other = ann.connect("echo_ws"), ann.connect("echo_ws")
    for client, text in ((one, "раз"), (other, "два"), (one, ""), (other, "четыре")):
        client.send(text)
        assert heard(client) == text
    assert len(upstream.connections) == 2
    one.close()
    other.close()
    assert ann.history == both("раз", "", "два", "четыре")


def test_who_says_nothing_needs_no_upstream(ann: Person, upstream: Upstream) -> None:
    ann.connect("echo_ws").close()
    assert upstream.connections == []
    assert ann.history == []


def test_one_line_at_a_time(ann: Person, upstream: Upstream) -> None:
    client = ann.connect("echo_ws")
    client.send("wait")
    for number in range(100):
        client.send(f"{number}")
    assert upstream.asked.wait(PATIENCE)
    other = ann.connect("echo_ws")
    other.send("между тем")
    assert heard(other) == "между тем"
    assert upstream.lines == ["wait", "между тем"]
    upstream.may_answer.set()
    texts = ["wait", *(f"{number}" for number in range(100))]
    assert [heard(client) for _ in texts] == texts
    client.close()
    assert ann.history == both(*texts)


@pytest.mark.parametrize("how", ["die", "drop", "binary", "large"])
def test_an_upstream_that_fails(ann: Person, how: str) -> None:
    client = ann.connect("echo_ws")
    client.send("раз")
    assert heard(client) == "раз"
    client.send(how)
    client.send("не дошло")
    assert closed_with(client) == 1011
    assert ann.history == [*both("раз"), ("client", how)]
    again = ann.connect("echo_ws")
    again.send("и снова")
    assert heard(again) == "и снова"


def test_an_upstream_that_keeps_silent(ann: Person) -> None:
    client = ann.connect("echo_ws", ping_interval=None)
    client.send("silence")
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(2 * PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert ann.history == [("client", "silence")]


def test_an_upstream_that_hung_up_between_two_lines_is_called_anew(ann: Person, upstream: Upstream) -> None:
    client = ann.connect("echo_ws")
    client.send("bye")
    assert heard(client) == "bye"
    assert upstream.gone.wait(PATIENCE)
    client.send("снова")
    assert heard(client) == "снова"
    assert len(upstream.connections) == 2


def test_a_client_that_goes_takes_its_upstream_along(ann: Person, upstream: Upstream) -> None:
    client = ann.connect("echo_ws")
    client.send("wait")
    assert upstream.asked.wait(PATIENCE)
    client.close()
    upstream.may_answer.set()
    assert upstream.gone.wait(PATIENCE)
    assert ann.history == [("client", "wait")]


def test_the_server_stops_while_a_line_is_under_way(upstream: Upstream, tmp_path: Path) -> None:
    with Served(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": upstream.url}) as server:
        ann = Person.new(server, "ann")
        client = ann.connect("echo_ws")
        client.send("wait")
        assert upstream.asked.wait(PATIENCE)
        server.tell_to_stop()
        assert closed_with(client) == 1012
        ann.leave()
    assert "Traceback" not in server.log
    assert "was never retrieved" not in server.log


def test_an_upstream_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Served(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": f"ws://127.0.0.1:{port}"}) as server:
        ann = Person.new(server, "ann")
        client = ann.connect("echo_ws")
        client.send("раз")
        assert closed_with(client) == 1011
        assert ann.history == [("client", "раз")]
        ann.leave()


def test_an_upstream_that_does_not_shake_hands(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with Served(tmp_path, {"ECHO_PROXY": "true", "ECHO_UPSTREAM": url}) as server:
            ann = Person.new(server, "ann")
            client = ann.connect("echo_ws")
            client.send("раз")
            assert closed_with(client) == 1011
            assert ann.history == [("client", "раз")]
            ann.leave()


def test_an_upstream_without_a_greeting(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"ECHO_PROXY": "true", "ECHO_UPSTREAM": upstream.url, "ECHO_UPSTREAM_GREETS": "false"}
    with Served(tmp_path, settings) as server:
        ann = Person.new(server, "ann")
        client = ann.connect("echo_ws")
        client.send("раз")
        assert heard(client) == "Request served by a test"
        ann.leave()
