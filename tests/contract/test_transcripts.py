"""Plays every transcript against a real server, over real sockets; each file is one test (README.md here)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any, NoReturn

import httpx
import pytest
from conftest import PATIENCE, Running, Servers, fresh
from transcript import (
    Answer,
    Claims,
    Connect,
    Differs,
    Do,
    Hear,
    Names,
    Request,
    Say,
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

import veche.dialects

FOLDER = Path(__file__).with_name("transcripts")
EXAMPLES = Path(veche.dialects.__file__).parent.glob("*/examples.txt")
FILES = {str(path.relative_to(FOLDER).with_suffix("")): path for path in sorted(FOLDER.rglob("*.txt"))} | {
    f"{path.parent.name}/examples": path for path in sorted(EXAMPLES)
}
HEARTBEAT = "{}"  # of the native contract: it comes when its time has come


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_transcript(path: Path, servers: Servers) -> None:
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


@pytest.mark.parametrize(("expected", "came"), EQUAL)
def test_what_is_equal(expected: str, came: str) -> None:
    Names(fresh).match(expected, came)


@pytest.mark.parametrize(("expected", "came"), UNEQUAL)
def test_what_is_not(expected: str, came: str) -> None:
    with pytest.raises(Differs):
        Names(fresh).match(expected, came)


class Ear(ClientConnection):
    """A socket that remembers whether it was pinged."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.pings = 0
        super().__init__(*args, **options)

    def process_event(self, event: Any) -> None:
        self.pings += isinstance(event, Frame) and event.opcode is Opcode.PING
        super().process_event(event)


@contextmanager
def playing(transcript: Transcript, running: Running) -> Iterator[Player]:
    with (
        httpx.Client(timeout=PATIENCE, trust_env=False, verify=False) as http,
        ThreadPoolExecutor(8) as threads,
        ExitStack() as closing,
    ):
        yield Player(transcript, running, http, threads, closing)


class Player:
    """Does what one transcript says, line by line."""

    def __init__(
        self,
        transcript: Transcript,
        running: Running,
        http: httpx.Client,
        threads: ThreadPoolExecutor,
        closing: ExitStack,
    ) -> None:
        self.transcript = transcript
        self.running = running
        self.http = http
        self.threads = threads
        self.closing = closing
        self.names = Names(fresh)
        self.sockets: dict[str, Ear] = {}
        self.open: set[str] = set()
        self.asked: dict[str, Future[httpx.Response]] = {}

    def play(self) -> None:
        for step in self.transcript.steps:
            try:
                self.do(step)
            except Unreadable as error:
                self.fail(step.line, str(error))
        for who in sorted(self.open):
            self.silent(self.transcript.steps[-1].line, who)

    def do(self, step: Step) -> None:
        match step:
            case Request():
                self.asked[step.label] = self.threads.submit(self.ask, step)
            case Answer():
                self.compare(step, self.asked.pop(step.label).result(PATIENCE))
            case Connect():
                self.connect(step)
            case Say():
                self.send(step.line, step.who, self.filled(step.text))
            case Hear():
                self.hear(step)
            case Claims():
                self.claims(step)
            case Do(who="server"):
                self.serve(step.verb)
            case Do(verb="after"):
                time.sleep(float(step.rest))
            case Do():
                self.act(step)

    # REST.

    def ask(self, request: Request) -> httpx.Response:
        headers = {name: self.names.fill(value) for name, value in request.headers.items()}
        body = None if request.body is None else self.filled(request.body)
        if body is not None and is_json(body):
            headers.setdefault("Content-Type", "application/json")
        if not headers.get("Content-Type", "x"):
            del headers["Content-Type"]
        url = self.running.base + self.names.fill(request.path)
        return self.http.request(request.method, url, content=body, headers=headers)

    def filled(self, template: str) -> str:
        return self.names.fill(template if is_json(template) else unescape(template))

    def compare(self, expected: Answer, came: httpx.Response) -> None:
        self.same(expected.line, str(expected.status), str(came.status_code), more=came.text)
        media = expected.media or ("application/json" if is_json(expected.body or "") else None)
        if media:
            kind = came.headers.get("Content-Type", "")
            self.same(expected.line, media, kind if ";" in media else kind.partition(";")[0], more=came.text)
        for name, value in expected.headers.items():
            self.same(expected.line, f"{name}: {value}", f"{name}: {came.headers.get(name, '')}", more=came.text)
        self.same(expected.line, expected.body or "", came.text)

    def claims(self, step: Claims) -> None:
        payload = self.names.fill(step.token).split(".")[1]
        self.same(step.line, step.body, base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode())

    # Sockets.

    def connect(self, step: Connect) -> None:
        headers = {name: self.names.fill(value) for name, value in step.headers.items()}
        offered = [part.strip() for part in self.names.fill(step.protocols).split(",") if part.strip()]
        address = self.running.base.replace("http", "ws", 1) + self.names.fill(step.path)
        expected = step.answer or Answer(step.line, "", 101, None, body=None)
        try:
            opening = connect(
                address,
                subprotocols=offered or None,  # type: ignore[arg-type]
                additional_headers=headers,
                open_timeout=PATIENCE,
                close_timeout=PATIENCE,
                ping_interval=None,
                max_size=None,
                max_queue=None,
                proxy=None,
                create_connection=Ear,
            )
            socket = self.closing.enter_context(opening)
        except InvalidStatus as refused:
            found = refused.response
            came = httpx.Response(
                found.status_code, headers=list(found.headers.raw_items()), content=bytes(found.body or b"")
            )
        else:
            assert isinstance(socket, Ear)
            assert socket.response is not None
            self.sockets[step.who] = socket
            self.open.add(step.who)
            came = httpx.Response(101, headers=list(socket.response.headers.raw_items()))
        self.compare(expected, came)

    def socket(self, line: int, who: str) -> Ear:
        return self.sockets.get(who) or self.fail(line, f"{who} has no socket")

    def send(self, line: int, who: str, data: str | bytes, *, text: bool | None = None) -> None:
        try:
            self.socket(line, who).send(data, text=text)
        except ConnectionClosed as closed:
            self.fail(line, "the socket is closed", came=_ending(closed))

    def hear(self, step: Hear) -> None:
        expected = list(step.frames)
        while expected:
            came = self.next_frame(step.line, step.who, expected)
            if came == HEARTBEAT and HEARTBEAT not in expected:
                self.send(step.line, step.who, HEARTBEAT)
                continue
            for frame in expected if not step.in_order else expected[:1]:
                if self.fits(frame, came):
                    expected.remove(frame)
                    break
            else:
                self.fail(step.line, "\n          ".join(expected), came=came)

    def fits(self, expected: str, came: str) -> bool:
        if _is_end(expected) or _is_end(came):
            return expected in (came, " ".join(came.split(" ")[:2])) or (expected, came) == ("close", "close 1005")
        return self.matches(expected, came)

    def matches(self, expected: str, came: str) -> bool:
        try:
            self.names.match(expected, came)
        except Differs:
            return False
        return True

    def next_frame(self, line: int, who: str, expected: object, timeout: float = PATIENCE) -> str:
        try:
            came = self.socket(line, who).recv(timeout)
        except ConnectionClosed as closed:
            self.open.discard(who)
            return _ending(closed)
        except TimeoutError:
            self.fail(line, str(expected), came=f"nothing within {timeout:.0f} s")
        return came if isinstance(came, str) else f"binary {came.hex(' ')}"

    def act(self, step: Do) -> None:
        socket = self.socket(step.line, step.who)
        match step.verb:
            case "silent":
                self.silent(step.line, step.who)
            case "close":
                self.open.discard(step.who)
                socket.close(int(step.rest or 1000))
            case "binary":
                self.send(step.line, step.who, bytes.fromhex(step.rest))
            case "text":
                self.send(step.line, step.who, bytes.fromhex(step.rest), text=True)
            case "pinged":
                deadline = time.monotonic() + PATIENCE
                while not socket.pings:
                    if time.monotonic() > deadline:
                        self.fail(step.line, "a ping", came="none")
                    time.sleep(0.02)
            case "unpinged":
                self.same(step.line, "0 pings", f"{socket.pings} pings")

    def silent(self, line: int, who: str) -> None:
        """All that was asked for before has been read, stored and told when the last pong is here."""
        self.ping_all()
        self.running.fence()
        self.ping_all()
        came: object = HEARTBEAT
        while came == HEARTBEAT:
            try:
                came = self.socket(line, who).recv(0)
            except TimeoutError:
                return
            except ConnectionClosed as closed:
                came = _ending(closed)
        self.fail(line, "nothing more", came=came)

    def ping_all(self) -> None:
        waiting = []
        for who in self.open:
            try:
                waiting.append(self.sockets[who].ping())
            except ConnectionClosed:
                continue
        for pong in waiting:
            pong.wait(PATIENCE)

    # The server.

    def serve(self, verb: str) -> None:
        if not self.transcript.head.own:
            raise Unreadable("only a server of its own can be stopped")
        match verb:
            case "stop":
                self.running.tell_to_stop()
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

    def same(self, line: int, expected: str, came: str, more: str = "") -> None:
        if not self.matches(expected, came):
            self.fail(line, expected, came=came, more=more)

    def fail(self, line: int, expected: str, *, came: object = None, more: str = "") -> NoReturn:
        path = self.transcript.path
        lines = path.read_text(encoding="utf-8").split("\n")
        around = "\n".join(f"  {number:3} {lines[number - 1]}" for number in range(max(1, line - 4), line + 1))
        known = "  ".join(f"{name}={str(value)[:40]}" for name, value in self.names.values.items())
        words = [f"{path}:{line}", around, f"expected  {expected}"]
        words += [f"came      {came}"] if came is not None else []
        words += [f"with body {more}"] if more and more != came else []
        pytest.fail("\n".join([*words, f"known     {known}", f"server    {self.running.folder}"]), pytrace=False)


def _ending(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "gone"
    return f"close {closed.rcvd.code} {closed.rcvd.reason}".rstrip()


def _is_end(frame: str) -> bool:
    return frame == "gone" or frame.split(" ", 1)[0] == "close"
