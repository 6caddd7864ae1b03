"""Bad input of every dialect, for a few seconds. `python -m tests.security.fuzz` goes on for longer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cases import Case, case_of, handshake, shortened
from .corpus import frame
from .fuzz import DIALECTS, SETTINGS, Judge, World, faults_in, judged, listeners, run, until, world_of
from .witness import WitnessedServer

SEED, SECONDS = 1, 2.0
PEOPLE, MESSAGES = 5, 100


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with WitnessedServer(tmp_path_factory.mktemp("fuzz"), SETTINGS) as server:
        made = world_of(server, PEOPLE, MESSAGES)
        with listeners(made):
            yield made


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_bad_input_of_a_dialect_does_any_harm(world: World, dialect: str) -> None:
    faults: list[str] = []
    played = run(world, Judge(world.server), until(SECONDS), SEED, dialect, faults.append)
    assert not faults, "\n".join(faults)
    assert played[dialect] >= 10


GET = b"GET /v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
FOUND = {
    "a host of many characters": Case(
        "native",
        [handshake("/v1/socket", b"Origin: http://x\r\nX-Forwarded-Host: " + b"\xe9." * 30_000 + b"\r\n")],
        True,
    ),
}
"""What has done harm before."""


@pytest.mark.parametrize("name", FOUND)
def test_what_has_done_harm_does_none_any_more(world: World, name: str) -> None:
    case = FOUND[name]
    assert judged(world, Judge(world.server), lambda: case) == []


# The judge.


@pytest.mark.parametrize(
    ("received", "faults"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", []),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", []),
        (b"HTTP/1.1 422 x\r\n\r\nHTTP/1.1 500 Internal Server Error\r\n\r\n", ["answered 500"]),
        (b"HTTP/1.1 101 x\r\n\r\n\x81\x02hi\x88\x02\x03\xf0", []),
        (b"HTTP/1.1 101 x\r\n\r\n\x81\x02hi\x88\x10\x03\xf3internal error", ["closed with 1011"]),
    ],
)
def test_what_a_server_may_never_send_is_a_fault(received: bytes, faults: list[str]) -> None:
    assert faults_in(received, is_websocket=b" 101 " in received) == faults


def test_a_held_loop_and_a_traceback_are_faults(tmp_path: Path) -> None:
    """Here the server's reports are written by the test, as if the server had written them."""
    with WitnessedServer(tmp_path, SETTINGS) as server:
        world = world_of(server, 1, 1)
        judge = Judge(server)
        case = Case("native", [GET + b"\r\n"], False)
        assert judged(world, judge, lambda: case) == []
        report, log = tmp_path / "callbacks", tmp_path / "server.log"
        logged = log.read_text()

        def slow(times: int) -> list[str]:
            left = iter([True] * times)

            def make() -> Case:
                if next(left, False):
                    with report.open("a") as written:
                        written.write("5.0000 burn\n")  # longer than a busy machine makes anything take
                return case

            return judged(world, judge, make)

        assert slow(3) == ["burn held the loop"]
        assert slow(1) == [], "the machine may have been busy"
        assert judge.worst["native"] == (5.0, "burn")
        with log.open("a") as written:
            written.write('Traceback (most recent call last):\n  File "x", line 1, in f\nValueError: no\n')
        assert judged(world, judge, lambda: case) == ["logged ValueError: no"]
        log.write_text(logged)


# The cases.


def test_a_case_can_be_made_again() -> None:
    for number in range(50):
        one, same = (case_of(SEED, number, lambda data: data) for _ in range(2))
        assert one == same
    assert case_of(SEED, 1, lambda data: data) != case_of(SEED + 1, 1, lambda data: data)


def test_frames_are_those_of_a_client() -> None:
    assert frame(b"abc", mask=b"\x01\x02\x03\x04") == b"\x81\x83\x01\x02\x03\x04" + b"``" + b"`"


def test_what_is_repeated_is_shown_once() -> None:
    began = time.thread_time()
    assert shortened(b"ab" + b"x,y," * 70_000 + b"c") == "b'ab' + b'x,y,' * 70000 + b'c'"
    assert time.thread_time() - began < 1
    assert shortened(b"hello") == "b'hello'"
