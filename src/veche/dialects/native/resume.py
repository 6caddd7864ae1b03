"""Decides from which position each log resumes after `hello` or `sync` (docs/native.md, hello)."""

from collections.abc import Mapping
from typing import NamedTuple

from veche.core.values import LOBBY_ID, LogId, account_log
from veche.core.views import RoomView, Welcome
from veche.dialects.native import answers as a
from veche.dialects.native.frames import Hello
from veche.dialects.native.limits import MAX_REPLAY
from veche.dialects.native.out import Room, RoomRef
from veche.service.accounts import Login

Push = a.ResetPush | a.GonePush


class Resumption(NamedTuple):
    """The positions from which the logs of a client resume.

    `positions` holds the seq after which each log resumes. `heads` holds the heads that the answer tells the client.
    `pushes` tell the client which logs cannot resume from the position that it asked for.
    """

    positions: dict[LogId, int]
    heads: Mapping[LogId, int]
    pushes: list[Push]


def resume(asked: Mapping[LogId, int], heads: Mapping[LogId, int], *, stale: bool = False) -> Resumption:
    """Resume the logs in `asked`, which maps log ids to positions.

    `heads` has the logs that the client may subscribe to. `stale` is true if the positions belong to another epoch. A
    log that is not in `heads` gets a `gone` push. A log that cannot continue from its position gets a `reset` push and
    resumes at its head, so the client knows of the gap.
    """
    resumption = Resumption({}, heads, [])
    for log_id, seq in asked.items():
        if log_id not in heads:
            resumption.pushes.append(a.GonePush(RoomRef(log_id)))
        elif (reason := _reset_reason(seq, heads[log_id], stale=stale)) is None:
            resumption.positions[log_id] = seq
        else:
            resumption.pushes.append(a.ResetPush(_reset(log_id, heads[log_id], reason)))
            resumption.positions[log_id] = heads[log_id]
    return resumption


def _reset_reason(seq: int, head: int, *, stale: bool) -> a.Reason | None:
    if stale:
        return "epoch"
    if seq > head:
        return "ahead"
    return "too_far" if head - seq > MAX_REPLAY else None


def _reset(log_id: LogId, head: int, reason: a.Reason) -> a.Reset:
    if log_id > 0:
        return a.Reset(room_id=log_id, seq=head, reason=reason)
    return a.Reset(me=True, seq=head, reason=reason)


def resume_hello(hello: Hello, login: Login, welcome: Welcome) -> Resumption:
    """Resume the account's own log, all of its rooms, and the lobby if `hello` lists it."""
    own = account_log(login.account.id)
    heads = {own: welcome.heads[own]} | {view.room.id: view.head.last_seq for view in welcome.rooms}
    asked: dict[LogId, int] = dict(hello.rooms or {})
    if LOBBY_ID in asked:
        heads[LOBBY_ID] = welcome.heads[LOBBY_ID]
    if hello.me is not None:
        asked[own] = hello.me
    resumed = resume(asked, heads, stale=hello.epoch not in (None, welcome.epoch))
    return Resumption(heads | resumed.positions, heads, resumed.pushes)


def hello_result(login: Login, welcome: Welcome) -> a.HelloResult:
    """Make the result of `hello`: the epoch, the account and its rooms."""
    account = login.account
    me = a.Me(account.id, account.username, account.name, account.email, welcome.heads[account_log(account.id)])
    return a.HelloResult(welcome.epoch, me, [_room(view) for view in welcome.rooms])


def _room(view: RoomView) -> Room:
    member = view.member
    return Room(
        id=view.room.id,
        kind=view.room.kind,
        name=view.name,
        head_seq=view.head.last_seq,
        unread=view.unread,
        read_seq=member.read_seq if member else None,
        role=member.role if member else None,
    )
