"""Attacks that hold connections open, against a running server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from laws.town import LOBBY, PASSWORD, Person, Server, serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.veche_process import VECHE, VecheProcess

from .witness import WitnessedServer

pytestmark = pytest.mark.one_node("their bounds and their times are those of one process")

TIMEOUT = 15.0
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


def upgrade(path: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


KINDS: dict[str, bytes] = {
    "silent": b"",
    "half a head": HEAD,
    "half a body": b"POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
    "idle after an answer": HEAD + b"\r\n",
    "native, before hello": upgrade("/v1/socket"),
    "dispatch, before the token": upgrade("/connect"),
    "a token that is none": HEAD + b"Authorization: Bearer x\r\n\r\n",
}


class Crowd:
    """Connections that send something and then hold on. `open` are those that the server has not closed.

    `kind` is one of KINDS, or what they send.
    """

    def __init__(self, port: int, count: int, kind: str | bytes, addresses: list[str]) -> None:
        self.open: dict[socket.socket, int] = {}
        self.selector = selectors.DefaultSelector()
        for number in range(count):
            peer = socket.socket()
            peer.bind((addresses[number % len(addresses)], 0))
            peer.connect(("127.0.0.1", port))
            peer.sendall(kind if isinstance(kind, bytes) else KINDS[kind])
            peer.setblocking(False)
            self.open[peer] = number
            self.selector.register(peer, selectors.EVENT_READ)
            if number % 100 == 99:
                self.look(0)

    def look(self, seconds: float) -> None:
        """Find out which connections are closed, for this time at most."""
        for key, _ in self.selector.select(seconds):
            peer = key.fileobj
            assert isinstance(peer, socket.socket)
            try:
                gone = peer.recv(65_536) == b""
            except BlockingIOError:
                gone = False
            except ConnectionError:
                gone = True
            if gone:
                self.selector.unregister(peer)
                peer.close()
                del self.open[peer]

    def wait_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not done() and time.monotonic() < deadline:
            self.look(0.05)

    def close(self) -> None:
        for peer in self.open:
            peer.close()
        self.selector.close()


@contextlib.contextmanager
def crowd(port: int, count: int, kind: str | bytes, addresses: list[str] | None = None) -> Iterator[Crowd]:
    found = Crowd(port, count, kind, addresses or ["127.0.0.1"])
    try:
        yield found
    finally:
        found.close()


async def sign_in_and_talk(server: Server, person: Person) -> None:
    """Do what a person does: sign in, connect, send, and get the answer."""
    answer = server.http.post("/v1/login", json={"username": person.name, "password": PASSWORD})
    assert answer.status_code == 200
    async with person.socket() as one:
        assert (await one.ask("send", room_id=LOBBY, text="I am here"))["seq"]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits."""
    settings = {"GUESTS_PER_ADDRESS": "20", "CONNECTIONS_PER_ACCOUNT": "5", "CONNECTIONS": "100"}
    with serving(
        tmp_path_factory.mktemp("narrow"), **{f"VECHE_{name}": value for name, value in settings.items()}
    ) as server:
        # To make room, the server closes connections on which nothing happens. So each request gets a new one.
        server.http = httpx.Client(base_url=server.base, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
        yield server


@pytest.mark.parametrize("kind", KINDS)
async def test_an_address_holds_few_connections_without_signing_in_and_others_there_get_in(
    narrow: Server, kind: str
) -> None:
    """All come from one address, also the people who sign in."""
    person = narrow.person()
    with crowd(narrow.port, 60, kind) as held:
        held.wait_until(lambda: len(held.open) <= 20)
        assert 0 < len(held.open) <= 20
        assert min(held.open.values()) >= 40, "the oldest have to go"
        await sign_in_and_talk(narrow, person)


async def test_people_who_have_signed_in_do_not_count_for_their_address(narrow: Server) -> None:
    people = [narrow.person() for _ in range(12)]
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(person.socket()) for person in people for _ in range(4)]
        with crowd(narrow.port, 40, "native, before hello"):
            for one in sockets:
                await one.ask("read", room_id=LOBBY, seq=0)


def test_a_request_with_a_token_makes_an_http_connection_one_of_the_account(narrow: Server) -> None:
    """It is not closed for the guests of its address. The account keeps the newest five."""
    person = narrow.person()
    connections = [http.client.HTTPConnection("127.0.0.1", narrow.port, timeout=TIMEOUT) for _ in range(7)]
    paths = ["/v1/me", "/v1/rooms"]  # FastAPI answers the first; the second is a quick route
    for number, connection in enumerate(connections):
        connection.request("GET", paths[number % 2], headers={"Authorization": f"Bearer {person.token}"})
        assert connection.getresponse().read()
    with crowd(narrow.port, 40, "silent"):
        alive = [is_open(connection) for connection in connections]
    assert alive == [False, False, True, True, True, True, True]
    for connection in connections:
        connection.close()


def is_open(connection: http.client.HTTPConnection) -> bool:
    """Return whether the server still answers on an idle connection."""
    try:
        connection.sock.sendall(HEAD + b"\r\n")
        return connection.sock.recv(1) != b""
    except ConnectionError:
        return False


async def test_a_request_that_is_being_answered_is_not_cut_off(narrow: Server) -> None:
    """A poll of Engine.IO waits for events, while many others come from the same address."""
    opened = narrow.http.get("/socket.io/?EIO=4&transport=polling").text
    url = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
    narrow.http.post(url, content=f'40{{"token":"{narrow.person().token}"}}')
    assert narrow.http.get(url).text.startswith("40")
    waiting = http.client.HTTPConnection("127.0.0.1", narrow.port, timeout=TIMEOUT)
    waiting.request("GET", url)
    with crowd(narrow.port, 60, "silent") as held:
        held.wait_until(lambda: len(held.open) <= 20)
        person = narrow.person()
        person.say(LOBBY, "for the one who waits")
    assert b"for the one who waits" in waiting.getresponse().read()
    waiting.close()


async def test_what_is_held_for_all_clients_together_is_bounded(tmp_path: Path) -> None:
    """Each of 200 sockets of two accounts sends 60,000 bytes of a message, and never the rest."""
    with serving(tmp_path, VECHE_HELD_MEGABYTES="8", VECHE_GUESTS_PER_ADDRESS="1000") as server:
        person, *attackers = [server.person() for _ in range(3)]
        unfinished = b"\x01\xfe" + (60_000).to_bytes(2, "big") + bytes(4) + b"x" * 60_000
        async with person.socket() as one:
            with contextlib.ExitStack() as stack:
                crowds = [
                    stack.enter_context(crowd(server.port, 100, upgrade(f"/ws?token={attacker.token}") + unfinished))
                    for attacker in attackers
                ]
                most = (8 << 20) // 60_000
                deadline = time.monotonic() + TIMEOUT
                while (left := sum(len(each.open) for each in crowds)) > most and time.monotonic() < deadline:
                    for each in crowds:
                        each.look(0.05)
                assert most - 20 < left <= most, "as many as necessary have to go"
                assert (await one.ask("send", room_id=LOBBY, text="I am here"))["seq"]


SOCKETS = {
    "native": (4005, "too_many_connections"),
    "rooms": (1008, "too many connections"),
    "channels": (1008, "too many connections"),
    "messenger": (1008, "too many connections"),
}


async def open_socket(server: Server, person: Person, dialect: str) -> ClientConnection:
    base = f"ws://127.0.0.1:{server.port}"
    paths = {
        "native": "/v1/socket",
        "rooms": f"/ws?token={person.token}",
        "channels": f"/pub_ws/{person.name}?token={person.token}",
        "messenger": f"/ws/{LOBBY}?token={person.token}",
    }
    found = await connect(base + paths[dialect], compression=None, ping_interval=None)
    if dialect == "native":
        await found.send(json.dumps({"id": 1, "hello": {"token": person.token}}))
        assert "hello" in json.loads(await found.recv())
    return found


@pytest.mark.parametrize("dialect", SOCKETS)
async def test_the_first_client_of_an_account_goes_when_there_are_too_many(narrow: Server, dialect: str) -> None:
    """The clients of all dialects count together. The newest always gets in."""
    person = narrow.person()
    first = await open_socket(narrow, person, dialect)
    others = [await open_socket(narrow, person, other) for other in (*SOCKETS, "native")]
    assert await closed_with(first) == SOCKETS[dialect]
    for one in others:
        assert await asyncio.wait_for(answered(one), TIMEOUT)
        await one.close()


async def test_a_socketio_client_that_is_one_too_many_is_told_not_to_come_back(narrow: Server) -> None:
    """Its library does not reconnect after a disconnect packet. Sessions that poll count too."""
    person = narrow.person()
    url = f"ws://127.0.0.1:{narrow.port}/socket.io/?EIO=4&transport=websocket"
    held = []
    for _ in range(6):
        one = await connect(url, compression=None, ping_interval=None)
        await one.recv()
        await one.send(f'40{{"token":"{person.token}"}}')
        assert str(await one.recv()).startswith("40")
        held.append(one)
    assert await asyncio.wait_for(held[0].recv(), TIMEOUT) == "41"
    opened = narrow.http.get("/socket.io/?EIO=4&transport=polling").text
    polled = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
    narrow.http.post(polled, content=f'40{{"token":"{person.token}"}}')
    assert await asyncio.wait_for(held[1].recv(), TIMEOUT) == "41"
    for one in held:
        await one.close()


async def closed_with(connection: ClientConnection) -> tuple[int | None, str | None]:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(TIMEOUT):
            while True:
                await connection.recv()
    return connection.close_code, connection.close_reason


async def answered(connection: ClientConnection) -> bool:
    await (await connection.ping())
    return True


async def test_a_thousand_sockets_of_one_account_become_a_few(narrow: Server) -> None:
    person = narrow.person()
    held = [await open_socket(narrow, person, "messenger") for _ in range(150)]
    assert await closed_with(held[0]) == SOCKETS["messenger"]
    assert len([one for one in held if one.state.name == "OPEN"]) <= 5
    await sign_in_and_talk(narrow, narrow.person())
    for one in held:
        await one.close()


async def test_a_full_server_closes_those_who_have_not_signed_in_so_that_others_get_in(narrow: Server) -> None:
    person = narrow.person()
    with crowd(narrow.port, 150, "half a head", [f"127.0.1.{number + 1}" for number in range(50)]) as held:
        held.wait_until(lambda: len(held.open) <= 100)
        assert 50 < len(held.open) <= 100
        await sign_in_and_talk(narrow, person)


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a proxy at 127.9.9.9."""
    settings = {"VECHE_GUESTS_PER_ADDRESS": "5", "VECHE_CONNECTIONS": "40", "VECHE_TRUSTED_PROXIES": "127.9.9.9"}
    with serving(tmp_path_factory.mktemp("proxy"), **settings) as server:
        yield server


def test_the_connections_of_a_proxy_are_not_those_of_one_address(behind_proxy: Server) -> None:
    with crowd(behind_proxy.port, 20, "idle after an answer", ["127.9.9.9"]) as held:
        assert behind_proxy.http.get("/healthz").status_code == 200
        held.look(0)
        assert len(held.open) == 20


async def test_a_proxy_that_is_full_of_silent_connections_lets_others_in(behind_proxy: Server) -> None:
    person = behind_proxy.person()
    with crowd(behind_proxy.port, 60, "half a head", ["127.9.9.9"]) as held:
        held.wait_until(lambda: len(held.open) <= 40)
        await sign_in_and_talk(behind_proxy, person)


@pytest.mark.parametrize(("clients", "left"), [(["192.0.2.1"], 5), (["2001:db8::1", "2001:db8::2"], 5)])
async def test_websockets_behind_a_proxy_are_guests_of_their_clients_addresses(
    behind_proxy: Server, clients: list[str], left: int
) -> None:
    with crowd(behind_proxy.port, 12, "silent", ["127.9.9.9"]) as held:
        for peer, number in held.open.items():
            forwarded = f"X-Forwarded-For: {clients[number % len(clients)]}\r\n\r\n".encode()
            peer.sendall(upgrade("/v1/socket")[:-2] + forwarded)
        held.wait_until(lambda: len(held.open) <= left)
        assert len(held.open) == left


async def test_a_server_full_of_people_refuses_the_next_one_with_503(tmp_path: Path) -> None:
    with serving(tmp_path, VECHE_CONNECTIONS="10") as server:
        people = [server.person() for _ in range(3)]
        server.http.close()
        held = [await open_socket(server, person, "messenger") for person in people for _ in range(3)]
        held.append(await open_socket(server, people[0], "messenger"))
        late = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
        late.request("GET", "/healthz")
        answer = late.getresponse()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        await held.pop().close()
        deadline = time.monotonic() + TIMEOUT
        while answer.status == 503 and time.monotonic() < deadline:
            late.close()
            late.request("GET", "/healthz")
            answer = late.getresponse()
        assert answer.status == 200
        late.close()
        for one in held:
            await one.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "half a head", "native, before hello", "idle after an answer"])
async def test_a_thousand_connections_that_do_nothing_are_gone_in_seconds(tmp_path: Path, kind: str) -> None:
    """Under the default limits, and from four addresses. Meanwhile the server is there for everybody else."""
    with serving(tmp_path) as server:
        person = server.person()
        began = time.monotonic()
        with crowd(server.port, 1000, kind, [f"127.0.2.{number + 1}" for number in range(4)]) as held:
            await sign_in_and_talk(server, person)
            took, asked = 0.0, time.monotonic()
            while held.open and time.monotonic() - began < 3 * TIMEOUT:
                held.look(0.05)
                asked = time.monotonic()
                assert server.http.get("/healthz").status_code == 200
                took = max(took, time.monotonic() - asked)
            assert not held.open
            assert time.monotonic() - began < 30, "it takes 10 seconds if the machine has nothing else to do"
            assert took < 5


async def test_nine_hundred_half_open_connections_of_one_address_leave_room_for_others(tmp_path: Path) -> None:
    """Under the default limits."""
    with serving(tmp_path) as server:
        person = server.person()
        with crowd(server.port, 900, "native, before hello") as held:
            await sign_in_and_talk(server, person)
            held.wait_until(lambda: len(held.open) <= 500)
            assert 0 < len(held.open) <= 500


def test_with_fewer_open_files_the_server_says_so_and_serves_fewer(tmp_path: Path) -> None:
    program = ("sh", "-c", 'ulimit -n 160; exec "$@"', "sh", str(VECHE))
    with VecheProcess(tmp_path, program=program) as server:
        with crowd(server.port, 200, "silent", [f"127.0.3.{number + 1}" for number in range(20)]) as held:
            held.wait_until(lambda: len(held.open) <= 60)
            assert 30 < len(held.open) <= 60
            with httpx.Client(base_url=server.base, timeout=TIMEOUT) as client:
                body = {"username": "ann", "password": PASSWORD}
                assert client.post("/v1/register", json=body).status_code == 201
        assert "The limit of open files is 160. So the server has 60 connections at most, not 10000" in server.log


def test_requests_that_do_not_wait_for_answers_hold_the_loop_for_nobody(tmp_path: Path) -> None:
    """Each connection writes thousands of requests at once. The server reads them as one chunk."""
    with WitnessedServer(tmp_path) as server:
        before = server.memory
        with server.watch() as seen:
            for _ in range(10):
                with socket.create_connection(server.address, TIMEOUT) as peer, contextlib.suppress(ConnectionError):
                    peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 9_000)
                    while peer.recv(65_536):
                        pass
        seen.check()
        assert server.memory - before < 20_000_000


def test_a_thousand_silent_connections_hold_the_loop_for_nobody_and_cost_little(tmp_path: Path) -> None:
    with WitnessedServer(tmp_path) as server:
        before = server.memory
        with server.watch() as seen, crowd(server.address[1], 1000, "half a head") as held:
            held.wait_until(lambda: len(held.open) <= 500)
            assert server.memory - before < 20_000_000
        seen.check()
