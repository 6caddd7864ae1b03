"""The part of the analysis that is about edited and deleted messages. See `check`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from .evidence import Evidence, Violation
from .records import Change, Changed, Nack, Recv


def acked_changes_are_stored(evidence: Evidence) -> Iterator[Violation]:
    """1: an acked change is an entry of the room's log, at the seq and with the revision that were acked."""
    stored = {(change.room, change.seq): (change.message_id, change.revision) for change in evidence.changes}
    for ack in evidence.all(Changed):
        if (found := stored.get((ack.room, ack.seq))) != (ack.message_id, ack.revision):
            acked = f"room {ack.room} seq {ack.seq}, message {ack.message_id}, revision {ack.revision}"
            yield Violation("change-lost", f"{ack.cid} was acked as {acked}; stored there is {found}")


def changes_are_complete(evidence: Evidence) -> Iterator[Violation]:
    """2 and 3: the revisions of a message are 1 to n, each made once and asked for, and n is that of the message."""
    made: dict[int, list[int]] = defaultdict(list)
    for change in sorted(evidence.changes, key=lambda change: (change.room, change.seq)):
        made[change.message_id].append(change.revision)
    asked = Counter(change.message_id for change in evidence.all(Change))
    for row in evidence.rows:
        revisions = made.get(row.id, [])
        if revisions != list(range(1, row.revision + 1)):
            yield Violation("revisions", f"message {row.id} has revision {row.revision}, its log has {revisions}")
        elif len(revisions) > asked[row.id]:
            yield Violation(
                "change-twice", f"message {row.id} was changed {len(revisions)} times, asked {asked[row.id]}"
            )


def texts_were_asked_for(evidence: Evidence) -> Iterator[Violation]:
    """6: the text of an edited message is that of the last edit; a deleted one has none."""
    texts: dict[int, set[str | None]] = defaultdict(set)
    for change in evidence.all(Change):
        texts[change.message_id].add(change.text)
    by_cid = {change.cid: change for change in evidence.all(Change)}
    acked = {(ack.message_id, ack.revision): by_cid[ack.cid].text for ack in evidence.all(Changed)}
    for row in evidence.rows:
        text = None if row.deleted else row.text
        if row.revision and (text not in texts[row.id] or acked.get((row.id, row.revision), text) != text):
            yield Violation("changed-text", f"message {row.id}, revision {row.revision}, has a text nobody asked for")


def changes_are_heard(evidence: Evidence) -> Iterator[Violation]:
    """7: the frame of a change matches what is stored at its seq, and shows no text from before it."""
    stored = {(change.room, change.seq): change for change in evidence.changes}
    rows = {row.id: row for row in evidence.rows}
    for recv in evidence.all(Recv):
        if recv.change is None or recv.message_id is None:
            continue
        change, row = stored.get((recv.room, recv.seq)), rows.get(recv.message_id)
        place = f"{recv.client}: {recv.event} of message {recv.message_id} at room {recv.room} seq {recv.seq}"
        if change is None or (change.kind, change.message_id, change.revision) != (
            recv.event,
            recv.message_id,
            recv.change,
        ):
            yield Violation("change-differs", f"{place}, revision {recv.change}; stored is {change}")
        elif recv.event == "edited" and row is not None:
            if not recv.change <= recv.revision <= row.revision:
                yield Violation("change-stale", f"{place} shows revision {recv.revision} of {row.revision}")
            elif recv.revision == row.revision and recv.text != row.text:
                yield Violation("change-differs", f"{place} shows another text than is stored")


def changes_are_answered(evidence: Evidence) -> Iterator[Violation]:
    """At the end each change has its answer. Only the edit of a message that is being deleted may be refused."""
    acked = {ack.cid for ack in evidence.all(Changed)}
    refused = {nack.cid: nack.code for nack in evidence.all(Nack) if not nack.temporary}
    deleted = {change.message_id for change in evidence.all(Change) if change.text is None}
    for change in evidence.all(Change):
        if change.cid in refused and (change.text is None or change.message_id not in deleted):
            yield Violation("refused", f"{change.cid} was refused permanently: {refused[change.cid]}")
        elif change.cid not in acked and change.cid not in refused:
            yield Violation("never-acked", f"{change.cid} of {change.client} has no answer")
