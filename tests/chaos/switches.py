"""What clients switch on and off by turns, each time with a client id, and the part of the analysis about it.

Each turn changes something, so it makes exactly one entry. One client alone turns a switch. So the entries that a
switch has at the end are the turns that its client asked for, in their order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .evidence import Evidence, StoredTurn, Violation
from .records import Nack, Turn, Turned

EMOJI = "\U0001f44d", "\u2764\ufe0f"
TURNS = (
    "SELECT log_id, seq, kind, account_id, room_id, data FROM {} WHERE kind IN "
    "('reacted', 'pinned', 'followed', 'level', 'invited', 'uninvited', 'role') ORDER BY log_id, seq"
)


@dataclass(frozen=True)
class Switch:
    """`name` says what is switched, as `stored_turn` does. `on` and `off` are the commands and their fields."""

    name: str
    on: tuple[str, Mapping[str, Any]]
    off: tuple[str, Mapping[str, Any]]


@dataclass
class Switches:
    """The switches of one client, and which of them it has turned on.

    `kept`: a message of the client in each room, which it never changes. `guest` and `deputy`: the accounts that the
    owner of the rooms invites, and makes a moderator; other clients have none.
    """

    account_id: int
    rooms: Sequence[int]
    guest: int | None = None
    deputy: int | None = None
    kept: dict[int, int] = field(default_factory=dict)
    is_on: set[str] = field(default_factory=set)

    def all(self) -> list[Switch]:
        found = [self._level(room) for room in self.rooms]
        found += [switch for room, message in self.kept.items() for switch in self._of_message(room, message)]
        if self.guest is not None and self.deputy is not None:
            found += [switch for room in self.rooms for switch in self._of_owner(room, self.guest, self.deputy)]
        return found

    def turn(self, switch: Switch) -> bool:
        """Turn a switch. Return whether it is on now."""
        self.is_on ^= {switch.name}
        return switch.name in self.is_on

    def _level(self, room: int) -> Switch:
        body = {"room_id": room}
        return Switch(
            f"level {self.account_id} {room}", ("notify", body | {"level": "none"}), ("notify", body | {"level": "all"})
        )

    def _of_message(self, room: int, message: int) -> Iterator[Switch]:
        body, thread = {"room_id": room, "message_id": message}, {"room_id": room, "thread_id": message}
        yield Switch(f"pin {message}", ("pin", body), ("unpin", body))
        yield Switch(f"follow {self.account_id} {message}", ("follow", thread), ("unfollow", thread))
        for emoji in EMOJI:
            fields = body | {"emoji": emoji}
            yield Switch(f"react {self.account_id} {message} {emoji}", ("react", fields), ("unreact", fields))

    def _of_owner(self, room: int, guest: int, deputy: int) -> Iterator[Switch]:
        body, member = {"room_id": room, "account_id": guest}, {"room_id": room, "account_id": deputy}
        yield Switch(f"invite {room} {guest}", ("invite", body), ("uninvite", body))
        roles = ("role", member | {"role": "moderator"}), ("role", member | {"role": "member"})
        yield Switch(f"role {room} {deputy}", *roles)


def stored_turn(row: Sequence[Any]) -> StoredTurn:
    """Make a turn of a row of TURNS."""
    log, seq, kind, account, room, text = row
    data = json.loads(text)
    match kind:
        case "reacted":
            return StoredTurn(log, seq, f"react {account} {data['message_id']} {data['emoji']}", data["added"])
        case "pinned":
            return StoredTurn(log, seq, f"pin {data['message_id']}", data["pinned"])
        case "followed":
            return StoredTurn(log, seq, f"follow {-log} {data['thread_id']}", data["follows"])
        case "level":
            return StoredTurn(log, seq, f"level {-log} {room}", data["level"] == "none")
        case "role":
            return StoredTurn(log, seq, f"role {log} {account}", data["role"] == "moderator")
    return StoredTurn(log, seq, f"invite {log} {account}", kind == "invited")


def turns_are_made_once(evidence: Evidence) -> Iterator[Violation]:
    """1 and 2: each turn that was asked for has made one entry, in the order of asking, and there are no others."""
    asked: dict[str, list[bool]] = defaultdict(list)
    made: dict[str, list[bool]] = defaultdict(list)
    for turn in evidence.all(Turn):
        asked[turn.switch].append(turn.on)
    for stored in sorted(evidence.turns, key=lambda stored: (stored.log, stored.seq)):
        made[stored.switch].append(stored.on)
    for switch in sorted(asked.keys() | made.keys()):
        if len(made[switch]) > len(asked[switch]):
            what = f"{switch} was turned {len(made[switch])} times, asked {len(asked[switch])}"
            yield Violation("turn-twice", what)
        elif made[switch] != asked[switch]:
            what = f"{switch} was turned {len(asked[switch])} times; {len(made[switch])} are stored"
            yield Violation("turn-lost", what)


def turns_are_answered(evidence: Evidence) -> Iterator[Violation]:
    """At the end each turn has its answer, and none was refused."""
    done = {turned.cid for turned in evidence.all(Turned)}
    refused = {nack.cid: nack.code for nack in evidence.all(Nack) if not nack.temporary}
    for turn in evidence.all(Turn):
        if turn.cid in refused:
            yield Violation("refused", f"{turn.cid} ({turn.switch}) was refused permanently: {refused[turn.cid]}")
        elif turn.cid not in done:
            yield Violation("never-acked", f"{turn.cid} ({turn.switch}) of {turn.client} has no answer")
