"""Plays every transcript against a real server, over real sockets; each file is one test (see README.md here)."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any, NoReturn

import httpx
import pytest
from conftest import TIMEOUT, RunningServer, Servers, new_handle
from transcript import (
    Action,
    Claims,
    Connect,
    ExpectedResponse,
    ExpectFrames,
    Holes,
    Mismatch,
    Request,
    SendText,
    Step,
    Transcript,
    Unreadable,
    is_json,
    read,
    unescape,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests.sample import transcripts

FILES = transcripts()
TOLD_LATER = "another node counts what is used of a limit 50 ms later"
ENDED_LATER = "another node has a conversation in its history a moment after it has ended"
GAP = "a message that is refused when it is stored, or was stored before, leaves a gap in the ids of PostgreSQL"
PER_NODE = {
    "channels/too_often": TOLD_LATER,
    "dispatch/too_often": TOLD_LATER,
    "messenger/too_often": TOLD_LATER,
    "native/examples": GAP,
    "native/many_rooms": TOLD_LATER,
    "native/too_often": TOLD_LATER,
    "rooms/too_often": TOLD_LATER,
    "socketio/anonymous": GAP,
    "socketio/goodbye": GAP,
    "socketio/too_often": TOLD_LATER,
    "channels/echo": ENDED_LATER,
    "channels/proxied": ENDED_LATER,
    "channels/unreachable": ENDED_LATER,
}
"""Transcripts that look otherwise on several nodes, and why."""
HEARTBEAT = "{}"  # of the native dialect; may arrive at any time


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_transcript(path: Path, servers: Servers, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--on") == "nodes" and (why := PER_NODE.get(request.node.callspec.id)):
        request.applymarker(pytest.mark.xfail(reason=why, strict=False))
    try:
        transcript = read(path)
    except Unreadable as error:
        pytest.fail(str(error), pytrace=False)
    head = transcript.head
    running = servers.new(head) if head.own else servers.shared(head)
    try:
        with playing(transcript, running) as player:
            player.play()
    finally:
        if head.own:
            running.end()


EQUAL = [
    ('{"a":1,"b":"x"}', '{"a":1,"b":"x"}'),
    ('{"a": 1, "b": "x"}', '{"b":"x","a":1}'),
    ('{"a": 1, ...}', '{"b":"x","a":1}'),
    ('{"a": {...}, "b": [1, ...]}', '{"a":{"c":1},"b":[1,2]}'),
    ('{"a":{x},"b":"{x}"}', '{"a":1,"b":"1"}'),
    ('{"a": {x}, "b": "{x}"}', '{"a":1,"b":"1"}'),
    ('{"a":"{x}","b":"{x}"}', '{"a":"q\\"","b":"q\\""}'),
    ('{"at":"{time}","n":{int},"ms":{ms}}', '{"at":"2026-11-20T20:21:51.745308Z","n":-1,"ms":1735000000000}'),
    ('{"id":1}\\n', '{"id":1}\n'),
    ('{"id": {any}, "n": null}', '{"n":null,"id":[1]}'),
    ("not found\\n", "not found\n"),
    ('0{"sid":"{x}"}\\x1e{x}', '0{"sid":"abc"}\x1eabc'),
    ("...", "whatever"),
    ("", ""),
]
UNEQUAL = [
    ('{"a":1,"b":"x"}', '{"b":"x","a":1}'),
    ('{"a":1}', '{"a": 1}'),
    ('{"a":1}', '{"a":1}\n'),
    ('{"a": 1, "b": "x"}', '{"a":1,"b":"x","c":1}'),
    ('{"a": 1, "b": "x"}', '{"a":1}'),
    ('{"a": 1, "b": true}', '{"a":1,"b":1}'),
    ('{"a":"{x}","b":"{x}"}', '{"a":"1","b":"2"}'),
    ('{"a": "{x}", "b": "{x}"}', '{"a":"1","b":"2"}'),
    ('{"a":"{x}"}', '{"a":"1","b":"2"}'),
    ('{"a":{x}}', '{"a":1,"b":2}'),
    ('{"a": "{x}", "b": 1}', '{"a":1,"b":1}'),
    ('{"a": [1]}', '{"a":[1,2]}'),
    ('{"at":"{time}"}', '{"at":"yesterday"}'),
    ("not found", "not found\n"),
    ("a.c", "abc"),
    ("", "x"),
]


@pytest.mark.parametrize(("expected", "actual"), EQUAL)
def test_equal(expected: str, actual: str) -> None:
    Holes(new_handle).match(expected, actual)


@pytest.mark.parametrize(("expected", "actual"), UNEQUAL)
def test_not_equal(expected: str, actual: str) -> None:
    with pytest.raises(Mismatch):
        Holes(new_handle).match(expected, actual)


class PingCountingSocket(ClientConnection):
    """A socket that counts the pings it received."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.pings = 0
        super().__init__(*args, **options)

    def process_event(self, event: Any) -> None:
        self.pings += isinstance(event, Frame) and event.opcode is Opcode.PING
        super().process_event(event)


@contextmanager
def playing(transcript: Transcript, running: RunningServer) -> Iterator[Player]:
    with (
        httpx.Client(timeout=TIMEOUT, trust_env=False, verify=False) as http,
        ThreadPoolExecutor(8) as threads,
        ExitStack() as closing,
    ):
        yield Player(transcript, running, http, threads, closing)


class Player:
    """Runs one transcript, step by step."""

    def __init__(
        self,
        transcript: Transcript,
        running: RunningServer,
        http: httpx.Client,
        threads: ThreadPoolExecutor,
        closing: ExitStack,
    ) -> None:
        self.transcript = transcript
        self.running = running
        self.http = http
        self.threads = threads
        self.closing = closing
        self.holes = Holes(new_handle)
        self.sockets: dict[str, PingCountingSocket] = {}
        self.open: set[str] = set()
        self.responses: dict[str, Future[httpx.Response]] = {}
        self.owners: dict[str, str] = {}  # by Socket.IO session, the address of its node

    def play(self) -> None:
        for step in self.transcript.steps:
            try:
                self.run_step(step)
            except Unreadable as error:
                self.fail(step.line, str(error))
        for socket_name in sorted(self.open):
            self.silent(self.transcript.steps[-1].line, socket_name)

    def run_step(self, step: Step) -> None:
        match step:
            case Request():
                self.responses[step.label] = self.threads.submit(self.send_request, step)
            case ExpectedResponse():
                self.compare(step, self.responses.pop(step.label).result(TIMEOUT))
            case Connect():
                self.connect(step)
            case SendText():
                self.send(step.line, step.socket_name, self.fill(step.text))
            case ExpectFrames():
                self.expect_frames(step)
            case Claims():
                self.claims(step)
            case Action(socket_name="server"):
                self.control_server(step.verb)
            case Action(verb="after"):
                time.sleep(float(step.rest))
            case Action():
                self.run_action(step)

    # REST.

    def send_request(self, request: Request) -> httpx.Response:
        headers = {name: self.holes.fill(value) for name, value in request.headers.items()}
        body = None if request.body is None else self.fill(request.body)
        if body is not None and is_json(body):
            headers.setdefault("Content-Type", "application/json")
        if not headers.get("Content-Type", "x"):
            del headers["Content-Type"]
        path = self.holes.fill(request.path)
        base = self.base_for(path)
        answer = self.http.request(request.method, base + path, content=body, headers=headers)
        self.owners |= dict.fromkeys(re.findall(r'"sid":"([^"]+)"', answer.text), base)
        return answer

    def base_for(self, path: str) -> str:
        """Return the address of a node: the one that owns the Socket.IO session, as a load balancer has to do."""
        found = re.search(r"[?&]sid=([^&]+)", path)
        return (self.owners.get(found[1]) if found else None) or self.running.base

    def fill(self, template: str) -> str:
        return self.holes.fill(template if is_json(template) else unescape(template))

    def compare(self, expected: ExpectedResponse, actual: httpx.Response) -> None:
        self.check_equal(expected.line, str(expected.status), str(actual.status_code), more=actual.text)
        media = expected.media or ("application/json" if is_json(expected.body or "") else None)
        if media:
            kind = actual.headers.get("Content-Type", "")
            self.check_equal(expected.line, media, kind if ";" in media else kind.partition(";")[0], more=actual.text)
        for name, value in expected.headers.items():
            self.check_equal(
                expected.line, f"{name}: {value}", f"{name}: {actual.headers.get(name, '')}", more=actual.text
            )
        self.check_equal(expected.line, expected.body or "", actual.text)

    def claims(self, step: Claims) -> None:
        payload = self.holes.fill(step.token).split(".")[1]
        self.check_equal(step.line, step.body, base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode())

    # Sockets.

    def connect(self, step: Connect) -> None:
        headers = {name: self.holes.fill(value) for name, value in step.headers.items()}
        offered = [part.strip() for part in self.holes.fill(step.protocols).split(",") if part.strip()]
        path = self.holes.fill(step.path)
        address = self.base_for(path).replace("http", "ws", 1) + path
        expected = step.answer or ExpectedResponse(step.line, "", 101, None, body=None)
        try:
            opening = connect(
                address,
                subprotocols=offered or None,  # type: ignore[arg-type]
                additional_headers=headers,
                open_timeout=TIMEOUT,
                close_timeout=TIMEOUT,
                ping_interval=None,
                max_size=None,
                max_queue=None,
                proxy=None,
                create_connection=PingCountingSocket,
            )
            socket = self.closing.enter_context(opening)
        except InvalidStatus as refused:
            found = refused.response
            actual = httpx.Response(
                found.status_code, headers=list(found.headers.raw_items()), content=bytes(found.body or b"")
            )
        else:
            assert isinstance(socket, PingCountingSocket)
            assert socket.response is not None
            self.sockets[step.socket_name] = socket
            self.open.add(step.socket_name)
            actual = httpx.Response(101, headers=list(socket.response.headers.raw_items()))
        self.compare(expected, actual)

    def socket(self, line: int, socket_name: str) -> PingCountingSocket:
        return self.sockets.get(socket_name) or self.fail(line, f"{socket_name} has no socket")

    def send(self, line: int, socket_name: str, data: str | bytes, *, text: bool | None = None) -> None:
        try:
            self.socket(line, socket_name).send(data, text=text)
        except ConnectionClosed as closed:
            self.fail(line, "the socket is closed", actual=_ending(closed))

    def expect_frames(self, step: ExpectFrames) -> None:
        expected = list(step.frames)
        while expected:
            actual = self.next_frame(step.line, step.socket_name, expected)
            if actual == HEARTBEAT and HEARTBEAT not in expected:
                self.send(step.line, step.socket_name, HEARTBEAT)
                continue
            for frame in expected if not step.in_order else expected[:1]:
                if self.matches_frame(frame, actual):
                    expected.remove(frame)
                    break
            else:
                self.fail(step.line, "\n          ".join(expected), actual=actual)

    def matches_frame(self, expected: str, actual: str) -> bool:
        if _is_end(expected) or _is_end(actual):
            return expected in (actual, " ".join(actual.split(" ")[:2])) or (expected, actual) == (
                "close",
                "close 1005",
            )
        return self.matches(expected, actual)

    def matches(self, expected: str, actual: str) -> bool:
        try:
            self.holes.match(expected, actual)
        except Mismatch:
            return False
        return True

    def next_frame(self, line: int, socket_name: str, expected: object, timeout: float = TIMEOUT) -> str:
        try:
            actual = self.socket(line, socket_name).recv(timeout)
        except ConnectionClosed as closed:
            self.open.discard(socket_name)
            return _ending(closed)
        except TimeoutError:
            self.fail(line, str(expected), actual=f"no frame within {timeout:.0f} s")
        return actual if isinstance(actual, str) else f"binary {actual.hex(' ')}"

    def run_action(self, step: Action) -> None:
        socket = self.socket(step.line, step.socket_name)
        match step.verb:
            case "silent":
                self.silent(step.line, step.socket_name)
            case "close":
                self.open.discard(step.socket_name)
                socket.close(int(step.rest or 1000))
                if len(self.running.nodes) > 1 and self.transcript.path.parent.name == "channels":
                    self.running.store_on_each_node()  # other nodes show a conversation once its end is stored
            case "binary":
                self.send(step.line, step.socket_name, bytes.fromhex(step.rest))
            case "text":
                self.send(step.line, step.socket_name, bytes.fromhex(step.rest), text=True)
            case "pinged":
                deadline = time.monotonic() + TIMEOUT
                while not socket.pings:
                    if time.monotonic() > deadline:
                        self.fail(step.line, "a ping", actual="none")
                    time.sleep(0.02)
            case "unpinged":
                self.check_equal(step.line, "0 pings", f"{socket.pings} pings")

    def silent(self, line: int, socket_name: str) -> None:
        """Check that no more frames have arrived: after the last pong, all earlier commands are stored and sent."""
        self.ping_all()
        self.running.fence()
        self.ping_all()
        actual: object = HEARTBEAT
        while actual == HEARTBEAT:
            try:
                actual = self.socket(line, socket_name).recv(0)
            except TimeoutError:
                return
            except ConnectionClosed as closed:
                actual = _ending(closed)
        self.fail(line, "no more frames", actual=actual)

    def ping_all(self) -> None:
        waiting = []
        for socket_name in self.open:
            try:
                waiting.append(self.sockets[socket_name].ping())
            except ConnectionClosed:
                continue
        for pong in waiting:
            pong.wait(TIMEOUT)

    # The server.

    def control_server(self, verb: str) -> None:
        if not self.transcript.head.own:
            raise Unreadable("only a server with `server: own` can be stopped")
        match verb:
            case "stop":
                self.running.send_sigterm()
            case "start":
                self.running.end()
                self.running.start()
            case "restart":
                self.running.end()
                self.running.start()
            case "kill":
                self.running.end(SIGKILL)
                self.running.start()

    # Failing.

    def check_equal(self, line: int, expected: str, actual: str, more: str = "") -> None:
        if not self.matches(expected, actual):
            self.fail(line, expected, actual=actual, more=more)

    def fail(self, line: int, expected: str, *, actual: object = None, more: str = "") -> NoReturn:
        path = self.transcript.path
        lines = path.read_text(encoding="utf-8").split("\n")
        around = "\n".join(f"  {number:3} {lines[number - 1]}" for number in range(max(1, line - 4), line + 1))
        known = "  ".join(f"{name}={str(value)[:40]}" for name, value in self.holes.values.items())
        words = [f"{path}:{line}", around, f"expected  {expected}"]
        words += [f"received  {actual}"] if actual is not None else []
        words += [f"with body {more}"] if more and more != actual else []
        pytest.fail("\n".join([*words, f"known     {known}", f"server    {self.running.folder}"]), pytrace=False)


def _ending(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "gone"
    return f"close {closed.rcvd.code} {closed.rcvd.reason}".rstrip()


def _is_end(frame: str) -> bool:
    return frame == "gone" or frame.split(" ", 1)[0] == "close"
