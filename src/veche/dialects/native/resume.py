"""Where a client goes on: from the positions it says, and the heads of the logs it may hear (docs/native.md, hello)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from veche.core.rooms import LOBBY_ID, LogId, account_log
from veche.core.views import RoomView, Welcome
from veche.dialects.native.frames import Hello
from veche.dialects.native.limits import MAX_REPLAY
from veche.dialects.native.views import account_out
from veche.service.accounts import Login

Push = tuple[str, dict[str, Any]]
Meanwhile = Mapping[int, int | None]
"""Rooms entered (after which seq) or left (None) while the answer to hello was read."""


class Resumption(NamedTuple):
    """After which seq each log goes on, the heads that the client knows, and what to say where it is not as asked."""

    positions: dict[LogId, int]
    heads: Mapping[LogId, int]
    pushes: list[Push]


def resume(asked: Mapping[LogId, int], heads: Mapping[LogId, int], *, stale: bool = False) -> Resumption:
    """Place what was asked for. Never a silent hole: `reset` where a log does not go on, `gone` where it may not."""
    resumption = Resumption({}, heads, [])
    for log_id, seq in asked.items():
        if log_id not in heads:
            resumption.pushes.append(("gone", {"room_id": log_id}))
        elif (reason := _break(seq, heads[log_id], stale=stale)) is None:
            resumption.positions[log_id] = seq
        else:
            which = {"room_id": log_id} if log_id > 0 else {"me": True}
            resumption.pushes.append(("reset", {**which, "seq": heads[log_id], "reason": reason}))
            resumption.positions[log_id] = heads[log_id]
    return resumption


def _break(seq: int, head: int, *, stale: bool) -> str | None:
    if stale:
        return "epoch"
    if seq > head:
        return "ahead"
    return "too_far" if head - seq > MAX_REPLAY else None


def resume_hello(hello: Hello, login: Login, welcome: Welcome, meanwhile: Meanwhile) -> Resumption:
    """Go on in one's own log, in all rooms one is in, and in the lobby when it was listed."""
    own = account_log(login.account.id)
    heads = {own: welcome.heads[own]} | {view.room.id: view.head.last_seq for view in rooms_now(welcome, meanwhile)}
    if LOBBY_ID in hello.rooms:
        heads[LOBBY_ID] = welcome.heads[LOBBY_ID]
    asked: dict[LogId, int] = dict(hello.rooms)
    if hello.me is not None:
        asked[own] = hello.me
    placed = resume(asked, heads, stale=hello.epoch not in (None, welcome.epoch))
    entered = {room_id: seq for room_id, seq in meanwhile.items() if seq is not None}
    return Resumption(entered | heads | placed.positions, heads, placed.pushes)


def rooms_now(welcome: Welcome, meanwhile: Meanwhile) -> list[RoomView]:
    """Leave out the rooms that were left while we read."""
    return [view for view in welcome.rooms if meanwhile.get(view.room.id, 0) is not None]


def hello_answer(login: Login, welcome: Welcome, meanwhile: Meanwhile) -> dict[str, Any]:
    """Make the answer to hello."""
    me = account_out(login.account) | {"seq": welcome.heads[account_log(login.account.id)]}
    rooms = [_room(view) for view in rooms_now(welcome, meanwhile)]
    return {"epoch": welcome.epoch, "me": me, "rooms": rooms}


def _room(view: RoomView) -> dict[str, Any]:
    return {
        "id": view.room.id,
        "kind": view.room.kind,
        "name": view.name,
        "head_seq": view.head.last_seq,
        "read_seq": view.member.read_seq if view.member else None,
        "unread": view.unread,
        "role": view.member.role if view.member else None,
    }
