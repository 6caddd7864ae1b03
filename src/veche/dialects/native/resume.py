"""Decides from which position each log resumes after `hello` or `sync` (docs/native.md, hello)."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import UNSET

from veche.core.values import LOBBY_ID, LogId, account_log
from veche.core.views import Welcome
from veche.dialects.native import answers as a
from veche.dialects.native.frames import Hello
from veche.dialects.native.limits import MAX_REPLAY
from veche.dialects.native.views import room_in_hello
from veche.service.accounts import Login

FIRST_CURSOR = "0"  # of GET /v1/rooms: from the first room on

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

    `heads` has the logs that the client may subscribe to. `stale` is true if the positions belong to another epoch. One
    `gone` push names the logs that are not in `heads`. A log that cannot continue from its position gets a `reset` push
    and resumes at its head, so the client knows of the gap.
    """
    resumption = Resumption({}, heads, [])
    if gone := [log_id for log_id in asked if log_id not in heads]:
        resumption.pushes.append(a.GonePush(a.Gone(gone[0], gone)))
    for log_id, seq in asked.items():
        if log_id not in heads:
            continue
        if (reason := _reset_reason(seq, heads[log_id], stale=stale)) is None:
            resumption.positions[log_id] = seq
        else:
            resumption.pushes.append(a.ResetPush(_reset(log_id, heads[log_id], reason)))
            resumption.positions[log_id] = heads[log_id]
    return resumption


def _reset_reason(seq: int, head_seq: int, *, stale: bool) -> a.Reason | None:
    if stale:
        return "epoch"
    if seq > head_seq:
        return "ahead"
    return "too_far" if head_seq - seq > MAX_REPLAY else None


def _reset(log_id: LogId, head_seq: int, reason: a.Reason) -> a.Reset:
    if log_id > 0:
        return a.Reset(room_id=log_id, seq=head_seq, reason=reason)
    return a.Reset(me=True, seq=head_seq, reason=reason)


def resume_hello(hello: Hello, login: Login, welcome: Welcome) -> Resumption:
    """Resume the account's own log, all of its rooms, and the lobby if `hello` lists it."""
    own = account_log(login.account.id)
    asked: dict[LogId, int] = dict(hello.rooms or {})
    heads = {own: welcome.heads[own]}
    heads |= {log_id: head_seq for log_id, head_seq in welcome.heads.items() if log_id != LOBBY_ID or log_id in asked}
    if hello.me is not None:
        asked[own] = hello.me
    resumed = resume(asked, heads, stale=hello.epoch not in (None, welcome.epoch))
    return Resumption(heads | resumed.positions, heads, resumed.pushes)


def hello_result(login: Login, welcome: Welcome) -> a.HelloResult:
    """Make the result of `hello`: the epoch, the account and its rooms."""
    account = login.account
    seq = welcome.heads[account_log(account.id)]
    hides = True if account.hides_reading else UNSET
    me = a.Me(account.id, account.username, account.name, account.email, hides, seq=seq)
    rooms = list(map(room_in_hello, welcome.rooms))
    return a.HelloResult(welcome.epoch, me, rooms, FIRST_CURSOR if welcome.more else UNSET)


class Replay:
    """One hello or sync, until its `caught_up`. A client has one at a time.

    `catching_up`: its logs that are not live yet. `unsubscribed`: those of them that are not subscribed yet, with their
    positions. `heads`: what the client was told. `next_slice`: subscribes to more of them.
    """

    __slots__ = ("catching_up", "heads", "next_slice", "unsubscribed")

    def __init__(self) -> None:
        self.catching_up: set[LogId] = set()
        self.unsubscribed: dict[LogId, int] = {}
        self.heads: Mapping[LogId, int] = {}
        self.next_slice: asyncio.Handle | None = None
