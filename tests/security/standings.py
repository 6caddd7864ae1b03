"""Everybody who may stand to a private room in another way, and what there is in the room."""

from __future__ import annotations

from dataclasses import dataclass

from laws.town import Person, Server

OUTSIDE = ("stranger", "former", "banned", "invited", "blocked")
INSIDE = ("reader", "member", "moderator", "owner")
STANDINGS = ("anonymous", *OUTSIDE, *INSIDE)
THUMB = "\U0001f44d"


def with_outsiders(statuses: str, **others: str) -> dict[str, str]:
    """Return what each standing gets, by name.

    `statuses` has what these get: anonymous, somebody outside, reader, member, moderator, owner. `others` has those
    outside who get something else.
    """
    anonymous, outside, *inside = statuses.split()
    found = {"anonymous": anonymous, **dict.fromkeys(OUTSIDE, outside), **dict(zip(INSIDE, inside, strict=True))}
    assert others.keys() <= found.keys()
    return found | others


def newcomers(server: Server) -> dict[str, Person]:
    """Register everybody but the owner, whom each room has for itself."""
    return {name: server.person() for name in (*OUTSIDE, *INSIDE[:-1], "guest", "other")}


@dataclass(frozen=True)
class Stage:
    """A private room. `values` are the ids of what is in it, by the names that a call or a command has for them."""

    people: dict[str, Person | None]
    values: dict[str, object]


def stage(server: Server, others: dict[str, Person]) -> Stage:
    """Make a room of a new owner, in which everybody has their standing."""
    owner = server.person()
    room = owner.make_room(*(others[name] for name in ("former", "banned", "reader", "member", "moderator", "other")))
    owner.call("DELETE", f"/rooms/{room}/members/{others['former'].id}", expect=204)
    owner.call("POST", f"/rooms/{room}/bans", json={"account_id": others["banned"].id}, expect=200)
    owner.call("POST", f"/rooms/{room}/invitations", json={"account_id": others["invited"].id}, expect=200)
    owner.call("PUT", f"/blocks/{others['blocked'].id}", expect=204)
    for role in ("reader", "moderator"):
        owner.call("PATCH", f"/rooms/{room}/members/{others[role].id}", json={"role": role}, expect=200)
    message, thread = owner.say(room, "hi")["id"], owner.say(room, "ho")["id"]
    owner.call("POST", f"/rooms/{room}/messages", json={"text": "hm", "thread_id": thread}, expect=201)
    file = owner.call("POST", "/files?name=a.txt", content=b"a", expect=201)["id"]
    owner.call("POST", f"/rooms/{room}/messages", json={"text": "file", "files": [file]}, expect=201)
    code = owner.call("POST", f"/rooms/{room}/links", json={}, expect=201)["code"]
    values = {
        "room_id": room,
        "chat_id": room,
        "message_id": message,
        "thread_id": thread,
        "file_id": file,
        "code": code,
        "account_id": others["other"].id,
        "guest": others["guest"].id,
        "emoji": THUMB,
    }
    return Stage({"anonymous": None, **others, "owner": owner}, values)
