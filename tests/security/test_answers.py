"""Answers that are as large as one account can make them: they hold the loop no longer, and cost little memory."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from . import attack
from .corpus import frame
from .fairness import call, token_of_new_account
from .fuzz import exchange, read_until
from .witness import TIMEOUT, WitnessedServer

MB = 1 << 20
AS_JSON = 6  # a control character is `\u0001` as JSON
LARGE = "\x01" * 65_000
MESSAGES, ROOMS, LINES = 100, 200, 20_000
READERS = 10


class Town:
    """A server with large messages in the lobby, in many rooms and in the echo, all of one account."""

    def __init__(self, server: WitnessedServer) -> None:
        self.server, self.token = server, token_of_new_account(server)
        with attack.connect(*server.address, "/connect") as opened:
            opened.sendall(attack.frame(self.token))
            for _ in range(MESSAGES):
                opened.sendall(attack.frame(LARGE))
                read_until(opened, b'"timestamp"')
        for number in range(ROOMS):
            room = call(server, "/v1/rooms", {"kind": "channel", "name": f"Room {number}"}, self.token)["id"]
            text = json.dumps({"text": LARGE[: 16_384 // 2], "client_message_id": f"{number}"})
            call(server, f"/v1/rooms/{room}/messages", json.loads(text), self.token)
        with attack.connect(*server.address, f"/echo_ws/a?token={self.token}") as opened:
            opened.sendall(frame(b"") * LINES + frame(b"the last"))
            read_until(opened, b"the last")

    def request(self, path: str) -> bytes:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        return f"{head}Authorization: Bearer {self.token}\r\n\r\n".encode()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with WitnessedServer(tmp_path_factory.mktemp("answers")) as server:
        yield Town(server)


ANSWERS = {  # path, and how many bytes the answer has at least
    "/api/messages": 50 * AS_JSON * len(LARGE),
    f"/chats/{attack.LOBBY}/messages": MESSAGES * AS_JSON * len(LARGE),
    f"/history/{attack.LOBBY}?limit=100": MESSAGES * AS_JSON * len(LARGE),
    "/history": 2 * LINES * 40,
    f"/v1/rooms/{attack.LOBBY}/messages?limit=200": AS_JSON * len(LARGE),
    f"/v1/rooms/{attack.LOBBY}/messages?limit=200&after_seq=0": AS_JSON * len(LARGE),
    f"/v1/rooms/{attack.LOBBY}/messages?limit=200&around_seq=50": AS_JSON * len(LARGE),
    "/v1/rooms?limit=200": AS_JSON * len(LARGE),
    "/v1/rooms/public?limit=200": AS_JSON * len(LARGE),
    "/chats": 30 * ROOMS,
}


@pytest.mark.one_node("it measures the memory of one process")
@pytest.mark.parametrize("path", ANSWERS)
def test_no_answer_holds_the_loop_or_much_memory(town: Town, path: str) -> None:
    server, request = town.server, town.request(path)
    for attempt in range(3):  # with a busy machine, memory is sometimes slow
        with server.watch() as seen:
            answer = exchange(server, [request], patience=TIMEOUT, keep=None)
        if all(took < 0.05 for took, _ in seen.callbacks) or attempt == 2:
            break
    seen.check()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(answer) > ANSWERS[path]
    before = server.memory
    with contextlib.ExitStack() as closing:
        for _ in range(READERS):
            reader = closing.enter_context(socket.create_connection(server.address, TIMEOUT))
            reader.sendall(request)
        for _ in range(20):  # the answers begin, and nobody reads them
            exchange(server, [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
        assert server.memory - before < 60 * MB


def test_the_first_request_does_not_prepare_what_could_be_ready(tmp_path: Path) -> None:
    with WitnessedServer(tmp_path) as server:
        with server.watch() as seen:
            assert httpx.get(f"{server.base}/healthz", trust_env=False).status_code == 200
        seen.check(0.03)
