"""What a Socket.IO client can send, with and without a token: it never holds the loop, and costs little memory."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect

from veche.wire.http import MAX_PIPELINED

from .witness import TIMEOUT, WitnessedServer

N = 990_000  # bytes: a little less than the limit of a payload
SMALL = 8_192  # bytes: the limit until the namespace is entered
MB = 1 << 20
_numbers = itertools.count(1)


def filled(unit: str, size: int = N) -> str:
    return (unit * (size // len(unit))).removesuffix(",")


HEAVY = {
    "objects": '42["m",' + filled('{"":0},') + "]",
    "arrays": '42["m",' + filled("[],") + "]",
    "arrays, nested sixty deep": '42["m",' + "[" * 60 + filled("[],") + "]" * 60 + "]",
    "keys": '42["m",{' + filled('"":{},') + "}]",
    "objects with a lone surrogate": '42["\\ud800",' + filled('{"":0},') + "]",
    "objects of another namespace": "42/x,7[" + filled('{"":0},') + "]",
    "auth": "40/x," + '{"":[' + filled("{},") + "]}",
    "an attachment that is never sent": '451-["m",' + filled('{"":0},') + "]",
    "a long text": '42["message","' + filled("[,") + '"]',
    "a long text of escapes": '42["message",{"text":"' + filled("\\u0000") + '"}]',
    "a long id": '42["message",{"text":"hi","id":"' + filled("\\ud800") + '"}]',
    "long integers": '42["message",{"text":"hi","id":[' + ",".join(["9" * 4300] * 220) + "]}]",
    "many numbers": '42["message",{"text":"hi","id":[' + ",".join(["1"] * 900) + "]}]",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessedServer]:
    with WitnessedServer(tmp_path_factory.mktemp("socketio")) as running:
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[WitnessedServer]:
    """A server of its own, whose memory nobody has used before."""
    with WitnessedServer(tmp_path, {"VECHE_DIALECTS": "socketio"}) as running:
        yield running


HANDLED = 8.0  # seconds in which a server has handled what one client has sent


class Sender:
    """A client of either transport. It sends packets, and waits until the server has handled them."""

    def __init__(self, server: WitnessedServer) -> None:
        self.url = f"{server.base}/socket.io/?EIO=4&transport="
        self.closing = contextlib.ExitStack()
        self.http = self.closing.enter_context(httpx.Client(timeout=TIMEOUT, trust_env=False))
        self.websocket: ClientConnection | None = None
        self.sid = ""

    def open(self, transport: str) -> None:
        if transport == "websocket":
            opening = connect(f"{self.url}websocket".replace("http", "ws"), max_size=None, proxy=None, close_timeout=1)
            self.websocket = self.closing.enter_context(opening)
            self.websocket.recv(TIMEOUT)
        else:
            self.sid = json.loads(self.http.get(f"{self.url}polling").text[1:])["sid"]

    def enter(self, token: str) -> None:
        self.send(f'40{{"token":"{token}"}}')
        assert self.receive().startswith('40{"sid"')

    def send(self, *packets: str) -> None:
        """Send packets. The connection may end meanwhile."""
        with contextlib.suppress(ConnectionClosed):
            if self.websocket is None:
                self.http.post(f"{self.url}polling&sid={self.sid}", content="\x1e".join(packets))
            else:
                for packet in packets:
                    self.websocket.send(packet)
                # The pong may be behind more events than the client reads.
                pong, end = self.websocket.ping(), time.monotonic() + HANDLED
                while not pong.wait(0.01) and self.websocket.state is State.OPEN and time.monotonic() < end:
                    pass

    def receive(self) -> str:
        if self.websocket is not None:
            return str(self.websocket.recv(TIMEOUT))
        return self.http.get(f"{self.url}polling&sid={self.sid}").text

    def close(self) -> None:
        self.closing.close()


@pytest.fixture
def new_sender(server: WitnessedServer) -> Iterator[Callable[[str], Sender]]:
    with contextlib.ExitStack() as closing:

        def new(transport: str) -> Sender:
            sender = Sender(server)
            closing.callback(sender.close)
            sender.open(transport)
            return sender

        yield new


@pytest.fixture(scope="module")
def token(server: WitnessedServer) -> str:
    body = {"username": "eve", "password": "secret"}
    answer = httpx.post(f"{server.base}/api/auth/register", json=body, trust_env=False)
    found: str = answer.raise_for_status().json()["token"]
    return found


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("entered", [False, True], ids=["no token", "token"])
@pytest.mark.parametrize("name", HEAVY)
def test_no_packet_holds_the_loop(
    server: WitnessedServer,
    new_sender: Callable[[str], Sender],
    token: str,
    transport: str,
    entered: bool,
    name: str,
) -> None:
    senders = [new_sender(transport) for _ in range(4)]
    if entered:
        for sender in senders:
            sender.enter(token)
    with server.watch() as seen:
        for sender in senders:
            sender.send(HEAVY[name])
            sender.send(HEAVY[name])
    seen.check()


MANY = {
    "events": ['42["m"]', '42["message","hi"]', '42["message",{"id":1,"text":"hi"}]', '427["message","hi"]'],
    "pongs": ["3"],
    "events of another namespace": ["42/x,"],
    "refused namespaces": ["40/x,"],
    "entering and leaving": ["41", "40"],
    "acknowledgements": ["431[]"],
    "attachments": ['451-["m",{"_placeholder":true,"num":0}]', "bAQID"],
}


@pytest.mark.parametrize("entered", [False, True], ids=["no token", "token"])
@pytest.mark.parametrize("name", MANY)
def test_no_number_of_packets_in_one_write_holds_the_loop(
    server: WitnessedServer, new_sender: Callable[[str], Sender], token: str, name: str, entered: bool
) -> None:
    sender = new_sender("websocket")
    if entered:
        sender.enter(token)
    texts = itertools.islice(itertools.cycle(MANY[name]), 20_000)
    pings = itertools.repeat(b"\x89\x80\0\0\0\0", 20_000)
    frames = b"".join(itertools.chain(map(text_frame, texts), pings))
    assert sender.websocket is not None
    with server.watch() as seen, contextlib.suppress(OSError):
        sender.websocket.socket.sendall(frames)
        sender.send("3")
    seen.check()


def text_frame(text: str) -> bytes:
    """Frame a short text as a client does, with a mask of zeros."""
    return bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text.encode()


@pytest.mark.parametrize("name", MANY)
def test_no_number_of_packets_in_one_post_holds_the_loop(
    server: WitnessedServer, new_sender: Callable[[str], Sender], token: str, name: str
) -> None:
    sender = new_sender("polling")
    sender.enter(token)
    packets = list(itertools.islice(itertools.cycle(MANY[name]), 5_000))
    with server.watch() as seen, contextlib.suppress(httpx.ReadTimeout):
        sender.http.timeout = httpx.Timeout(3)  # what is not taken while nobody polls
        sender.send(*packets)
    seen.check()


def test_what_is_held_for_clients_without_a_token_is_small(fresh: WitnessedServer) -> None:
    """Messages of a namespace that is not entered, attachments that never come, parts of a message and of a body."""
    texts = [
        '451-["a",' + filled('{"":0},') + "]",
        '451-["a",' + filled('{"":0},', SMALL - 100) + "]",
        "40/x," + '{"a":[' + filled("{},") + "]}",
        "40/x," + '{"a":[' + filled("{},", SMALL - 100) + "]}",
        *("40/x," for _ in range(20_000)),
    ]
    server, before = fresh, fresh.memory
    with contextlib.ExitStack() as closing:
        for text in texts[:4]:
            for _ in range(15):
                sender = Sender(server)
                closing.callback(sender.close)
                sender.open("websocket")
                sender.send(text)
        for _ in range(15):
            sender = Sender(server)
            closing.callback(sender.close)
            sender.open("websocket")
            with contextlib.suppress(ConnectionClosed, OSError):
                assert sender.websocket is not None
                frame = b"\x81\xff" + (N).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * (N - 1)
                sender.websocket.socket.sendall(frame)  # the last byte is missing
        for _ in range(15):
            sender = Sender(server)
            closing.callback(sender.close)
            sender.open("polling")
            sender.send(*texts[4:])
        for _ in range(15):
            closing.enter_context(unfinished_post(server))
        with server.watch():
            pass
        assert server.memory - before < 10 * MB


@contextlib.contextmanager
def unfinished_post(server: WitnessedServer) -> Iterator[None]:
    sender = Sender(server)
    sender.open("polling")
    head = (
        f"POST /socket.io/?EIO=4&transport=polling&sid={sender.sid} HTTP/1.1\r\nHost: x\r\nContent-Length: {N}\r\n\r\n"
    )
    with socket.create_connection(server.address, TIMEOUT) as peer:
        with contextlib.suppress(OSError):
            peer.sendall(head.encode() + b"4" * (N - 1))
        yield
    sender.close()


@pytest.mark.parametrize("size", [N, 60_000])
def test_what_waits_for_attachments_is_small(fresh: WitnessedServer, size: int) -> None:
    body = {"username": "eve", "password": "secret"}
    token = httpx.post(f"{fresh.base}/api/auth/register", json=body, trust_env=False).json()["token"]
    with contextlib.ExitStack() as closing:
        senders = [Sender(fresh) for _ in range(15)]
        for sender in senders:
            closing.callback(sender.close)
            sender.open("websocket")
            sender.enter(token)
        before = fresh.memory
        for sender in senders:
            sender.send('452-["a",' + filled('{"":0},', size) + "]")
            assert sender.websocket is not None
            with contextlib.suppress(ConnectionClosed):
                sender.websocket.send(b"x" * 260_000)
        with fresh.watch():
            pass
        assert fresh.memory - before < 10 * MB


def test_one_address_cannot_keep_others_out(tmp_path: Path) -> None:
    """Connections that never enter make room for each other: nobody is refused, and those that entered stay."""
    settings = {
        "VECHE_SOCKETIO_NOT_ENTERED_PER_ADDRESS": "200",
        "VECHE_SOCKETIO_NOT_ENTERED": "300",
        "VECHE_TRUSTED_PROXIES": "127.0.0.1",
    }
    with WitnessedServer(tmp_path, settings) as server:
        body = {"username": "ann", "password": "secret"}
        token = httpx.post(f"{server.base}/api/auth/register", json=body, trust_env=False).json()["token"]
        ann = Sender(server)
        ann.open("polling")
        ann.enter(token)
        before = server.memory
        with server.watch() as seen:
            assert pipelined(server, "203.0.113.7", 20_000) == 20_000
            for number in range(20):
                assert pipelined(server, f"2001:db8:{number}::{number}", 100) == 100
        seen.check()
        assert server.memory - before < 10 * MB
        ann.send('42["message","still here"]')
        assert "still here" in ann.receive()
        bob = Sender(server)
        bob.open("websocket")
        bob.enter(token)
        for sender in (ann, bob):
            sender.close()


def pipelined(server: WitnessedServer, address: str, number: int) -> int:
    """Open connections by polling, in one write. Return how many were opened."""
    request = f"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n\r\n"
    opened = 0
    with socket.create_connection(server.address, TIMEOUT) as peer:
        for start in range(0, number, MAX_PIPELINED):
            some = min(MAX_PIPELINED, number - start)
            peer.sendall(request.encode() * some)
            answers = b""
            while answers.count(b"HTTP/1.1 ") < some or not answers.endswith(b"}"):
                received = peer.recv(1 << 16)
                assert received, "the server closed the connection"
                answers += received
            opened += answers.count(b'"maxPayload":1000000}')
    return opened
