"""The analysis of a run: finds broken promises from what clients received and what is stored at the end. Pure.

Each function below yields the violations of one invariant, and its docstring begins with the invariant's number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from .changes import (
    acked_changes_are_stored,
    changes_are_answered,
    changes_are_complete,
    changes_are_heard,
    texts_were_asked_for,
)
from .evidence import Evidence, Stored, Violation
from .records import (
    ME,
    Ack,
    CaughtUp,
    Down,
    Fault,
    Gone,
    Invoke,
    Nack,
    Recv,
    Reset,
    Unexpected,
    Welcome,
    judge,
)
from .switches import turns_are_answered, turns_are_made_once

DRAIN_SECONDS = 10.0
REPLAY_LIMIT = 500


def acked_is_stored(evidence: Evidence) -> Iterator[Violation]:
    """1: an acked message is in the history, with its seq and text."""
    for ack in evidence.all(Ack):
        row = evidence.by_cid.get(ack.cid)
        if row is None:
            yield Violation("acked-lost", f"{ack.cid} was acked as room {ack.room} seq {ack.seq} and is not stored")
        elif (row.room, row.seq, row.id) != (ack.room, ack.seq, ack.message_id):
            acked_as = f"room {ack.room} seq {ack.seq} id {ack.message_id}"
            yield Violation("acked-seq", f"{ack.cid}: acked as {acked_as}, stored as {_place(row)} id {row.id}")
        elif ack.cid in evidence.invoked and not row.revision and row.text != evidence.invoked[ack.cid].text:
            yield Violation("acked-text", f"{ack.cid} at {_place(row)} is stored with another text: {row.text!r:.80}")


def stored_once(evidence: Evidence) -> Iterator[Violation]:
    """2 and 8: no client message id and no message id is stored twice, acked or not."""
    acks = {ack.cid for ack in evidence.all(Ack)}
    for cid, times in Counter(row.cid for row in evidence.rows if row.cid is not None).items():
        if times > 1:
            acked = "acked" if cid in acks else "never acked"
            places = ", ".join(_place(row) for row in evidence.rows if row.cid == cid)
            yield Violation("stored-twice", f"{cid} ({acked}) is stored {times} times: {places}")
    for number, times in Counter(row.id for row in evidence.rows).items():
        if times > 1:
            yield Violation("stored-twice", f"message id {number} is given to {times} messages")


def seqs_are_complete(evidence: Evidence) -> Iterator[Violation]:
    """3: the messages and events of a log have the seqs 1 to n, each once, and n is the head."""
    places = [*((row.room, row.seq) for row in evidence.rows), *evidence.events]
    for (log, seq), times in Counter(places).items():
        if times > 1:
            yield Violation("seq-twice", f"log {log} seq {seq} is given {times} times")
    for log, numbers in evidence.numbers.items():
        if missing := sorted(set(range(1, max(numbers) + 1)) - numbers):
            yield Violation("seq-gap", f"log {log} has nothing at seq {_some(missing)} of {max(numbers)}")
    for room, head in evidence.heads.items():
        last = max(evidence.numbers.get(room, ()), default=0)
        if head != last:
            yield Violation("head", f"room {room}: the API gives the head {head}, the database has {last}")


def sender_order(evidence: Evidence) -> Iterator[Violation]:
    """4: a sender's messages in a room are in the order sent, except those that were refused before."""
    refused = {nack.cid for nack in evidence.all(Nack)}
    order = {cid: place for place, cid in enumerate(evidence.invoked)}
    latest: dict[tuple[int, int], Stored] = {}
    for row in sorted(evidence.rows, key=lambda row: (row.room, row.seq)):
        if row.cid not in order or row.cid in refused:
            continue
        before = latest.get((row.room, row.sender))
        if before is not None and before.cid is not None and order[before.cid] > order[row.cid]:
            yield Violation(
                "sender-order", f"{row.cid} was sent before {before.cid} and is stored after it: {_place(row)}"
            )
        else:
            latest[row.room, row.sender] = row


def real_time_order(evidence: Evidence) -> Iterator[Violation]:
    """5: a message that was acked before another was first sent has the lower seq."""
    highest: dict[int, Ack] = {}
    for record in evidence.records:
        if isinstance(record, Ack):
            if record.room not in highest or highest[record.room].seq < record.seq:
                highest[record.room] = record
        elif isinstance(record, Invoke) and (row := evidence.by_cid.get(record.cid)):
            acked = highest.get(row.room)
            if acked is not None and acked.seq >= row.seq:
                order = f"{acked.cid} was acked with seq {acked.seq} before {row.cid} was sent"
                yield Violation("real-time-order", f"{order}, which is stored at {_place(row)}")


def nothing_unsent(evidence: Evidence) -> Iterator[Violation]:
    """6: each text in the history was sent to that room by that sender."""
    for row in evidence.served:
        if row.kind != "text":
            continue
        invoke = evidence.invoked.get(row.cid or "")
        if invoke is None:
            yield Violation("phantom", f"no client sent {row.cid} at {_place(row)}: {row.text!r:.80}")
        elif (row.room, row.sender, row.text if not row.revision else invoke.text) != (
            invoke.room,
            evidence.accounts[invoke.client],
            invoke.text,
        ):
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
    """7: at each client the seqs of a log rise by one, across all its sockets; a reset sets the position."""
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
    """7: each frame matches what is stored at its seq: an event, or the same message."""
    events = set(evidence.events)
    for recv in evidence.all(Recv):
        log = evidence.log_of(recv.client, recv.room)
        row = evidence.by_place.get((log, recv.seq))
        received = f"{recv.client} received {recv.event} {recv.cid} at log {log} seq {recv.seq}"
        if row is None if recv.event == "message" else (log, recv.seq) not in events:
            yield Violation("recv-phantom", f"{received}, which is not stored there")
        elif row is not None and recv.event == "message":
            text = recv.text if recv.revision == row.revision else row.text
            fields = recv.message_id, recv.cid, recv.sender, text
            if fields != (row.id, row.cid, row.sender, row.text) or recv.revision > row.revision:
                yield Violation("recv-differs", f"{received}, stored is {row.cid} with id {row.id} by {row.sender}")


def members_miss_nothing(evidence: Evidence) -> Iterator[Violation]:
    """7: each member received each seq of its rooms and of its own log, except those that a reset skipped."""
    received: dict[tuple[str, int], set[int]] = defaultdict(set)
    for record in evidence.records:
        if isinstance(record, Recv):
            received[record.client, record.room].add(record.seq)
        elif isinstance(record, Reset):
            received[record.client, record.room].update(range(1, record.seq + 1))
    logs = [(client, ME) for client in evidence.accounts]
    logs += [(client, room) for room, clients in evidence.members.items() for client in sorted(clients)]
    for client, room in logs:
        stored = evidence.numbers.get(evidence.log_of(client, room), set())
        if missed := sorted(stored - received[client, room]):
            yield Violation(
                "recv-missed", f"{client} never received seq {_some(missed)} of {_log(room)}, {len(stored)} long"
            )


def strangers_receive_nothing(evidence: Evidence) -> Iterator[Violation]:
    """10: a client that is not in a room receives nothing of it; a member is never sent `gone`."""
    for recv in evidence.all(Recv):
        if recv.room != ME and recv.client not in evidence.members.get(recv.room, ()):
            yield Violation(
                "recv-stranger", f"{recv.client} is not in room {recv.room} and received its seq {recv.seq}"
            )
    for gone in evidence.all(Gone):
        if gone.client in evidence.members.get(gone.room, ()):
            yield Violation("gone", f"{gone.client} is in room {gone.room} and was sent gone")


def caught_up_is_true(evidence: Evidence) -> Iterator[Violation]:
    """11: at `caught_up` a client is at the heads that the answer to its `hello` or `sync` named."""
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
    """11: a socket that got the answer to `hello` and did not close has received `caught_up`."""
    ended = {(record.client, record.connection) for record in evidence.records if isinstance(record, CaughtUp | Down)}
    for welcome in evidence.all(Welcome):
        if (welcome.client, welcome.connection) not in ended:
            yield Violation("never-caught-up", f"{welcome.client}, socket {welcome.connection}: caught_up never came")


def _caught_up(record: CaughtUp, due: list[Welcome], positions: Mapping[tuple[str, int], int]) -> Iterator[Violation]:
    socket = f"{record.client}, socket {record.connection}"
    if not due:
        yield Violation("caught-up", f"{socket}: caught_up without a hello or sync that waited for it")
        return
    for room, head in due.pop(0).heads.items():
        position = positions.get((record.client, room), 0)
        if position < head:
            yield Violation(
                "caught-up", f"{socket}: caught_up at seq {position} of {_log(room)}, whose head was {head}"
            )


def resets_have_a_reason(evidence: Evidence) -> Iterator[Violation]:
    """A reset is only for more than 500 missing events: no run restores a backup."""
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
    """At the end each message has its answer, and none was refused permanently."""
    acked = {ack.cid for ack in evidence.all(Ack)}
    refused = {nack.cid: nack for nack in evidence.all(Nack) if not nack.temporary}
    for cid, invoke in evidence.invoked.items():
        if cid in refused:
            stored = " but stored" if cid in evidence.by_cid else ""
            yield Violation("refused", f"{cid} was refused permanently{stored}: {refused[cid].code}")
        elif cid not in acked:
            stored = "stored" if cid in evidence.by_cid else "not stored"
            yield Violation("never-acked", f"{cid} of {invoke.client} for room {invoke.room} has no answer ({stored})")


def ack_comes_first(evidence: Evidence) -> Iterator[Violation]:
    """The answer to a command comes before the event that it caused, on the same socket."""
    received: set[tuple[str, int, str | None]] = set()
    for record in evidence.records:
        if isinstance(record, Recv) and record.cid in evidence.invoked:
            received.add((record.client, record.connection, record.cid))
        elif isinstance(record, Ack) and not record.duplicate and (*_socket(record), record.cid) in received:
            yield Violation("event-before-ack", f"{record.client} received {record.cid} before it was acked")


def contract_is_kept(evidence: Evidence) -> Iterator[Violation]:
    """The server sends only frames of docs/native.md, and no close code that forbids reconnecting."""
    for unexpected in evidence.all(Unexpected):
        yield Violation("contract", f"{unexpected.client}: {unexpected.sentence}")
    for down in evidence.all(Down):
        if down.code is not None and 4000 <= down.code < 4100:
            yield Violation("turned-away", f"{down.client}, socket {down.connection}: closed with {down.code}")


def ends_as_asked(evidence: Evidence) -> Iterator[Violation]:
    """SIGTERM ends the server in time with 0, a crash point with 9; otherwise only SIGKILL ends it."""
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
    seqs_are_complete,
    sender_order,
    real_time_order,
    nothing_unsent,
    both_histories_agree,
    frames_in_order,
    frames_are_history,
    members_miss_nothing,
    strangers_receive_nothing,
    caught_up_is_true,
    always_caught_up,
    resets_have_a_reason,
    all_answered,
    ack_comes_first,
    contract_is_kept,
    ends_as_asked,
    acked_changes_are_stored,
    changes_are_complete,
    texts_were_asked_for,
    changes_are_heard,
    changes_are_answered,
    turns_are_made_once,
    turns_are_answered,
)


def check(evidence: Evidence) -> list[Violation]:
    """Return the violations of all invariants; an empty list means that all promises were kept."""
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
