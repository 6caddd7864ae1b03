"""The analyser: from what clients saw and what is stored at the end to the promises that were broken. Pure.

The invariants are those of the data-loss model; each function below yields the violations of one of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

from .records import ME, Ack, CaughtUp, Down, Fault, Gone, Invoke, Nack, Odd, Record, Recv, Reset, Welcome, judge

DRAIN_SECONDS = 10.0
REPLAY_LIMIT = 500

AnyKind = TypeVar("AnyKind")


@dataclass(frozen=True)
class Violation:
    """`kind`: a stable word to count and to compare by; `sentence`: what happened, with the names and numbers."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Stored:
    """A message as it is in a history. `kind` is `text`, or `notice` for a line of the server."""

    room: int
    seq: int
    id: int
    sender: int
    cid: str | None
    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Evidence:
    """All that a run left behind.

    `accounts`: the account id of each client. `members`: by room, the clients in it from its first event on.
    `served`: the history through the public API; `rows`, `events`: straight from the database, events as (log, seq),
    where a room's log has the id of the room, and an account's own log its negated id.
    `heads`: by room, the head that the public API gives.
    """

    records: Sequence[Record]
    accounts: Mapping[str, int]
    members: Mapping[int, frozenset[str]]
    served: Sequence[Stored]
    rows: Sequence[Stored]
    events: Sequence[tuple[int, int]] = ()
    heads: Mapping[int, int] = field(default_factory=dict)

    def all(self, kind: type[AnyKind]) -> list[AnyKind]:
        return [record for record in self.records if isinstance(record, kind)]

    @cached_property
    def invoked(self) -> dict[str, Invoke]:
        return {invoke.cid: invoke for invoke in self.all(Invoke)}

    @cached_property
    def by_cid(self) -> dict[str, Stored]:
        return {row.cid: row for row in self.rows if row.cid is not None}

    @cached_property
    def by_place(self) -> dict[tuple[int, int], Stored]:
        return {(row.room, row.seq): row for row in self.rows}

    @cached_property
    def numbers(self) -> dict[int, set[int]]:
        """By log, each seq that the database holds."""
        numbers: dict[int, set[int]] = defaultdict(set)
        for log, seq in [*self.by_place, *self.events]:
            numbers[log].add(seq)
        return dict(numbers)

    def log_of(self, client: str, room: int) -> int:
        """The id of the log that a client calls `room`, or `ME`."""
        return -self.accounts[client] if room == ME else room


def acked_is_stored(evidence: Evidence) -> Iterator[Violation]:
    """1: what was acked is in the history, with the seq and the text."""
    for ack in evidence.all(Ack):
        row = evidence.by_cid.get(ack.cid)
        if row is None:
            yield Violation("acked-lost", f"{ack.cid} was acked as room {ack.room} seq {ack.seq} and is not stored")
        elif (row.room, row.seq, row.id) != (ack.room, ack.seq, ack.message_id):
            said = f"room {ack.room} seq {ack.seq} id {ack.message_id}"
            yield Violation("acked-seq", f"{ack.cid}: acked as {said}, stored as {_place(row)} id {row.id}")
        elif ack.cid in evidence.invoked and row.text != evidence.invoked[ack.cid].text:
            yield Violation("acked-text", f"{ack.cid} at {_place(row)} is stored with another text: {row.text!r:.80}")


def stored_once(evidence: Evidence) -> Iterator[Violation]:
    """2 and 8: acked or not, no client id is stored twice; no message id either."""
    acks = {ack.cid for ack in evidence.all(Ack)}
    for cid, times in Counter(row.cid for row in evidence.rows if row.cid is not None).items():
        if times > 1:
            acked = "acked" if cid in acks else "never acked"
            places = ", ".join(_place(row) for row in evidence.rows if row.cid == cid)
            yield Violation("stored-twice", f"{cid} ({acked}) is stored {times} times: {places}")
    for number, times in Counter(row.id for row in evidence.rows).items():
        if times > 1:
            yield Violation("stored-twice", f"message id {number} is given to {times} messages")


def numbers_are_whole(evidence: Evidence) -> Iterator[Violation]:
    """3: messages and events of a log are together numbered 1 to n, each number once, and n is the head."""
    places = [*((row.room, row.seq) for row in evidence.rows), *evidence.events]
    for (log, seq), times in Counter(places).items():
        if times > 1:
            yield Violation("seq-twice", f"log {log} seq {seq} is given {times} times")
    for log, numbers in evidence.numbers.items():
        if missing := sorted(set(range(1, max(numbers) + 1)) - numbers):
            yield Violation("seq-gap", f"log {log} holds nothing at seq {_some(missing)} of {max(numbers)}")
    for room, head in evidence.heads.items():
        last = max(evidence.numbers.get(room, ()), default=0)
        if head != last:
            yield Violation("head", f"room {room}: the head is given as {head}, stored is up to {last}")


def sender_order(evidence: Evidence) -> Iterator[Violation]:
    """4: in each room a sender's messages stand in the order sent; one that was refused in between is excused."""
    refused = {nack.cid for nack in evidence.all(Nack)}
    order = {cid: place for place, cid in enumerate(evidence.invoked)}
    latest: dict[tuple[int, int], Stored] = {}
    for row in sorted(evidence.rows, key=lambda row: (row.room, row.seq)):
        if row.cid not in order or row.cid in refused:
            continue
        before = latest.get((row.room, row.sender))
        if before is not None and before.cid is not None and order[before.cid] > order[row.cid]:
            yield Violation(
                "sender-order", f"{row.cid} was sent before {before.cid} and stands after it: {_place(row)}"
            )
        else:
            latest[row.room, row.sender] = row


def real_time_order(evidence: Evidence) -> Iterator[Violation]:
    """5: what was acked before another message was first sent has the lower seq."""
    highest: dict[int, Ack] = {}
    for record in evidence.records:
        if isinstance(record, Ack):
            if record.room not in highest or highest[record.room].seq < record.seq:
                highest[record.room] = record
        elif isinstance(record, Invoke) and (row := evidence.by_cid.get(record.cid)):
            acked = highest.get(row.room)
            if acked is not None and acked.seq >= row.seq:
                said = f"{acked.cid} was acked with seq {acked.seq} before {row.cid} was sent"
                yield Violation("real-time-order", f"{said}, which is stored at {_place(row)}")


def nothing_unsent(evidence: Evidence) -> Iterator[Violation]:
    """6: each text in the history was sent so, to that room, by that sender."""
    for row in evidence.served:
        if row.kind != "text":
            continue
        invoke = evidence.invoked.get(row.cid or "")
        if invoke is None:
            yield Violation("phantom", f"nobody sent {row.cid} at {_place(row)}: {row.text!r:.80}")
        elif (row.room, row.sender, row.text) != (invoke.room, evidence.accounts[invoke.client], invoke.text):
            yield Violation("phantom", f"{row.cid} at {_place(row)} differs in room, sender or text from what was sent")


def both_histories_agree(evidence: Evidence) -> Iterator[Violation]:
    """The public API serves exactly the messages of the database, in order."""
    served, rows = set(evidence.served), set(evidence.rows)
    for row in sorted(served ^ rows, key=lambda row: (row.room, row.seq)):
        where = "served, but not stored so" if row in served else "stored, but not served so"
        yield Violation("served-differs", f"{row.cid} at {_place(row)} is {where}")
    for room, numbers in _by_room((row.room, row.seq) for row in evidence.served).items():
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            yield Violation("served-differs", f"room {room} is not served in rising order")


def frames_in_order(evidence: Evidence) -> Iterator[Violation]:
    """7: at each receiver the frames of a log rise by one, over all its sockets; a reset starts anew."""
    positions: dict[tuple[str, int], int] = defaultdict(int)
    for record in evidence.records:
        if isinstance(record, Reset):
            positions[record.client, record.room] = record.seq
        elif isinstance(record, Recv):
            log = record.client, record.room
            verdict = judge(positions[log], record.seq)
            if verdict == "next":
                positions[log] = record.seq
            else:
                place = f"{_log(record.room)} seq {record.seq} while at {positions[log]}"
                yield Violation(f"recv-{verdict}", f"{record.client}, socket {record.connection}: {place}")


def frames_are_history(evidence: Evidence) -> Iterator[Violation]:
    """7: each frame is what is stored at its seq: an event for an event, and the same message for a message."""
    events = set(evidence.events)
    for recv in evidence.all(Recv):
        log = evidence.log_of(recv.client, recv.room)
        row = evidence.by_place.get((log, recv.seq))
        said = f"{recv.client} heard {recv.event} {recv.cid} at log {log} seq {recv.seq}"
        if row is None if recv.event == "message" else (log, recv.seq) not in events:
            yield Violation("recv-phantom", f"{said}, no such thing is stored there")
        elif row is not None and recv.event == "message":
            heard = recv.message_id, recv.cid, recv.sender, recv.text
            if heard != (row.id, row.cid, row.sender, row.text):
                yield Violation("recv-differs", f"{said}, stored is {row.cid} with id {row.id} by {row.sender}")


def members_miss_nothing(evidence: Evidence) -> Iterator[Violation]:
    """7: each member has heard each number of its rooms and of its own log, but for what a reset told it to fetch."""
    heard: dict[tuple[str, int], set[int]] = defaultdict(set)
    for record in evidence.records:
        if isinstance(record, Recv):
            heard[record.client, record.room].add(record.seq)
        elif isinstance(record, Reset):
            heard[record.client, record.room].update(range(1, record.seq + 1))
    logs = [(client, ME) for client in evidence.accounts]
    logs += [(client, room) for room, clients in evidence.members.items() for client in sorted(clients)]
    for client, room in logs:
        stored = evidence.numbers.get(evidence.log_of(client, room), set())
        if missed := sorted(stored - heard[client, room]):
            yield Violation(
                "recv-missed", f"{client} never heard seq {_some(missed)} of {_log(room)}, {len(stored)} long"
            )


def strangers_hear_nothing(evidence: Evidence) -> Iterator[Violation]:
    """10: who is not in a room hears nothing of it; who is in it is never told to be out."""
    for recv in evidence.all(Recv):
        if recv.room != ME and recv.client not in evidence.members.get(recv.room, ()):
            yield Violation("recv-stranger", f"{recv.client} is not in room {recv.room} and heard its seq {recv.seq}")
    for gone in evidence.all(Gone):
        if gone.client in evidence.members.get(gone.room, ()):
            yield Violation("gone", f"{gone.client} is in room {gone.room} and was told that it is not")


def caught_up_means_it(evidence: Evidence) -> Iterator[Violation]:
    """11: at `caught_up` a client is at the heads which the answer to its `hello` or `sync` named."""
    positions: dict[tuple[str, int], int] = defaultdict(int)
    due: dict[tuple[str, int], list[Welcome]] = defaultdict(list)
    for record in evidence.records:
        if isinstance(record, Recv | Reset):
            log = record.client, record.room
            if isinstance(record, Reset) or judge(positions[log], record.seq) == "next":
                positions[log] = record.seq
        elif isinstance(record, Welcome):
            due[record.client, record.connection].append(record)
        elif isinstance(record, CaughtUp):
            yield from _caught_up(record, due[record.client, record.connection], positions)


def always_caught_up(evidence: Evidence) -> Iterator[Violation]:
    """11: a socket that was welcomed and did not go down has been told that it caught up."""
    ended = {(record.client, record.connection) for record in evidence.records if isinstance(record, CaughtUp | Down)}
    for welcome in evidence.all(Welcome):
        if (welcome.client, welcome.connection) not in ended:
            yield Violation("never-caught-up", f"{welcome.client}, socket {welcome.connection}: caught_up never came")


def _caught_up(record: CaughtUp, due: list[Welcome], positions: Mapping[tuple[str, int], int]) -> Iterator[Violation]:
    who = f"{record.client}, socket {record.connection}"
    if not due:
        yield Violation("caught-up", f"{who}: caught_up without a hello or sync that waited for it")
        return
    for room, head in due.pop(0).heads.items():
        position = positions.get((record.client, room), 0)
        if position < head:
            yield Violation("caught-up", f"{who}: caught_up at seq {position} of {_log(room)}, whose head was {head}")


def resets_are_founded(evidence: Evidence) -> Iterator[Violation]:
    """A reset is for another history or for more than 500 missing events; nobody restored a backup in a run."""
    positions: dict[tuple[str, int], int] = defaultdict(int)
    for record in evidence.records:
        if isinstance(record, Recv):
            positions[record.client, record.room] = max(record.seq, positions[record.client, record.room])
        elif isinstance(record, Reset):
            missing = record.seq - positions[record.client, record.room]
            if record.reason != "too_far" or missing <= REPLAY_LIMIT:
                what = f"{_log(record.room)} to seq {record.seq} ({record.reason}) with {missing} events missing"
                yield Violation("reset", f"{record.client} was reset in {what}")
            positions[record.client, record.room] = record.seq


def all_answered(evidence: Evidence) -> Iterator[Violation]:
    """After the heal nothing waits for its answer, and no send was refused for good."""
    acked = {ack.cid for ack in evidence.all(Ack)}
    refused = {nack.cid: nack for nack in evidence.all(Nack) if not nack.temporary}
    for cid, invoke in evidence.invoked.items():
        if cid in refused:
            stored = " and stored all the same" if cid in evidence.by_cid else ""
            yield Violation("refused", f"{cid} was refused for good{stored}: {refused[cid].code}")
        elif cid not in acked:
            stored = "stored" if cid in evidence.by_cid else "not stored"
            yield Violation("never-acked", f"{cid} of {invoke.client} for room {invoke.room} has no answer ({stored})")


def ack_comes_first(evidence: Evidence) -> Iterator[Violation]:
    """The answer to a command comes before the event that it caused, on the socket that asked."""
    heard: set[tuple[str, int, str | None]] = set()
    for record in evidence.records:
        if isinstance(record, Recv) and record.cid in evidence.invoked:
            heard.add((record.client, record.connection, record.cid))
        elif isinstance(record, Ack) and not record.duplicate and (*_socket(record), record.cid) in heard:
            yield Violation("event-before-ack", f"{record.client} heard {record.cid} before it was acked")


def contract_is_kept(evidence: Evidence) -> Iterator[Violation]:
    """The server speaks only as docs/native.md says, and turns no client away for good."""
    for odd in evidence.all(Odd):
        yield Violation("contract", f"{odd.client}: {odd.sentence}")
    for down in evidence.all(Down):
        if down.code is not None and 4000 <= down.code < 4100:
            yield Violation("turned-away", f"{down.client}, socket {down.connection}: closed with {down.code}")


def ends_as_asked(evidence: Evidence) -> Iterator[Violation]:
    """SIGTERM ends the server with 0 in time, a crash point with 9, and nothing else ends it but SIGKILL."""
    for fault in evidence.all(Fault):
        if fault.how == "drain":
            if fault.code != 0 or fault.seconds > DRAIN_SECONDS:
                yield Violation("drain", f"SIGTERM: exit code {fault.code} after {fault.seconds:.1f} s")
        elif fault.how == "kill":
            if fault.code != -9:
                yield Violation("died", f"the server had ended by itself with exit code {fault.code}")
        elif fault.code != 9:
            yield Violation("crash-point", f"{fault.how}: exit code {fault.code} after {fault.seconds:.1f} s")


INVARIANTS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    acked_is_stored,
    stored_once,
    numbers_are_whole,
    sender_order,
    real_time_order,
    nothing_unsent,
    both_histories_agree,
    frames_in_order,
    frames_are_history,
    members_miss_nothing,
    strangers_hear_nothing,
    caught_up_means_it,
    always_caught_up,
    resets_are_founded,
    all_answered,
    ack_comes_first,
    contract_is_kept,
    ends_as_asked,
)


def check(evidence: Evidence) -> list[Violation]:
    """Every violation of every invariant; an empty list is the verdict "kept"."""
    return [violation for invariant in INVARIANTS for violation in invariant(evidence)]


def _place(row: Stored) -> str:
    return f"room {row.room} seq {row.seq}"


def _log(room: int) -> str:
    return "its own log" if room == ME else f"room {room}"


def _socket(record: Ack) -> tuple[str, int]:
    return record.client, record.connection


def _some(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return shown if len(numbers) <= 5 else f"{shown} and {len(numbers) - 5} more"


def _by_room(places: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    by_room: dict[int, list[int]] = defaultdict(list)
    for room, seq in places:
        by_room[room].append(seq)
    return by_room
