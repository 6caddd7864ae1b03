"""Bad input to the native dialect gets a refusal of this dialect or a close with a code: no 5xx, no traceback.

It does not affect other clients: after each test, a second client receives the next message and nothing before it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import RunningServer, Servers
from transcript import Head
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from veche.dialects.native.errors import STATUS

from .people import LOBBY, PASSWORD, Frame, Person, receive, receive_until_close

PROBLEM = ["type", "title", "status", "detail", "code", "temporary"]
KNOWN = {str(code): status for code, status in STATUS.items()} | {"method_not_allowed": 405}
BIG = "9223372036854775808"  # 2^63

TEXTS = [r'"nul \u0000"', r'"lone \ud800"', r'"turned \udc00\ud800"']  # invalid in every text that is stored
NO_TEXTS = ["1", "1.5", "true", "NaN", "-Infinity", "[]", "{}", '["x"]', '{"a":"x"}', "[" * 20_000 + "]" * 20_000]
NO_IDS = [BIG, f"-{BIG}", "-1", "1.5", "1e3", '"1"', "true", "null", "NaN", "Infinity", "[]", "{}", "[1]", "9" * 5_000]
NO_LISTS = [
    "1",
    '"x"',
    "true",
    "{}",
    f"[{BIG}]",
    "[-1]",
    "[1.5]",
    '["1"]',
    "[true]",
    "[null]",
    "[[1]]",
    "[NaN]",
]

UNREADABLE = {
    "empty": b"",
    "blank": b"  ",
    "truncated": b'{"text":"x"',
    "cut in a string": b'{"text":"x',
    "cut in an escape": b'{"text":"\\u00',
    "a comma too many": b'{"text":"x",}',
    "two values": b'{"text":"x"} {}',
    "single quotes": b"{'text':'x'}",
    "no JSON": b"text=x",
    "not UTF-8": b'{"text":"\xff\xfe"}',
    "a surrogate in UTF-8": b'{"text":"\xed\xa0\x80"}',
    "UTF-16": '{"text":"x"}'.encode("utf-16-le")[:-1],
    "a control character": b'{"text":"\x01"}',
    "a raw NUL": b'{"text":"\x00"}',
    "deep": b"[" * 30_000 + b"]" * 30_000,
    "deep and open": b"[" * 60_000,
    "deep objects": b'{"a":' * 10_000,
    "deep below a key": b'{"text":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "NaN": b"NaN",
    "infinity": b"-1e999",
    "true": b"true",
}

# Each call with a valid body, and invalid values for each of its fields.
CALLS: dict[str, tuple[str, str, dict[str, str]]] = {
    "register": ("POST", "/v1/register", {"username": '"{new}"', "password": f'"{PASSWORD}"'}),
    "login": ("POST", "/v1/login", {"username": '"{ann}"', "password": f'"{PASSWORD}"'}),
    "password": ("PUT", "/v1/me/password", {"old_password": f'"{PASSWORD}"', "new_password": '"battery staple"'}),
    "close": ("DELETE", "/v1/me", {}),
    "make": ("POST", "/v1/rooms", {"kind": '"group"', "name": '"x"', "member_ids": "[]"}),
    "rename": ("PATCH", "/v1/rooms/{room}", {"name": '"x"'}),
    "profile": ("PATCH", "/v1/me", {}),
    "bring": ("POST", "/v1/rooms/{room}/members", {"account_id": "{bob}"}),
    "send": ("POST", "/v1/rooms/{room}/messages", {"text": '"x"'}),
    "read": ("POST", "/v1/rooms/{room}/read", {"seq": "1"}),
}
BAD: list[tuple[str, str, list[str]]] = [
    ("register", "username", [*TEXTS, *NO_TEXTS, "null", '""', '"a b"', '"a\u202eb"', f'"{"x" * 33}"']),
    ("register", "password", [*NO_TEXTS, "null", '""', f'"{"x" * 1025}"']),
    ("register", "name", [*TEXTS, *NO_TEXTS, '""', '"  "', r'"a\u200bb"', f'"{"x" * 51}"']),
    ("register", "email", [*TEXTS, *NO_TEXTS, '""', '"x"', '"a@b"', f'"{"x" * 300}@example.com"']),
    ("login", "username", [*TEXTS, *NO_TEXTS, "null"]),
    ("login", "email", [*TEXTS, *NO_TEXTS, '"x@example.com"']),
    ("close", "password", [*NO_TEXTS, "null", r'"lone \ud800"']),
    ("login", "device", [*TEXTS, *NO_TEXTS, '""', '"  "', f'"{"x" * 65}"']),
    ("login", "password", [*NO_TEXTS, "null", r'"lone \ud800"']),
    ("password", "old_password", [*NO_TEXTS, "null", r'"lone \ud800"', f'"{"x" * 60_000}"']),
    ("password", "new_password", [*NO_TEXTS, "null", '""', f'"{"x" * 1025}"']),
    ("make", "kind", [*TEXTS, *NO_TEXTS, '"lobby"', '"GROUP"', '""']),
    ("make", "name", [*TEXTS, *NO_TEXTS, "null", '""', f'"{"x" * 101}"']),
    (
        "make",
        "member_ids",
        [*(value for value in NO_LISTS if value != "null"), "[999999]", f"[{LOBBY}]", f"[{','.join(['1'] * 101)}]"],
    ),
    ("rename", "name", [*TEXTS, *NO_TEXTS, "null", '""', '"  "', r'"a\u200bb"', f'"{"x" * 101}"']),
    ("profile", "name", [*TEXTS, *NO_TEXTS, '""', '"  "', r'"a\u200bb"', f'"{"x" * 51}"']),
    ("profile", "email", [*TEXTS, *NO_TEXTS, '""', '"x"', '"a@b"', '"new@example.com"', f'"{"x" * 300}@example.com"']),
    ("profile", "password", NO_TEXTS),
    ("bring", "account_id", [*NO_IDS, "0", "999999", f"{LOBBY}", "9223372036854775807"]),
    ("send", "text", [*TEXTS, *NO_TEXTS, "null", '""', f'"{"x" * 16_385}"', f'"{"п" * 8_193}"']),
    ("send", "client_message_id", [*TEXTS, *NO_TEXTS, '""', f'"{"x" * 65}"']),
    ("read", "seq", NO_IDS),
]

# The same for the socket's commands.
COMMANDS: dict[str, dict[str, str]] = {
    "send": {"room_id": "{room}", "text": '"x"'},
    "join": {"room_id": "{room}"},
    "leave": {"room_id": "999999"},
    "read": {"room_id": "{room}", "seq": "1"},
    "sync": {},
    "who": {"room_id": "{room}"},
    "refresh": {"token": '"x"'},
}
NO_POSITIONS = [
    "1",
    '"x"',
    "[]",
    "true",
    "null",
    f'{{"{BIG}":0}}',
    '{"x":0}',
    '{"1.5":0}',
    '{"-1":0}',
    '{"0":0}',
    '{"":0}',
    '{"1":-1}',
    '{"1":1.5}',
    '{"1":"0"}',
    '{"1":true}',
    '{"1":null}',
    f'{{"1":{BIG}}}',
    '{"1":NaN}',
    r'{"\ud800":0}',
]
ROOM_IDS = [*NO_IDS, "0"]
BAD_COMMANDS: list[tuple[str, str, list[str]]] = [
    ("send", "room_id", [*ROOM_IDS, "999999"]),
    ("send", "text", [*TEXTS, *NO_TEXTS, "null", '""', f'"{"x" * 16_385}"', f'"{"п" * 8_193}"']),
    ("send", "client_message_id", [*TEXTS, *NO_TEXTS, '""', f'"{"x" * 65}"']),
    ("join", "room_id", [*ROOM_IDS, "999999"]),
    ("leave", "room_id", [*ROOM_IDS, "999999"]),
    ("read", "room_id", [*ROOM_IDS, "999999"]),
    ("read", "seq", NO_IDS),
    ("who", "room_id", [*ROOM_IDS, "999999"]),
    ("sync", "rooms", [value for value in NO_POSITIONS if value != "null"]),
    ("sync", "me", [value for value in NO_IDS if value != "null"]),
    ("refresh", "token", [r'"lone \ud800"', *NO_TEXTS, "null", '""', '"x"', f'"{"x" * 4_097}"']),
    ("hello", "token", [r'"lone \ud800"', *NO_TEXTS, f'"{"x" * 4_097}"']),
    ("hello", "epoch", [*NO_TEXTS, f'"{"x" * 65}"']),
    ("hello", "rooms", [value for value in NO_POSITIONS if value != "null"]),
    ("hello", "me", [value for value in NO_IDS if value != "null"]),
]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def running(servers: Servers) -> RunningServer:
    return servers.shared(Head())


@pytest.fixture(scope="module")
def ann(running: RunningServer) -> Iterator[Person]:
    person = Person.new(running.base, "ann")
    yield person
    person.close()


@pytest.fixture(scope="module")
def bob(running: RunningServer) -> Iterator[Person]:
    person = Person.new(running.base, "bob")
    yield person
    person.close()


class Room:
    """A room of ann and bob, and a socket of bob that receives its events."""

    def __init__(self, ann: Person, bob: Person) -> None:
        self.ann, self.bob = ann, bob
        self.id = ann.make_room(bob)
        self.other_socket, _ = bob.listen()

    def fill(self, template: str) -> str:
        names = {"{room}": self.id, "{bob}": self.bob.id, "{ann}": self.ann.username, "{new}": f"new{next(_numbers)}"}
        for name, value in names.items():
            template = template.replace(name, str(value))
        return template

    def check_no_frames(self) -> None:
        """Check that bob's socket receives the next message and nothing before it."""
        text = f"next {next(_numbers)}"
        self.ann.call("POST", f"/rooms/{self.id}/messages", {"text": text})
        frames = [receive(self.other_socket)]
        while "message" not in frames[-1] or frames[-1]["message"]["text"] != text:
            frames.append(receive(self.other_socket))
        assert len(frames) == 1, frames


@pytest.fixture(scope="module")
def shared_room(ann: Person, bob: Person) -> Room:
    return Room(ann, bob)


@pytest.fixture
def room(shared_room: Room, running: RunningServer) -> Iterator[Room]:
    yield shared_room
    shared_room.check_no_frames()
    assert "Traceback" not in running.log
    assert PASSWORD not in running.log


def refused(answer: httpx.Response, *codes: str, secret: str = PASSWORD) -> Frame:
    """Check that an answer is a problem as docs/native.md describes it, without secrets; return its body."""
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: Frame = answer.json()
    assert list(body) in (PROBLEM, [*PROBLEM, "errors"])
    assert body["status"] == answer.status_code == KNOWN[body["code"]]
    assert not codes or body["code"] in codes, body
    for error in body.get("errors", []):
        assert list(error) == ["field", "message"]
    assert secret not in answer.text
    assert "Traceback" not in answer.text
    return body


class TestCalls:
    def send(self, room: Room, call: str, body: bytes, **headers: str) -> httpx.Response:
        method, path, _ = CALLS[call]
        content_type = {"Content-Type": "application/json"} | headers
        return room.ann.http.request(method, room.fill(path), content=body, headers=content_type)

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("kind", UNREADABLE)
    def test_unreadable_input(self, room: Room, call: str, kind: str) -> None:
        refused(self.send(room, call, UNREADABLE[kind]), "bad_request", "invalid")

    @pytest.mark.parametrize(("call", "name", "values"), BAD, ids=[f"{call}-{name}" for call, name, _ in BAD])
    def test_invalid_field_values(self, room: Room, call: str, name: str, values: list[str]) -> None:
        for value in values:
            fields = CALLS[call][2] | {name: value}
            body = "{" + ",".join(f'"{key}":{text}' for key, text in fields.items()) + "}"
            try:
                problem = refused(self.send(room, call, room.fill(body).encode()))
            except AssertionError as error:
                raise AssertionError(f"{name} = {value[:80]}: {error}") from None
            if problem["code"] == "invalid":
                assert problem.get("errors"), f"{name} = {value[:80]} is refused without a field: {problem}"

    @pytest.mark.parametrize("call", CALLS)
    def test_missing_and_unknown_fields(self, room: Room, call: str) -> None:
        fields = {key: json.loads(room.fill(text)) for key, text in CALLS[call][2].items()}
        for key in set(fields) - {"kind", "member_ids"}:
            left = {name: value for name, value in fields.items() if name != key}
            refused(self.send(room, call, json.dumps(left).encode()), "invalid")
        for key in ("admin", "", "\0", "__proto__", "id"):
            body = refused(self.send(room, call, json.dumps(fields | {key: PASSWORD}).encode()), "invalid")
            assert "errors" in body

    @pytest.mark.parametrize("call", CALLS)
    def test_a_body_too_large(self, room: Room, call: str) -> None:
        fits = b'{"text":"' + b"x" * 65_600 + b'"}'
        refused(self.send(room, call, fits), "too_large")
        refused(self.send(room, call, b"[" * 100_000 + b"]" * 100_000), "too_large")

    def test_a_chunked_body_that_is_too_large(self, room: Room) -> None:
        chunks = (b"x" * 10_000 for _ in range(20))
        path = f"/v1/rooms/{room.id}/messages"
        headers = {"Content-Type": "application/json"}
        refused(room.ann.http.post(path, content=chunks, headers=headers), "too_large")

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""]
    )
    def test_another_content_type(self, room: Room, kind: str) -> None:
        refused(self.send(room, "read", b'{"seq":', **{"Content-Type": kind}), "bad_request", "invalid")

    def test_a_repeated_key(self, room: Room) -> None:
        """The last one counts, as in JSON.parse."""
        body = b'{"seq":-1,"seq":1}'
        assert self.send(room, "read", body).status_code == 204
        refused(self.send(room, "read", b'{"seq":1,"seq":-1}'), "invalid")

    @pytest.mark.parametrize(
        "id", ["0", "-1", BIG, "1.5", "1e3", "x", "true", "null", "NaN", "%00", "%ED%A0%80", "9" * 5000]
    )
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v1/rooms/{}"),
            ("GET", "/v1/rooms/{}/members"),
            ("GET", "/v1/rooms/{}/messages"),
            ("POST", "/v1/rooms/{}/join"),
            ("POST", "/v1/rooms/{}/leave"),
            ("DELETE", "/v1/rooms/1/members/{}"),
        ],
    )
    def test_invalid_ids(self, room: Room, method: str, path: str, id: str) -> None:
        refused(room.ann.http.request(method, path.format(id)), "invalid", "not_found")

    @pytest.mark.parametrize(
        "value", ["-1", BIG, "1.5", "x", "true", "null", "NaN", "", "%00", "%ED%A0%80", "9" * 5000]
    )
    @pytest.mark.parametrize("name", ["limit", "before_seq", "after_seq", "around_seq"])
    def test_invalid_query_values(self, room: Room, name: str, value: str) -> None:
        refused(room.ann.http.get(f"/v1/rooms/{room.id}/messages?{name}={value}"), "invalid")

    @pytest.mark.parametrize("value", ["-1", BIG, "1.5", "x", "%00", "%ED%A0%80", "٣", "9" * 5000, "", "%20"])
    @pytest.mark.parametrize("path", ["/v1/rooms", "/v1/rooms/public"])
    def test_invalid_cursors(self, room: Room, path: str, value: str) -> None:
        refused(room.ann.http.get(f"{path}?cursor={value}"), "invalid")

    @pytest.mark.parametrize("key", [b"x" * 65, b"\x80\x81", b"x" * 20_000, b""])
    def test_invalid_idempotency_keys(self, room: Room, key: bytes) -> None:
        path, headers = f"/v1/rooms/{room.id}/messages", [(b"Idempotency-Key", key)]
        refused(room.ann.http.post(path, json={"text": "x"}, headers=headers), "invalid")

    def test_invalid_http(self, room: Room) -> None:
        """uvicorn refuses a control character in a header before the dialect sees the request."""
        answer = room.ann.http.get("/v1/me", headers=[(b"X-Any", b"nul \x01")])
        assert (answer.status_code, answer.text) == (400, "Invalid HTTP request received.")

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Basic YTpi",
            "bearer x y",
            f"Bearer {'x' * 20_000}",
            "Bearer a.b.c",
            "Bearer ..",
            "x",
        ],
    )
    def test_invalid_tokens(self, room: Room, header: str) -> None:
        answer = room.ann.http.get("/v1/me", headers={"Authorization": header})
        refused(answer, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_token_that_is_not_ascii(self, room: Room) -> None:
        refused(room.ann.http.get("/v1/me", headers=[(b"Authorization", b"Bearer \xff\xfe")]), "unauthenticated")


class TestFrames:
    @pytest.fixture
    def socket(self, room: Room) -> Iterator[ClientConnection]:
        """Ann's socket after hello; it receives only the messages that the test causes."""
        socket, _ = room.ann.listen()
        with socket:
            yield socket

    @pytest.fixture
    def stranger(self, room: Room) -> Iterator[ClientConnection]:
        """A socket that has not sent hello."""
        with room.ann.socket() as socket:
            yield socket

    def check_open(self, socket: ClientConnection) -> None:
        socket.send('{"id":77,"sync":{}}')
        assert receive(socket)["id"] == 77

    @pytest.mark.parametrize("kind", UNREADABLE)
    def test_unreadable_input(self, socket: ClientConnection, kind: str) -> None:
        try:
            text = UNREADABLE[kind].decode()
        except UnicodeDecodeError:
            socket.send(UNREADABLE[kind], text=True)
            assert receive_until_close(socket) == ([], 1007)
            return
        socket.send(text)
        frame = receive(socket)
        assert list(frame) == ["error"]
        assert frame["error"]["code"] == "bad_request"
        self.check_open(socket)

    @pytest.mark.parametrize(
        ("command", "name", "values"), BAD_COMMANDS, ids=[f"{command}-{name}" for command, name, _ in BAD_COMMANDS]
    )
    def test_invalid_field_values(
        self, room: Room, stranger: ClientConnection, command: str, name: str, values: list[str]
    ) -> None:
        socket = stranger if command == "hello" else room.ann.listen()[0]
        for id, value in enumerate(values, start=100):
            fields = COMMANDS.get(command, {}) | {name: value}
            body = ",".join(f'"{key}":{room.fill(text)}' for key, text in fields.items())
            socket.send(f'{{"id":{id},"{command}":{{{body}}}}}')
            frame = self.receive_refusal(socket, f"{name} = {value[:80]}")
            assert frame.get("id") in (id, None), f"{name} = {value[:80]}: {frame}"
            assert set(frame["error"]) - {"field", "retry_after_ms"} == {"code", "message", "temporary"}
            assert frame["error"]["code"] in KNOWN
        socket.close()

    def receive_refusal(self, socket: ClientConnection, what: str) -> Frame:
        try:
            frame = receive(socket)
        except ConnectionClosed as closed:
            raise AssertionError(f"{what} closed the socket: {closed}") from None
        except TimeoutError:
            raise AssertionError(f"{what} is not answered") from None
        if "error" not in frame:
            raise AssertionError(f"{what} is taken: {frame}")
        return frame

    @pytest.mark.parametrize(
        "id", [BIG, "9007199254740992", "-1", "1.5", '"1"', "true", "[]", "{}", "NaN", "9" * 5_000]
    )
    def test_invalid_command_ids(self, socket: ClientConnection, id: str) -> None:
        socket.send(f'{{"id":{id},"sync":{{}}}}')
        frame = receive(socket)
        assert list(frame) == ["error"]
        assert frame["error"]["code"] == "bad_request"
        self.check_open(socket)

    @pytest.mark.parametrize(
        "frame",
        [
            '{"id":5}',
            '{"id":5,"dance":{}}',
            '{"id":5,"sync":{},"who":{"room_id":1}}',
            '{"id":5,"sync":{},"admin":true}',
            '{"id":5,"sync":null}',
            '{"id":5,"sync":[]}',
            '{"id":5,"sync":"x"}',
            '{"id":5,"sync":1}',
            '{"id":5,"error":{}}',
            '{"id":5,"bye":{"code":1000}}',
            '{"id":5,"\\u0000":{}}',
            '{"id":5,"__proto__":{}}',
            '{"id":5,"hello":{}}',
        ],
    )
    def test_invalid_commands(self, socket: ClientConnection, frame: str) -> None:
        socket.send(frame)
        answer = receive(socket)
        assert answer["id"] == 5
        assert answer["error"]["code"] == "bad_request"
        self.check_open(socket)

    @pytest.mark.parametrize(
        ("command", "field"),
        [
            ('"sync":{"admin":true}', "admin"),
            ('"sync":{"rooms":{"x":1}}', "rooms"),
            ('"sync":{"rooms":{' + ",".join(f'"{number}":1' for number in range(1, 1002)) + "}}", "rooms"),
            ('"send":{}', "room_id"),
            ('"send":{"room_id":1}', "text"),
            ('"send":{"room_id":"1","text":"a"}', "room_id"),
            (r'"send":{"room_id":1,"text":"a\ud83d"}', "text"),
            ('"who":{"room_id":1,"cursor":"next"}', "cursor"),
            ('"read":{"room_id":1,"seq":-1}', "seq"),
        ],
    )
    def test_an_error_names_the_field(self, socket: ClientConnection, command: str, field: str) -> None:
        socket.send(f'{{"id":5,{command}}}')
        answer = receive(socket)
        assert (answer["id"], answer["error"]["code"], answer["error"]["field"]) == (5, "invalid", field)

    def test_a_repeated_key(self, room: Room, socket: ClientConnection) -> None:
        """The last one counts, as in JSON.parse."""
        socket.send('{"id":1,"id":2,"sync":{"me":-1},"sync":{}}')
        answer = receive(socket)
        assert "error" in answer or answer["id"] == 2
        self.check_open_after_sync(socket)

    def check_open_after_sync(self, socket: ClientConnection) -> None:
        socket.send('{"id":77,"sync":{}}')
        while receive(socket).get("id") != 77:
            pass

    @pytest.mark.parametrize("name", [name for name in COMMANDS if name != "sync"])
    def test_a_command_before_hello(self, room: Room, stranger: ClientConnection, name: str) -> None:
        fields = ",".join(f'"{key}":{room.fill(text)}' for key, text in COMMANDS[name].items())
        stranger.send(f'{{"id":1,"{name}":{{{fields}}}}}')
        answer = receive(stranger)
        assert (answer["id"], answer["error"]["code"]) == (1, "unauthenticated")

    @pytest.mark.parametrize(
        "data",
        ["x" * 65_537, "[" * 100_000 + "]" * 100_000, '{"id":1,"sync":{"rooms":' + '{"1":0}' + " " * 65_536 + "}}"],
        ids=["long", "deep", "blanks"],
    )
    def test_a_frame_too_long(self, socket: ClientConnection, data: str) -> None:
        socket.send(data)
        frames, code = receive_until_close(socket)
        assert code == 1009
        assert all(list(frame) == ["bye"] for frame in frames)

    @pytest.mark.parametrize("data", [b"", b"\x00\xff", b'{"id":1,"sync":{}}'])
    def test_a_binary_frame_closes(self, socket: ClientConnection, data: bytes) -> None:
        socket.send(data)
        frames, code = receive_until_close(socket)
        assert code == 1003
        assert frames == [{"bye": {"code": 1003, "reason": "text_only"}}]

    @pytest.mark.parametrize(
        "protocols", [["veche.v1", "bearer."], ["bearer.x"], ["x"], ["veche.v1", "bearer.a", "bearer.b"]]
    )
    def test_subprotocols_without_a_good_token(self, room: Room, protocols: list[str]) -> None:
        address = f"{room.ann.base.replace('http', 'ws', 1)}/v1/socket"
        options: dict[str, Any] = {"proxy": None, "ping_interval": None}
        with connect(address, subprotocols=[Subprotocol(name) for name in protocols], **options) as socket:
            socket.send('{"id":1,"hello":{}}')
            frames, code = receive_until_close(socket)
        assert code == 4001
        assert [next(key for key in frame if key != "id") for frame in frames] == ["error", "bye"]
