"""Valid requests and frames of every dialect, from which `fuzz.py` makes bad ones.

`{token}`, `{room}` and other names in braces are filled in when a case is sent (`fuzz.World.names`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .corpus import Raw

ROOM, DIRECT, CHANNEL, PERSON, GROUP = map(Raw, ("{room}", "{direct}", "{channel}", "{person}", "{group}"))
LOBBY = 2147483647
PASSWORD = "correct horse battery"
POLL = "/socket.io/?EIO=4&transport=polling"


@dataclass(frozen=True)
class Request:
    """One HTTP request. `body` is a JSON value, or None."""

    dialect: str
    method: str
    target: str
    body: Any = None
    token: str = "Bearer {token}"
    type: str = "application/json"
    before: str = ""
    """What stands before the JSON of the body."""
    size: int = 65_000
    """The bytes that the body may have."""


@dataclass(frozen=True)
class Talk:
    """One WebSocket: the frames that open it, and frames that may follow. A frame is a text, or a JSON value.

    `before` stands before the JSON of each frame.
    """

    dialect: str
    target: str
    first: tuple[str, ...] = ()
    frames: tuple[Any, ...] = ()
    before: str = ""
    size: int = 65_000
    """The bytes that a frame may have."""


REQUESTS = (
    Request(
        "native",
        "POST",
        "/v1/register",
        {"username": "{new}", "password": PASSWORD, "name": "N", "email": "{new}@example.com"},
    ),
    Request("native", "POST", "/v1/login", {"username": "{new}", "password": PASSWORD}),
    Request("native", "POST", "/v1/login", {"email": "{new}@example.com", "password": PASSWORD}),
    Request("native", "POST", "/v1/login", {"username": "{new}", "password": PASSWORD, "refresh": True}),
    Request("native", "POST", "/v1/refresh", {"refresh_token": "session.0.mac"}),
    Request("native", "POST", "/v1/logout", token="Bearer {ended}"),
    Request("native", "GET", "/v1/me"),
    Request("native", "PATCH", "/v1/me", {"name": "Ann", "email": "{new}@example.com", "password": "wrong"}),
    Request(
        "native", "PUT", "/v1/me/password", {"old_password": "wrong", "new_password": PASSWORD}, token="Bearer {ended}"
    ),
    Request("native", "GET", "/v1/sessions?limit=200"),
    Request("native", "DELETE", "/v1/sessions", token="Bearer {ended}"),
    Request("native", "DELETE", "/v1/sessions/nobody"),
    Request("native", "DELETE", "/v1/me", {"password": "wrong"}, token="Bearer {ended}"),
    Request("native", "GET", "/v1/people?username=bob"),
    Request("native", "GET", "/v1/people?prefix=bo&limit=20"),
    Request("native", "POST", "/v1/rooms", {"kind": "group", "name": "Team", "member_ids": [PERSON]}),
    Request("native", "POST", "/v1/rooms", {"kind": "direct", "member_ids": [PERSON]}),
    Request("native", "GET", "/v1/rooms?limit=200"),
    Request("native", "GET", "/v1/rooms/public?limit=200"),
    Request("native", "GET", "/v1/rooms/{room}"),
    Request("native", "PATCH", "/v1/rooms/{room}", {"name": "Team"}),
    Request("native", "GET", "/v1/rooms/{room}/members?limit=200"),
    Request("native", "POST", "/v1/rooms/{channel}/join"),
    Request("native", "POST", "/v1/rooms/{channel}/leave"),
    Request("native", "POST", "/v1/rooms/{room}/members", {"account_id": PERSON}),
    Request("native", "DELETE", "/v1/rooms/{room}/members/{person}"),
    Request("native", "POST", "/v1/rooms/{room}/invitations", {"account_id": PERSON, "client_id": "{new}"}),
    Request("native", "GET", "/v1/rooms/{room}/invitations?limit=200"),
    Request("native", "DELETE", "/v1/rooms/{room}/invitations/{person}"),
    Request("native", "GET", "/v1/invitations?limit=200"),
    Request("native", "DELETE", "/v1/invitations/{room}"),
    Request("native", "POST", "/v1/rooms/{room}/links", {"seconds": 60, "uses": 1, "client_id": "{new}"}),
    Request("native", "DELETE", "/v1/rooms/{room}/links/{room}-aaaaaaaaaaaaaaaaaaaaaaaa"),
    Request("native", "GET", "/v1/links/{room}-aaaaaaaaaaaaaaaaaaaaaaaa"),
    Request("native", "POST", "/v1/links/{room}-aaaaaaaaaaaaaaaaaaaaaaaa/join"),
    Request("native", "POST", "/v1/rooms/{room}/messages", {"text": "hi", "client_message_id": "{new}"}),
    Request("native", "GET", "/v1/rooms/{room}/messages?limit=200&before_seq=900"),
    Request("native", "GET", "/v1/rooms/{room}/messages?limit=200&around_seq=900"),
    Request("native", "POST", "/v1/rooms/{room}/read", {"seq": 5}),
    Request("native", "GET", "/v1/limits"),
    Request("native", "GET", "/"),
    Request("native", "GET", "/docs"),
    Request("native", "GET", "/nothing/here"),
    Request("dispatch", "POST", "/signup", {"username": "{short}", "password": "secret"}),
    Request("dispatch", "POST", "/signin", {"username": "{short}", "password": "secret"}),
    Request("rooms", "POST", "/register", {"username": "{new}", "email": "{new}@example.com", "password": PASSWORD}),
    Request("rooms", "PUT", "/login", {"email": "{new}@example.com", "password": PASSWORD}),
    Request("rooms", "GET", "/profile", token="{token}"),
    Request("rooms", "PUT", "/change-name", {"username": "{new}"}, token="{token}"),
    Request("rooms", "POST", "/create-room", {"name": "{new}", "is_private": False}, token="{token}"),
    Request("rooms", "PUT", "/join", {"room_id": CHANNEL}, token="{token}"),
    Request("rooms", "PUT", "/invite", {"room_id": ROOM, "user_id": PERSON}, token="{token}"),
    Request("channels", "POST", "/register", {"username": "{new}", "password": "Secret123"}),
    Request("channels", "POST", "/api/v1/register", {"username": "{new}", "password": "Secret123"}),
    Request("channels", "POST", "/login", {"username": "{new}", "password": "Secret123"}),
    Request("channels", "GET", "/echo_ws"),
    Request("channels", "GET", "/pub_ws"),
    Request("channels", "GET", "/history"),
    Request("messenger", "POST", "/register", {"email": "{new}@example.com", "password": PASSWORD, "name": "N"}),
    Request("messenger", "POST", "/login", {"email": "{new}@example.com", "password": PASSWORD}),
    Request("messenger", "GET", "/me"),
    Request("messenger", "GET", "/chats"),
    Request("messenger", "POST", "/chats", {"name": "Team", "chat_type": "group", "member_ids": [PERSON]}),
    Request("messenger", "GET", "/chats/{room}/messages"),
    Request("messenger", "POST", "/chats/{room}/messages", {"text": "hi", "client_message_id": "{new}"}),
    Request("messenger", "GET", "/history/{room}?limit=100&offset=5"),
    Request("messenger", "GET", "/health"),
    Request("socketio", "POST", "/api/auth/register", {"username": "{new}", "password": "secret"}),
    Request("socketio", "POST", "/api/auth/login", {"username": "{new}", "password": "secret"}),
    Request("socketio", "GET", "/api/users"),
    Request("socketio", "GET", "/api/messages"),
    Request("socketio", "GET", POLL),
    Request(
        "socketio",
        "POST",
        f"{POLL}&sid={{sid}}",
        ["message", {"userId": 1, "content": "hi"}],
        before="42",
        size=990_000,
    ),
)

_HELLO = '{"id":1,"hello":{"token":"{token}"}}'
_ENTER = '40{"token":"{token}"}'
_SOCKETIO = (
    ["message", {"userId": 1, "content": "hi"}],
    ["message", {"id": "a-1", "author": "ann", "text": "hi"}],
    ["message", "hi"],
)

TALKS = (
    Talk("native", "/v1/socket", (), ({"id": 1, "hello": {"token": "x", "epoch": "x", "rooms": {"1": 0}, "me": 0}},)),
    Talk(
        "native",
        "/v1/socket",
        (),
        ({"id": 1, "hello": {"token": "{token}", "epoch": "x", "rooms": {"1": 0}, "me": 0}},),
    ),
    Talk(
        "native",
        "/v1/socket",
        (_HELLO,),
        (
            {"id": 2, "send": {"room_id": ROOM, "text": "hi", "client_message_id": "{new}"}},
            {"id": 3, "join": {"room_id": LOBBY}},
            {"id": 4, "join": {"room_id": CHANNEL}},
            {"id": 5, "leave": {"room_id": CHANNEL}},
            {"id": 6, "read": {"room_id": ROOM, "seq": 2}},
            {"id": 7, "sync": {"rooms": {"1": 0}, "me": 0}},
            {"id": 8, "who": {"room_id": ROOM, "cursor": "1"}},
            {"id": 9, "refresh": {"token": "{token}"}},
        ),
    ),
    Talk(
        "native",
        "/v1/socket",
        (_HELLO,),
        (
            {"id": 2, "edit": {"room_id": ROOM, "message_id": 1, "text": "ho", "client_id": "{new}"}},
            {"id": 3, "delete": {"room_id": ROOM, "message_id": 1, "client_id": "{new}"}},
            {"id": 4, "react": {"room_id": ROOM, "message_id": 1, "emoji": "\U0001f44d", "client_id": "{new}"}},
            {"id": 5, "unreact": {"room_id": ROOM, "message_id": 1, "emoji": "\U0001f44d", "client_id": "{new}"}},
            {"id": 6, "pin": {"room_id": ROOM, "message_id": 1, "client_id": "{new}"}},
            {"id": 7, "follow": {"room_id": ROOM, "thread_id": 1, "client_id": "{new}"}},
            {"id": 8, "role": {"room_id": ROOM, "account_id": PERSON, "role": "member", "client_id": "{new}"}},
            {"id": 9, "ban": {"room_id": CHANNEL, "account_id": PERSON, "seconds": 1, "client_id": "{new}"}},
            {"id": 10, "unban": {"room_id": CHANNEL, "account_id": PERSON, "client_id": "{new}"}},
            {"id": 11, "update_room": {"room_id": ROOM, "topic": "x", "slow_seconds": 0, "client_id": "{new}"}},
            {"id": 12, "notify": {"room_id": ROOM, "level": "all", "client_id": "{new}"}},
            {"id": 13, "invite": {"room_id": CHANNEL, "account_id": PERSON, "client_id": "{new}"}},
            {"id": 14, "uninvite": {"room_id": CHANNEL, "account_id": PERSON, "client_id": "{new}"}},
            {"id": 15, "link": {"room_id": CHANNEL, "seconds": 60, "uses": 1, "client_id": "{new}"}},
            {"id": 16, "unlink": {"room_id": CHANNEL, "code": "1-aaaaaaaaaaaaaaaaaaaaaaaa", "client_id": "{new}"}},
            {"id": 18, "typing": {"room_id": ROOM}},
            {"id": 17, "join_link": {"code": "1-aaaaaaaaaaaaaaaaaaaaaaaa"}},
        ),
    ),
    Talk("dispatch", "/connect", (), ("{token}",)),
    Talk("dispatch", "/connect", ("{token}",), ("hi",)),
    Talk("rooms", "/ws?token=x", (), ({"type": "join", "content": "1"},)),
    Talk(
        "rooms",
        "/ws?token={token}",
        ('{"type":"join","content":"{room}"}',),
        ({"type": "message", "content": "hi"}, {"type": "leave", "content": ""}, {"type": "join", "content": CHANNEL}),
    ),
    Talk("channels", "/echo_ws/ann?token={token}", (), ("hi",)),
    Talk("channels", "/pub_ws/ann?token={token}", (), ("hi",)),
    Talk("channels", "/pub_ws/ann?ticket=x", (), ("hi",)),
    Talk(
        "messenger",
        "/ws/{room}?token={token}",
        (),
        ({"type": "message", "text": "hi"}, {"type": "read", "message_id": 5}),
    ),
    Talk("socketio", "/socket.io/?EIO=4&transport=websocket", (), ({"token": "x"}, ["message", "hi"]), "40", 8_000),
    Talk("socketio", "/socket.io/?EIO=4&transport=websocket", (_ENTER,), _SOCKETIO, "42", 990_000),
    Talk("socketio", "/socket.io/?EIO=4&transport=websocket", (_ENTER,), _SOCKETIO, "427", 990_000),
    Talk("socketio", "/socket.io/?EIO=4&transport=websocket", (_ENTER,), _SOCKETIO, "451-", 990_000),
    Talk("socketio", "/socket.io/?EIO=4&transport=websocket", (_ENTER,), _SOCKETIO, "42/x,", 990_000),
)
