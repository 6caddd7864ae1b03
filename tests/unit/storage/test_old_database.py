"""A database that commit f610f63 made opens with the code of today, says what it said then, and goes on.

Only the wire and the command line are used, so this holds however Veche is built inside. What is in the database, and
how it came there, stands in `tests/fixtures/make_f610f63.py`; the positions and times below are those it made.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from laws.dialects import MESSENGER, SOCKETIO, opened
from laws.town import LOBBY, Frame, Person, Server, Socket, serving
from laws.town import run as run_veche

from veche.storage.migrate import schema_version

pytestmark = pytest.mark.slow

DUMP = Path(__file__).parents[2] / "fixtures" / "f610f63.sql"
SECRET = "the secret of the database of f610f63"
EPOCH = "f610f63f610f63f6"
CORRECT, CHANGED = "correct horse battery", "changed horse battery"
TOKEN = (  # of ann's session `ann-native`, until 2045
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJ2ZWNoZSIsImF1ZCI6InZlY2hlIiwidHlwIjoiYWNjZXNzIi"
    "wianRpIjoiMDEzZGJjZGZkOTBiZjU4MiIsInN1YiI6IjEiLCJzaWQiOiJhbm4tbmF0aXZlIiwiaWF0IjoxNzY3MzIzMDQwLCJleHAiOjIzOTgw"
    "NDMwNDAsImlkIjoxLCJ1c2VyX2lkIjoxLCJ1c2VybmFtZSI6ImFubiJ9.RkagPHC7tJHiWbUWoSigDuPDSl507VXTCJAlZ5dTPAQ"
)
TEAM, NEWS, ANN_BOB, GENERAL, PLANS, ANN_ZHENYA, EMPTY = range(1, 8)
NAMES = {
    TEAM: ("group", "Team"),
    NEWS: ("channel", "News"),
    ANN_BOB: ("direct", ""),
    GENERAL: ("channel", "general"),
    PLANS: ("group", "secret plans"),
    ANN_ZHENYA: ("direct", "Анна и Женя"),
    EMPTY: ("channel", "Empty"),
}


def person(id: int, username: str, name: str) -> Frame:
    return {"id": id, "username": username, "name": name}


ANN, ANN2, BOB = person(1, "ann", "Анна"), person(2, "ann2", "ann2"), person(3, "Bob", "Боб")
CAROLINE, ZHENYA = person(4, "Caroline", "Caroline"), person(5, "Женя", "Женя")
DAVE, EVE = person(6, "dave", "Dave"), person(7, "eve", "eve")
SYSTEM = person(2147483647, "system", "system")
GUEST, NOBODY = person(2147483646, "гость", "гость"), person(2147483646, "anonymous", "anonymous")


def time(clock: str) -> str:
    return f"2026-01-02T{clock}.000006Z"


def said(
    id: int, room_id: int, seq: int, sender: Frame, text: str, origin: str, client_id: str | None, clock: str
) -> Frame:
    kind = "notice" if sender == SYSTEM else "text"
    message = {"id": id, "room_id": room_id, "seq": seq, "kind": kind, "sender": sender, "text": text}
    return {"message": message | {"client_message_id": client_id, "origin": origin, "at": time(clock)}}


def joined(room_id: int, seq: int, account: Frame, by_id: int, role: str, clock: str) -> Frame:
    change = {"room_id": room_id, "seq": seq, "account": account, "by_id": by_id, "at": time(clock), "role": role}
    return {"joined": change}


def left(room_id: int, seq: int, account: Frame, by_id: int, clock: str) -> Frame:
    return {"left": {"room_id": room_id, "seq": seq, "account": account, "by_id": by_id, "at": time(clock)}}


def entered(seq: int, room_id: int, head_seq: int, peer: Frame | None = None) -> Frame:
    kind, name = NAMES[room_id]
    name = name or (peer or {}).get("name")
    room = {"id": room_id, "kind": kind, "name": name, "head_seq": head_seq}
    if peer is not None:
        room["peer"] = peer
    return {"me": {"seq": seq, "joined": {"room": room}}}


def exited(seq: int, room_id: int) -> Frame:
    return {"me": {"seq": seq, "left": {"room_id": room_id}}}


def read(seq: int, room_id: int, read_seq: int) -> Frame:
    return {"me": {"seq": seq, "read": {"room_id": room_id, "seq": read_seq}}}


def was_read(seq: int, room_id: int, message_id: int, reader_id: int) -> Frame:
    return {"me": {"seq": seq, "message_read": {"room_id": room_id, "message_id": message_id, "reader_id": reader_id}}}


def sessions_ended(seq: int) -> Frame:
    return {"me": {"seq": seq, "sessions_ended": {}}}


ROOM_LOGS: dict[int, list[Frame]] = {
    TEAM: [
        joined(TEAM, 1, ANN, 1, "owner", "03:04:16"),
        joined(TEAM, 2, BOB, 1, "member", "03:04:16"),
        joined(TEAM, 3, CAROLINE, 1, "member", "03:04:16"),
        said(1, TEAM, 4, ANN, "hi, Team", "native", "c-1", "03:04:24"),
        said(2, TEAM, 5, BOB, 'it\'s "hi" from Bob,\nin two lines', "native", None, "03:04:25"),
        left(TEAM, 6, BOB, 1, "03:04:26"),
        said(3, TEAM, 7, ANN, "Bob is out", "native", "c-2", "03:04:27"),
        joined(TEAM, 8, BOB, 1, "member", "03:04:28"),
        left(TEAM, 9, CAROLINE, 4, "03:04:29"),
        joined(TEAM, 10, ANN2, 1, "member", "03:04:30"),
        said(4, TEAM, 11, ANN2, "by messenger", "messenger", "0b6d5f0e-7a55-4e38-9d5b-6a1f3c1b2a01", "03:04:31"),
        said(5, TEAM, 12, SYSTEM, "Bob joined the room", "rooms", None, "03:04:32"),
        said(6, TEAM, 13, BOB, "by rooms", "rooms", None, "03:04:33"),
    ],
    NEWS: [
        joined(NEWS, 1, BOB, 3, "owner", "03:04:17"),
        joined(NEWS, 2, ANN2, 2, "member", "03:04:35"),
        said(7, NEWS, 3, BOB, "Привет, мир 🌍", "native", "c-1", "03:04:36"),
        left(NEWS, 4, ANN2, 2, "03:04:37"),
        said(8, NEWS, 5, BOB, "long " * 300, "native", "c-2", "03:04:38"),
        joined(NEWS, 6, ANN2, 2, "member", "03:04:39"),
        left(NEWS, 7, BOB, 3, "03:04:40"),
        joined(NEWS, 8, BOB, 3, "owner", "03:04:41"),
        joined(NEWS, 9, ZHENYA, 5, "member", "03:04:42"),
        said(9, NEWS, 10, ZHENYA, "и я здесь", "native", None, "03:04:42"),
    ],
    ANN_BOB: [
        joined(ANN_BOB, 1, ANN, 1, "owner", "03:04:18"),
        joined(ANN_BOB, 2, BOB, 1, "member", "03:04:18"),
        said(10, ANN_BOB, 3, ANN, "Тестовое сообщение 1", "demo", "demo-private-1", "03:04:44"),
        said(11, ANN_BOB, 4, BOB, "read me", "messenger", "0b6d5f0e-7a55-4e38-9d5b-6a1f3c1b2a02", "03:04:45"),
        said(12, ANN_BOB, 5, ANN, "read me too", "messenger", None, "03:04:47"),
        said(13, ANN_BOB, 6, ANN, "not read yet", "native", None, "03:04:49"),
    ],
    GENERAL: [
        joined(GENERAL, 1, CAROLINE, 4, "owner", "03:04:19"),
        said(15, GENERAL, 2, SYSTEM, "carol joined the room", "rooms", None, "03:04:51"),
        said(16, GENERAL, 3, CAROLINE, "by carol, who is Caroline now", "rooms", None, "03:04:52"),
        joined(GENERAL, 4, DAVE, 6, "member", "03:04:53"),
        said(17, GENERAL, 5, DAVE, "<b>&amp;</b>", "rooms", None, "03:04:53"),
        said(18, GENERAL, 6, SYSTEM, "carol leaved the room", "rooms", None, "03:04:54"),
    ],
    PLANS: [
        joined(PLANS, 1, CAROLINE, 4, "owner", "03:04:20"),
        joined(PLANS, 2, ZHENYA, 4, "member", "03:04:20"),
        said(19, PLANS, 3, ZHENYA, "hush", "rooms", None, "03:04:55"),
    ],
    ANN_ZHENYA: [
        joined(ANN_ZHENYA, 1, ANN, 1, "owner", "03:04:21"),
        joined(ANN_ZHENYA, 2, ZHENYA, 1, "member", "03:04:21"),
        said(14, ANN_ZHENYA, 3, ZHENYA, "только нам", "messenger", None, "03:04:50"),
    ],
    EMPTY: [
        joined(EMPTY, 1, ANN, 1, "owner", "03:04:22"),
        left(EMPTY, 2, ANN, 1, "03:04:23"),
    ],
    LOBBY: [
        said(20, LOBBY, 1, ANN, "by dispatch", "dispatch", None, "03:04:58"),
        said(21, LOBBY, 2, BOB, "by channels", "channels", None, "03:04:59"),
        said(22, LOBBY, 3, SYSTEM, "Bob joined the room", "rooms", None, "03:05:00"),
        said(23, LOBBY, 4, BOB, "by rooms", "rooms", None, "03:05:01"),
        said(24, LOBBY, 5, ANN, "by native", "native", "c-3", "03:05:02"),
        said(25, LOBBY, 6, ANN, "a plain string", "socketio", "string:000102030405060708090a0b", "03:05:03"),
        said(26, LOBBY, 7, ANN, "an id that is a string", "socketio", '9WEcGkcEvVjL4ZMx:"a-1"', "03:05:04"),
        said(27, LOBBY, 8, ANN, "an id that is a number", "socketio", "pwAHRo7zes4m5ejz:7", "03:05:05"),
        said(28, LOBBY, 9, BOB, "an id that is an object", "socketio", 'vMsClpBZeL1xQ9cN:{"n":[1,null]}', "03:05:06"),
        said(29, LOBBY, 10, BOB, "no id", "socketio", None, "03:05:07"),
        said(30, LOBBY, 11, GUEST, "by a guest", "socketio", 'dEasd3Fg7CZ1jiFA:"a-1"', "03:05:08"),
        said(31, LOBBY, 12, NOBODY, "by nobody", "socketio", None, "03:05:09"),
    ],
}
OWN_LOGS: dict[str, list[Frame]] = {
    "ann": [
        sessions_ended(1),
        entered(2, TEAM, 0),
        entered(3, ANN_BOB, 0, BOB),
        entered(4, ANN_ZHENYA, 0, ZHENYA),
        entered(5, EMPTY, 0),
        exited(6, EMPTY),
        read(7, TEAM, 11),
        read(8, ANN_BOB, 4),
        was_read(9, ANN_BOB, 12, 3),
        was_read(10, ANN_BOB, 10, 3),
        read(11, LOBBY, 5),
    ],
    "ann2": [entered(1, TEAM, 9), entered(2, NEWS, 1), exited(3, NEWS), entered(4, NEWS, 5), read(5, NEWS, 7)],
    "bob": [
        sessions_ended(1),
        entered(2, TEAM, 1),
        entered(3, NEWS, 0),
        entered(4, ANN_BOB, 1, ANN),
        exited(5, TEAM),
        entered(6, TEAM, 7),
        exited(7, NEWS),
        entered(8, NEWS, 7),
        was_read(9, ANN_BOB, 11, 1),
        read(10, ANN_BOB, 5),
        was_read(11, LOBBY, 21, 1),
    ],
    "caroline": [entered(1, TEAM, 2), entered(2, GENERAL, 0), entered(3, PLANS, 0), exited(4, TEAM)],
    "женя": [entered(1, PLANS, 1), entered(2, ANN_ZHENYA, 1, ANN), entered(3, NEWS, 8)],
    "ＤＡＶＥ": [sessions_ended(1), entered(2, GENERAL, 3)],
    "eve": [],
}
PASSWORDS = dict.fromkeys(OWN_LOGS, CORRECT) | {"bob": CHANGED, "ＤＡＶＥ": CHANGED}
ACCOUNTS = [  # with their state, as `veche user list` shows them
    ("1", "ann", "Анна", "Ann@Example.com", "open"),
    ("2", "ann2", "ann2", "ann@elsewhere.example", "open"),
    ("3", "Bob", "Боб", "", "open"),
    ("4", "Caroline", "Caroline", "carol@example.com", "open"),
    ("5", "Женя", "Женя", "", "open"),
    ("6", "dave", "Dave", "", "open"),
    ("7", "eve", "eve", "", "open"),
]


def messages(room_id: int) -> list[Frame]:
    return [entry["message"] for entry in ROOM_LOGS[room_id] if "message" in entry]


def restore(folder: Path) -> Path:
    path = folder / "veche.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    return path


class Known(Person):
    """Somebody who has an account there, and signs in anew."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        answer = server.http.post("/v1/login", json={"username": name, "password": PASSWORDS[name]})
        assert answer.status_code == 200, answer.text
        self.me: Frame = answer.json()["me"]
        self.token, self.id = answer.json()["token"], self.me["id"]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over the database as it was made; its tests write no entry of a log."""
    folder = tmp_path_factory.mktemp("old")
    restore(folder)
    with serving(folder, VECHE_SECRET=SECRET) as server:
        yield server


def test_people_sign_in_with_the_passwords_they_had(old: Server) -> None:
    for name, row in zip(OWN_LOGS, ACCOUNTS, strict=True):
        me = Known(old, name).me
        assert (str(me["id"]), me["username"], me["name"], me["email"] or "", "open") == row
    for who in ({"username": "bob"}, {"username": "carol"}, {"username": "system"}, {"email": "ann@example.org"}):
        assert old.http.post("/v1/login", json=who | {"password": CORRECT}).status_code == 401
    assert old.http.post("/v1/login", json={"email": "ANN@example.COM", "password": CORRECT}).status_code == 200


def test_a_token_that_was_given_then_is_good(old: Server) -> None:
    answer = old.http.get("/v1/me", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.json() == ANN | {"email": "Ann@Example.com"}


def room(
    room_id: int, head_seq: int, clock: str, mine: tuple[int, int, str] | None, peer: Frame | None = None
) -> Frame:
    """A room as REST shows it. `mine`: what is unread, the read pointer, and the role. Outsiders see no message."""
    kind, own_name = NAMES.get(room_id, ("lobby", "Lobby"))
    unread, read_seq, role = mine or (None, None, None)
    found: Frame = {
        "id": room_id,
        "kind": kind,
        "name": own_name or (peer or {}).get("name"),
        "created_at": time(clock),
    }
    found["head_seq"] = head_seq
    if peer is not None:
        found["peer"] = peer
    last = messages(room_id)[-1] if messages(room_id) and mine is not None else None
    return found | {
        "unread": unread,
        "mentions": None if mine is None else 0,
        "read_seq": read_seq,
        "role": role,
        "last_message": last,
    }


def test_the_rooms_are_as_they_were(old: Server) -> None:
    ann, bob = Known(old, "ann"), Known(old, "bob")
    news, team = room(NEWS, 10, "03:04:17", (1, 8, "owner")), room(TEAM, 13, "03:04:16", (0, 13, "member"))
    assert ann.call("GET", "/rooms")["items"] == [
        room(TEAM, 13, "03:04:16", (1, 11, "owner")),
        room(ANN_BOB, 6, "03:04:18", (0, 6, "owner"), BOB),
        room(ANN_ZHENYA, 3, "03:04:21", (1, 1, "owner"), ZHENYA),
    ]
    assert bob.call("GET", "/rooms")["items"] == [team, news, room(ANN_BOB, 6, "03:04:18", (1, 5, "member"), ANN)]
    assert ann.call("GET", "/rooms/public")["items"] == [
        room(NEWS, 10, "03:04:17", None),
        room(GENERAL, 6, "03:04:19", None),
        room(EMPTY, 2, "03:04:22", None),
        room(LOBBY, 12, "03:04:00", (7, 5, "member")),
    ]
    assert ann.call("GET", f"/rooms/{TEAM}/members")["items"] == [
        ANN | {"role": "owner", "joined_at": time("03:04:16")},
        ANN2 | {"role": "member", "joined_at": time("03:04:30")},
        BOB | {"role": "member", "joined_at": time("03:04:28")},
    ]
    assert [member["id"] for member in ann.call("GET", f"/rooms/{LOBBY}/members")["items"]] == [*range(1, 8)]


def test_the_messages_are_as_they_were(old: Server) -> None:
    everywhere = {"bob": (TEAM, NEWS, ANN_BOB, LOBBY), "caroline": (GENERAL, PLANS), "женя": (ANN_ZHENYA,)}
    for name, room_ids in everywhere.items():
        someone = Known(old, name)
        for room_id in room_ids:
            assert someone.history(room_id) == messages(room_id)
    page = someone.call("GET", f"/rooms/{NEWS}/messages?around_seq=5&limit=2")
    assert page == {"items": messages(NEWS)[1:], "has_more_before": True, "has_more_after": False, "head_seq": 10}


def own(socket: Socket) -> list[Frame]:
    return [frame for frame in socket.frames if "me" in frame]


@pytest.mark.parametrize("name", OWN_LOGS)
async def test_what_a_client_missed_is_replayed_to_the_letter(old: Server, name: str) -> None:
    someone = Known(old, name)
    mine = [room["id"] for room in someone.call("GET", "/rooms")["items"]]
    positions = {str(room_id): 0 for room_id in (*mine, LOBBY, EMPTY)}
    async with someone.socket(epoch=EPOCH, rooms=positions, me=0) as socket:
        assert socket.welcome["epoch"] == EPOCH
        assert socket.welcome["me"] == someone.me | {"seq": len(OWN_LOGS[name])}
        for room_id in (*mine, LOBBY):
            assert socket.events(room_id) == ROOM_LOGS[room_id]
        assert own(socket) == OWN_LOGS[name]
        assert {"gone": {"room_id": EMPTY, "room_ids": [EMPTY]}} in socket.frames
        assert not [frame for frame in socket.frames if "reset" in frame]


async def test_a_client_that_has_some_of_it_gets_the_rest(old: Server) -> None:
    async with Known(old, "ann").socket(epoch=EPOCH, rooms={"1": 11, "3": 6}, me=9) as socket:
        assert socket.events(TEAM) == ROOM_LOGS[TEAM][11:]
        assert socket.events(ANN_BOB) == []
        assert own(socket) == OWN_LOGS["ann"][9:]


async def test_the_older_contracts_show_what_they_showed(old: Server) -> None:
    ann = Known(old, "ann")
    bearer = {"Authorization": f"Bearer {ann.token}"}
    lines = old.http.get("/api/v1/history", headers=bearer).json()
    assert [(line["source"], line["message"]) for line in lines] == [
        ("client", "Эхо\0\n"),  # this conversation was over first
        ("server", "Эхо\0\n"),
        ("client", "first"),
        ("server", "first"),
        ("client", "no answer to this"),
        ("client", "left open"),  # ended by the start of this server
        ("server", "left open"),
    ]
    texts = [message["text"] for message in messages(LOBBY) if message["kind"] == "text"]
    assert old.http.get("/api/messages", headers=bearer).json() == texts
    async with opened(old.port, SOCKETIO, ann, LOBBY) as ear:  # said again, it is the line of then with its id
        await ear.socket.send('42["message",{"id":7,"text":"an id that is a number"}]')
        await ear.receives("an id that is a number")
        assert json.loads(ear.frames[-1][2:])[1] == {
            "id": 7,
            "author": "ann",
            "text": "an id that is a number",
            "userId": 1,
            "content": "an id that is a number",
            "timestamp": "2026-01-02T03:05:05.000Z",
        }


def test_messenger_signs_in_and_shows_its_chats(old: Server) -> None:
    answer = old.http.post("/login", json={"email": "ann@example.com", "password": CORRECT})
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert old.http.get("/chats", headers=bearer).json() == [
        {"name": "Team", "chat_type": "group", "id": 1},
        {"name": "Боб", "chat_type": "private", "id": 3},
        {"name": "Анна и Женя", "chat_type": "private", "id": 6},
    ]
    page = old.http.get("/history/3?offset=1&limit=1", headers=bearer).json()
    assert (page["total"], page["items"]) == (
        4,
        [
            {
                "text": "read me",
                "chat_id": 3,
                "client_message_id": "0b6d5f0e-7a55-4e38-9d5b-6a1f3c1b2a02",
                "id": 11,
                "sender_id": 3,
                "created_at": "2026-01-02T03:04:45.000006",
                "timestamp": "2026-01-02T03:04:45.000006+00:00",
            }
        ],
    )


def timeless(frame: Frame) -> Frame:
    """A frame without the time at which it happened just now."""
    return {key: {name: value for name, value in body.items() if name != "at"} for key, body in frame.items()}


async def test_all_goes_on_with_the_next_numbers(tmp_path: Path) -> None:
    restore(tmp_path)
    with serving(tmp_path, VECHE_SECRET=SECRET) as server:
        ann, bob, eve = (Known(server, name) for name in ("ann", "bob", "eve"))
        async with ann.socket(me=11) as anns, bob.socket(me=11) as bobs:
            await _talk(anns, bobs)
            await _come_and_go(Known(server, "ann2"), bobs)
            await _by_messenger(server, ann, bob)
            await anns.until(lambda frame: frame == was_read(12, ANN_BOB, 13, 3))
            await bobs.until(lambda frame: frame == read(13, ANN_BOB, 6))
            assert own(anns) == [was_read(12, ANN_BOB, 13, 3)]
            assert own(bobs) == [read(12, TEAM, 14), read(13, ANN_BOB, 6)]
        await _enter(eve)
        assert bob.say(NEWS, "Привет, мир 🌍", "c-1") == messages(NEWS)[0]
        _make_more(server, ann)


async def _talk(anns: Socket, bobs: Socket) -> None:
    """A message takes the next numbers, a retry of one of then none, and a read pointer goes on."""
    sent = await anns.ask("send", room_id=TEAM, text="still here", client_message_id="c-4")
    assert (sent["seq"], sent["message_id"], sent["duplicate"]) == (14, 32, False)
    again = await anns.ask("send", room_id=TEAM, text="hi, Team", client_message_id="c-1")
    first = {"room_id": TEAM, "seq": 4, "message_id": 1, "client_message_id": "c-1"}
    assert again == first | {"at": time("03:04:24"), "duplicate": True}
    other = await anns.ask("send", room_id=TEAM, text="another text", client_message_id="c-2")
    assert other["error"]["code"] == "idempotency_mismatch"
    await bobs.wait_for_seq(TEAM, 14)
    expected = said(32, TEAM, 14, ANN, "still here", "native", "c-4", "")
    assert [timeless(frame) for frame in bobs.events(TEAM)] == [timeless(expected)]
    assert await bobs.ask("read", room_id=TEAM, seq=14) == {"room_id": TEAM, "seq": 14}


async def _come_and_go(ann2: Known, bobs: Socket) -> None:
    """Leaving and joining go on in the log of the room and in one's own."""
    async with ann2.socket(me=5) as socket:
        assert await socket.ask("leave", room_id=NEWS) == {"room_id": NEWS}
        assert await socket.ask("join", room_id=NEWS) == {"room_id": NEWS, "head_seq": 12}
        await socket.until(lambda frame: frame == entered(7, NEWS, 11))
        assert own(socket) == [exited(6, NEWS), entered(7, NEWS, 11)]
    await bobs.wait_for_seq(NEWS, 12)
    expected = [left(NEWS, 11, ANN2, 2, ""), joined(NEWS, 12, ANN2, 2, "member", "")]
    assert [timeless(frame) for frame in bobs.events(NEWS)] == [timeless(frame) for frame in expected]


async def _by_messenger(server: Server, ann: Person, bob: Person) -> None:
    """A message of then is marked as read, and one of now takes the next id."""
    async with (
        opened(server.port, MESSENGER, ann, ANN_BOB) as anns,
        opened(server.port, MESSENGER, bob, ANN_BOB) as bobs,
    ):
        await bobs.socket.send('{"type":"read","message_id":12}')  # was read then: nobody hears of it
        await bobs.socket.send('{"type":"read","message_id":13}')
        await anns.until(lambda ear: bool(ear.frames))
        assert [json.loads(frame) for frame in anns.frames] == [{"type": "read", "message_id": 13, "reader_id": 3}]
        await anns.say("by messenger")
        await bobs.receives("by messenger")
        heard = json.loads(bobs.frames[-1])
        assert heard.pop("timestamp")
        assert heard == {"type": "message", "id": 33, "chat_id": ANN_BOB, "sender_id": 1, "text": "by messenger"}


async def _enter(eve: Known) -> None:
    """Who comes into a room hears all that was before, and the own log begins."""
    assert eve.call("POST", f"/rooms/{EMPTY}/join", expect=200)["head_seq"] == 3
    async with eve.socket(epoch=EPOCH, rooms={str(EMPTY): 0}, me=0) as socket:
        assert socket.events(EMPTY)[:2] == ROOM_LOGS[EMPTY]
        assert timeless(socket.events(EMPTY)[2]) == timeless(joined(EMPTY, 3, EVE, 7, "owner", ""))
        assert own(socket) == [entered(1, EMPTY, 2)]


def _make_more(server: Server, ann: Known) -> None:
    """Accounts and rooms take the next ids; what was taken is taken still."""
    third = server.http.post("/register", json={"email": "ann@third.example", "password": CORRECT})
    assert third.json()["id"] == 8
    for username, status in (("DAVE", 409), ("Женя", 409), ("carol", 201)):
        body = {"username": username, "password": CORRECT}
        assert server.http.post("/v1/register", json=body).status_code == status
    who = {"email": "ann@third.example", "password": CORRECT}
    assert server.http.post("/v1/login", json=who).json()["me"]["username"] == "ann3"
    direct = {"kind": "direct", "member_ids": [3]}
    assert ann.call("POST", "/rooms", json=direct, expect=200)["id"] == ANN_BOB
    assert ann.call("POST", "/rooms", json={"name": "New", "member_ids": [8]}, expect=201)["id"] == 8
    taken = server.http.post("/create-room", json={"name": "general"}, headers={"Authorization": ann.token})
    assert taken.status_code == 409
    ann.call("POST", "/logout", expect=204)
    assert server.http.get("/v1/me", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def table(out: str) -> list[tuple[str, ...]]:
    """The rows of a table that a command printed."""
    lines = [line.strip("│") for line in out.splitlines() if line.startswith("│")]
    return [tuple(cell.strip() for cell in line.split("│")) for line in lines]


def test_the_commands_take_it_once_it_is_migrated(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    old, new = restore(tmp_path / "old"), restore(tmp_path / "new")
    done = run("migrate", new)
    said, errors = done.stdout, done.stderr
    assert (said.splitlines()[-1], errors) == (f"{new} is up to date.", "")
    ended = {(words, path): run(words, path) for words in ("user list", "doctor") for path in (old, new)}
    done = {key: (one.stdout, one.stderr, one.returncode) for key, one in ended.items()}
    assert done["user list", old][1:] == (
        f"veche: {old} has the schema 0002, and this Veche needs {schema_version()}. "
        "`veche serve` and `veche migrate` migrate it.\n",
        1,
    )
    assert (table(done["user list", new][0]), done["user list", new][1:]) == (ACCOUNTS, ("", 0))
    for path in (old, new):
        found = {row[1]: row for row in table(done["doctor", path][0])}  # the rest of it tells of this machine
        assert found["database"] == ("ok", "database", f"{path}: ok")
        assert found["schema"][0] == found["usernames"][0] == "ok"


def run(words: str, path: Path) -> subprocess.CompletedProcess[str]:
    return run_veche(*words.split(), "--database-url", f"sqlite:///{path}", VECHE_SECRET=SECRET, COLUMNS="250")
