"""docs/native.md is correct: its calls, codes, figures, fields and examples are those of the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from conftest import Servers
from transcript import Head
from websockets.sync.client import ClientConnection

from veche.core.errors import TEMPORARY, Code
from veche.core.values import Kind
from veche.dialects.native import frames as native_frames
from veche.dialects.native import invitations, rest, room_settings
from veche.dialects.native.errors import CLOSE_CODES, HELLO_TIMEOUT, STATUS, TOKEN_EXPIRED
from veche.dialects.native.limits import limits_of
from veche.wire.heartbeat import Heartbeats
from veche.wire.held import MEGABYTE

from . import page
from .people import PASSWORD, Frame, Person, receive, receive_until_close, send_command

ERRORS = page.line_of("### Errors")  # before this line are the values, after it the frames


class Seen:
    """All that a server sent when each command and call was used once: answers of calls, and frames by name."""

    def __init__(self) -> None:
        self.calls: dict[str, Any] = {}
        self.frames: dict[str, list[Frame]] = {}
        self.routes: dict[str, dict[str, Any]] = {}
        self.limits: dict[str, Any] = {}
        self.pages: dict[str, httpx.Response] = {}

    def note(self, *frames: Frame) -> None:
        for frame in frames:
            self.frames.setdefault(name_of(frame), []).append(frame)

    def call(self, person: Person, method: str, path: str, body: object = None, *, call: str = "", **query: Any) -> Any:
        answer = person.call(method, path, body, **query)
        self.calls[call or f"{method} /v1{path}"] = answer
        return answer


def name_of(frame: Frame) -> str:
    """Name a frame: `answer send`, `message`, `me.read`, `reset me`."""
    name, fields = next((key, value) for key, value in frame.items() if key != "id")
    if name == "me":
        return f"me.{next(key for key in fields if key != 'seq')}"
    if name == "reset":
        return "reset me" if "me" in fields else "reset room"
    if name == "error":
        return "error"
    return f"answer {name}" if "id" in frame else name


@pytest.fixture(scope="module")
def seen(servers: Servers) -> Iterator[Seen]:
    running = servers.new(Head(own=True))
    found = Seen()
    ann, bob = Person.new(running.base, "ann"), Person.new(running.base, "bob")
    try:
        _do_calls(found, ann, bob)
        listening = _do_frames(found, ann, bob)
        running.send_sigterm()
        frames, code = receive_until_close(listening)
        found.note(*frames)
        assert (code, running.ended()) == (4200, 0)
        yield found
    finally:
        for person in (ann, bob):
            person.close()
        running.end()


def _do_calls(found: Seen, ann: Person, bob: Person) -> None:
    document = ann.http.get("/openapi.json").json()
    found.routes = {path: methods for path, methods in document["paths"].items() if path.startswith("/v1/")}
    found.limits = ann.call("GET", "/limits")
    found.pages = {path: ann.http.get(path).raise_for_status() for path in ("/asyncapi.json", "/docs/socket")}
    body = {"username": f"{ann.username}x", "password": PASSWORD}
    found.call(ann, "POST", "/register", body)
    found.call(ann, "POST", "/login", body)
    signed = ann.call("POST", "/login", body | {"refresh": True})
    found.call(ann, "POST", "/refresh", {"refresh_token": signed["refresh_token"]})
    found.call(ann, "GET", "/me")
    found.call(ann, "GET", "/sessions")
    found.call(ann, "PATCH", "/me", {"name": "Ann"})
    found.call(ann, "GET", "/people", username=bob.username)
    room = found.call(ann, "POST", "/rooms", {"kind": "channel", "name": "News"})["id"]
    found.call(ann, "POST", f"/rooms/{room}/messages", {"text": "x"}, call="POST /v1/rooms/{id}/messages")
    found.call(bob, "POST", f"/rooms/{room}/join", call="POST /v1/rooms/{id}/join")
    found.call(bob, "GET", "/rooms")
    found.call(bob, "GET", "/rooms/public")
    found.call(bob, "GET", f"/rooms/{room}", call="GET /v1/rooms/{id}")
    found.call(ann, "PATCH", f"/rooms/{room}", {"name": "Old news"}, call="PATCH /v1/rooms/{id}")
    found.call(bob, "GET", f"/rooms/{room}/members", call="GET /v1/rooms/{id}/members")
    member = f"/rooms/{room}/members/{bob.id}"
    bans = f"/rooms/{room}/bans"
    stranger = found.call(ann, "POST", "/register", {"username": f"{ann.username}z", "password": PASSWORD})["me"]["id"]
    found.call(ann, "POST", bans, {"account_id": stranger}, call="POST /v1/rooms/{id}/bans")
    found.call(ann, "GET", bans, call="GET /v1/rooms/{id}/bans")
    ann.call("DELETE", f"{bans}/{stranger}")
    invitations = f"/rooms/{room}/invitations"
    found.call(ann, "POST", invitations, {"account_id": stranger}, call="POST /v1/rooms/{id}/invitations")
    found.call(ann, "GET", invitations, call="GET /v1/rooms/{id}/invitations")
    ann.call("DELETE", f"{invitations}/{stranger}")
    found.call(ann, "POST", f"/rooms/{room}/members", {"account_id": stranger}, call="POST /v1/rooms/{id}/members")
    found.call(bob, "GET", "/invitations")
    links = f"/rooms/{room}/links"
    code = found.call(ann, "POST", links, {"seconds": 60}, call="POST /v1/rooms/{id}/links")["code"]
    found.call(ann, "GET", links, call="GET /v1/rooms/{id}/links")
    found.call(bob, "GET", f"/links/{code}", call="GET /v1/links/{code}")
    found.call(bob, "POST", f"/links/{code}/join", call="POST /v1/links/{code}/join")
    ann.call("PUT", f"/blocks/{stranger}")
    found.call(ann, "GET", "/blocks")
    found.call(ann, "PATCH", member, {"role": "moderator"}, call="PATCH /v1/rooms/{id}/members/{account_id}")
    found.call(bob, "GET", f"/rooms/{room}/messages", call="GET /v1/rooms/{id}/messages")
    said = found.call(ann, "POST", f"/rooms/{room}/messages", {"text": "y"}, call="POST /v1/rooms/{id}/messages")
    message = f"/rooms/{room}/messages/{said['id']}"
    found.call(bob, "GET", message, call="GET /v1/rooms/{id}/messages/{message_id}")
    bob.call("POST", f"/rooms/{room}/read", {"seq": said["seq"]})
    found.call(ann, "GET", f"{message}/seen", call="GET /v1/rooms/{id}/messages/{message_id}/seen")
    ann.call("PATCH", message, {"text": "z"})
    found.call(ann, "GET", f"{message}/revisions", call="GET /v1/rooms/{id}/messages/{message_id}/revisions")
    ann.call("POST", f"/rooms/{room}/messages", {"text": "in a thread", "thread_id": said["id"]})
    found.call(ann, "GET", f"/rooms/{room}/threads/{said['id']}", call="GET /v1/rooms/{id}/threads/{thread_id}")
    found.call(ann, "GET", "/threads")
    bob.call("PUT", f"{message}/reactions/\U0001f44d")
    ann.call("PUT", f"/rooms/{room}/pins/{said['id']}")
    reactions = "GET /v1/rooms/{id}/messages/{message_id}/reactions/{emoji}"
    found.call(ann, "GET", f"{message}/reactions/\U0001f44d", call=reactions)
    found.call(ann, "GET", f"/rooms/{room}/pins", call="GET /v1/rooms/{id}/pins")
    found.call(ann, "GET", "/search", q="hi")
    file = found.calls["POST /v1/files"] = ann.http.post("/v1/files", params={"name": "a"}, content=b"a").json()
    found.call(ann, "POST", f"/files/{file['id']}/ticket", call="POST /v1/files/{file_id}/ticket")
    ann.call("DELETE", message)


def _do_frames(found: Seen, ann: Person, bob: Person) -> ClientConnection:
    room, news = ann.make_room(bob), bob.make_room(kind="channel")
    ann.call("POST", f"/rooms/{room}/messages", {"text": "before"})
    socket, frames = bob.listen(rooms={str(room): 0, "999999": 0}, me=0)
    found.note(*frames)
    stale, frames = bob.listen(epoch="another", rooms={str(room): 0}, me=0)
    found.note(*frames)
    stale.close()
    listening, _ = ann.listen()
    found.note(*send_command(listening, 2, send={"room_id": room, "text": "hi", "client_message_id": f"c-{room}"}))
    read = receive(listening)["message"]["id"]
    found.note(*send_command(listening, 3, send={"room_id": 999999, "text": "hi"}))
    found.note(*send_command(listening, 4, join={"room_id": news}))
    found.note(*send_command(listening, 5, who={"room_id": room}))
    found.note(*send_command(listening, 6, leave={"room_id": news}))
    found.note(*send_command(listening, 7, refresh={"token": ann.token}))
    other, _ = bob.listen()
    send_command(other, 2, typing={"room_id": room})
    found.note(receive(listening))
    found.note(*send_command(listening, 22, typing={"room_id": room}))
    other.close()
    found.note(*send_command(listening, 7, read={"room_id": room, "seq": 1}))
    found.note(*send_command(listening, 8, sync={"rooms": {str(room): 0}, "me": 0}))
    found.note(*send_command(listening, 9, edit={"room_id": room, "message_id": read, "text": "ho"}))
    found.note(receive(listening))
    for number, name in enumerate(("react", "unreact", "pin", "unpin"), 20):
        more = {"emoji": "\U0001f44d"} if "react" in name else {}
        found.note(*send_command(listening, number, **{name: {"room_id": room, "message_id": read, **more}}))
        found.note(receive(listening))
    other = ann.call("POST", f"/rooms/{room}/messages", {"text": "to be deleted"})["id"]
    found.note(*send_command(listening, 11, unfollow={"room_id": room, "thread_id": read}))
    found.note(*send_command(listening, 12, follow={"room_id": room, "thread_id": read}))
    found.note(receive(listening))
    found.note(*send_command(listening, 10, delete={"room_id": room, "message_id": other}))
    found.note(receive(listening))
    with bob.socket(f"/ws/{room}?token={bob.token}") as reader:
        reader.send(json.dumps({"type": "read", "message_id": read}))
        while "me.message_read" not in found.frames:
            found.note(receive(listening))
    found.note(*send_command(listening, 11, role={"room_id": room, "account_id": bob.id, "role": "moderator"}))
    found.note(receive(listening))
    stranger = ann.call("POST", "/register", {"username": f"{ann.username}y", "password": PASSWORD})["me"]["id"]
    for id, command in (16, "invite"), (17, "uninvite"), (12, "ban"), (13, "unban"):
        found.note(*send_command(listening, id, **{command: {"room_id": room, "account_id": stranger}}))
        found.note(receive(listening))
    invited = bob.make_room()
    bob.call("POST", f"/rooms/{invited}/invitations", {"account_id": ann.id})
    found.note(receive(listening))
    found.note(*send_command(listening, 18, uninvite={"room_id": invited, "account_id": ann.id}))
    found.note(receive(listening))
    found.note(*send_command(listening, 19, link={"room_id": room, "seconds": 60, "uses": 1}))
    code = bob.call("POST", f"/rooms/{invited}/links", {})["code"]
    found.note(*send_command(listening, 20, join_link={"code": code}))
    found.note(receive(listening))
    found.note(receive(listening))
    found.note(*send_command(listening, 21, unlink={"room_id": room, "code": code}))
    found.note(*send_command(listening, 14, update_room={"room_id": room, "topic": "Lunch"}))
    found.note(receive(listening))
    found.note(*send_command(listening, 15, notify={"room_id": room, "level": "none"}))
    found.note(receive(listening))
    ann.call("PATCH", f"/rooms/{room}", {"name": "Crew"})
    ann.call("PATCH", "/me", {"name": "Ann B."})
    ann.call("POST", f"/rooms/{room}/leave")
    while not {"renamed", "owner", "left"} <= found.frames.keys():
        found.note(receive(socket))
    ann.call("PUT", "/me/password", {"old_password": PASSWORD, "new_password": "battery staple"})
    while "me.sessions_ended" not in found.frames:
        found.note(receive(listening))
    while "me.read" not in found.frames:
        found.note(receive(socket))
    return listening


# Calls.


def documented_calls() -> dict[tuple[str, str], list[str]]:
    rows = page.table("REST")
    return {(call[0], call[1]): row for row in rows if (call := page.codes(row[0])[0].split(" ", 1))}


def documented_answers() -> list[tuple[str, str]]:
    """Return the calls whose answer the page shows key by key, each with that answer."""
    rows = page.table("REST")
    shown = [(page.codes(row[0])[0], [cell for cell in page.codes(row[2]) if cell.startswith("{")]) for row in rows]
    return [(call, cells[0]) for call, cells in shown if cells and call != "GET /healthz"]


def test_the_page_has_exactly_the_routes_of_the_server(seen: Seen) -> None:
    served = {
        (method.upper(), re.sub(r"\{room_id\}", "{id}", path)) for path, ways in seen.routes.items() for method in ways
    }
    assert served == set(documented_calls()) - {("GET", "/healthz")}


def test_the_page_has_every_field_of_a_body_and_query(seen: Seen) -> None:
    schemas = {
        "RegisterBody": "POST /v1/register",
        "LoginBody": "POST /v1/login",
        "ProfileBody": "PATCH /v1/me",
        "UpdateBody": "PATCH /v1/rooms/{id}",
        "PasswordBody": "PUT /v1/me/password",
        "RoomBody": "POST /v1/rooms",
        "InvitationBody": "POST /v1/rooms/{id}/members",
        "MessageBody": "POST /v1/rooms/{id}/messages",
        "ReadBody": "POST /v1/rooms/{id}/read",
    }
    calls = {" ".join(call): row for call, row in documented_calls().items()}
    for name, call in schemas.items():
        documented = set(page.codes(calls[call][1])) - {"group", "channel", "direct", "Idempotency-Key"}
        body = next(getattr(module, name) for module in (rest, room_settings, invitations) if hasattr(module, name))
        assert documented == set(body.model_fields), call
    for path, ways in seen.routes.items():
        for method, route in ways.items():
            asked = {parameter["name"] for parameter in route.get("parameters", []) if parameter["in"] == "query"}
            row = calls[f"{method.upper()} {path.replace('{room_id}', '{id}')}"]
            in_query = method == "get" or path == "/v1/files"  # the body of that one is a file
            assert asked == (set(page.codes(row[1])) if in_query else set()), path


@pytest.mark.parametrize(("call", "shown"), documented_answers(), ids=[call for call, _ in documented_answers()])
def test_the_answer_of_a_call_has_the_keys_that_are_shown(seen: Seen, call: str, shown: str) -> None:
    assert page.differs(page.parse_loose(shown), seen.calls[call], whole=True) == []


def test_rooms_and_messages_have_the_keys_that_are_shown(seen: Seen) -> None:
    blocks = [example for example in page.examples() if example.line < ERRORS]
    room, message = (next(e.value for e in blocks if key in e.value) for key in ("kind", "room_id"))
    rooms = [*seen.calls["GET /v1/rooms"]["items"], *seen.calls["GET /v1/rooms/public"]["items"]]
    for real in (*rooms, seen.calls["GET /v1/rooms/{id}"], seen.calls["POST /v1/rooms/{id}/join"]):
        assert page.differs(room, real, whole=True) == []
    messages = [*seen.calls["GET /v1/rooms/{id}/messages"]["items"], seen.calls["POST /v1/rooms/{id}/messages"]]
    for real in messages:
        assert page.differs(message, real, whole=True) == []


def test_the_kinds_of_rooms() -> None:
    [row] = [row for row in page.table("Words") if row[0] == "room"]
    assert set(page.codes(row[1])) - {"id", "kind"} == {str(kind) for kind in Kind}


# Errors, limits, codes.


def test_the_page_has_every_error_code_with_its_status() -> None:
    rows = {page.codes(row[0])[0]: (int(row[1]), row[2] == "yes") for row in page.table("Errors")}
    real = {str(code): (STATUS[code], code in TEMPORARY) for code in Code}
    assert rows == real | {"method_not_allowed": (405, False)}


def numbers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def test_the_limits_are_those_of_the_server(seen: Seen) -> None:
    assert seen.limits == msgspec.to_builtins(limits_of(Heartbeats(), 50 * MEGABYTE))
    rows = {page.codes(row[1])[0]: row[2] for row in page.table("Limits")}
    assert set(rows) == set(seen.limits)
    for name, real in seen.limits.items():
        shown = numbers(rows[name])
        if isinstance(real, dict):
            assert shown[:2] == list(real.values()), name
        else:
            assert real in shown[:2], name


def test_the_figures_in_the_text_are_those_of_the_server(seen: Seen) -> None:
    sections = page.sections()
    limits = seen.limits
    assert f"within {limits['hello_within_ms'] // 1000} seconds" in sections["hello"]
    assert f"more than {limits['replay_events']} events" in sections["hello"]
    heartbeat = sections["Heartbeat"]
    assert f"every {limits['ping_interval_ms'] // 1000} s" in heartbeat
    assert f"within {limits['pong_timeout_ms'] // 1000} s" in heartbeat
    assert f"1..{limits['page']} (50)" in sections["REST"]


def test_the_close_codes_are_those_of_the_source() -> None:
    rows = [(code, page.codes(row[1])) for row in page.table("Closing") for code in row[0].split(", ")]
    documented = {code: words[0] if words else "" for code, words in rows}
    closes = (*CLOSE_CODES.values(), HELLO_TIMEOUT, TOKEN_EXPIRED)
    ends = {str(code): reason for code, reason in closes}
    assert {code for code in documented if code.startswith("4")} == {code for code in ends if code[0] == "4"}
    assert {code: reason for code, reason in ends.items() if code[0] == "4"}.items() <= documented.items()
    assert {"1003", "1007", "1009"} <= set(documented)


# Commands and frames.


def test_the_commands_have_the_fields_and_answers_that_are_shown(seen: Seen) -> None:
    rows = {page.codes(row[0])[0]: row for row in page.table("Commands")}
    assert set(rows) == set(native_frames.NAMES)
    for name, row in rows.items():
        assert set(page.codes(row[1])) == set(native_frames.STRUCTS[name].__struct_fields__), name
        shown = {code for code in page.codes(row[2]) if not code.startswith(("{", "["))}
        for answer in seen.frames[f"answer {name}"]:
            assert set(answer[name]) == shown, name


EXAMPLES = [example for example in page.examples() if example.line > ERRORS and example.value]


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{example.line}" for example in EXAMPLES])
def test_a_frame_has_the_keys_that_are_shown(seen: Seen, example: page.Example) -> None:
    if example.sent:
        native_frames.decode(json.dumps(example.value))
        return
    name = name_of(example.value)
    assert name in seen.frames, f"{name} was not seen, only {sorted(seen.frames)}"
    for frame in seen.frames[name]:
        if "error" in frame:
            frame["error"].pop("field", None)
        for later in ("revision", "edited_at"):  # who is behind gets a message as it is by then
            frame.get("message", {}).pop(later, None)
        assert page.differs(example.value, frame, example.whole) == []


def test_the_page_has_every_event_that_was_sent(seen: Seen) -> None:
    shown = {name_of(example.value) for example in EXAMPLES if not example.sent}
    answers = {f"answer {name}" for name in native_frames.NAMES}
    assert set(seen.frames) <= shown | answers
