"""The analysis of edits and deletions in hand-made runs: each invariant has runs that break it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from .check import check
from .evidence import Evidence, Stored, StoredChange
from .records import Change, Changed, Nack, Record, Recv
from .test_check import ANN, BOB, FIRST, ROOM, ack, evidence, invoke, joined, recv, stored

EDITED = "another text"


def change(cid: str = "ann-2", text: str | None = EDITED, message: int = 1) -> Change:
    return Change(0.0, ANN, ROOM, cid, FIRST + message, text)


def changed(cid: str = "ann-2", seq: int = 3, revision: int = 1, *, duplicate: bool = False) -> Changed:
    return Changed(0.0, ANN, 1, ROOM, cid, seq, FIRST + 1, revision, duplicate)


def edited(client: str, seq: int = 3, revision: int = 1, shown: int = 1, text: str = EDITED) -> Recv:
    frame = Recv(0.0, client, 1, ROOM, seq, "edited", FIRST + 1)
    return structs.replace(frame, text=text, revision=shown, change=revision)


ROW = replace(stored(1, text=EDITED), revision=1)
GONE = replace(stored(1, text=""), text="", revision=2, deleted=True)
EDIT = StoredChange(ROOM, 3, "edited", FIRST + 1, 1)
DELETION = StoredChange(ROOM, 4, "deleted", FIRST + 1, 2)
SENT: list[Record] = [invoke(1), ack(1)]


def run(records: list[Record], row: Stored, *changes: StoredChange) -> Evidence:
    """Make a run in which one message was sent and changed, and both members received all."""
    first = structs.replace(recv(stored(1)), client=ANN)
    heard: list[Record] = [joined(ANN), first, joined(BOB), recv(stored(1))]
    heard += [edited(client) for client in (ANN, BOB)]
    if len(changes) > 1:
        frame = structs.replace(Recv(0.0, ANN, 1, ROOM, 4, "deleted", FIRST + 1), change=2)
        heard += [frame, structs.replace(frame, client=BOB)]
    found = evidence([*SENT, *records, *heard], [row])
    events = [(ROOM, 1), *((one.room, one.seq) for one in changes)]
    return replace(found, events=events, changes=changes, heads={ROOM: max(seq for _, seq in events)})


def kinds(found: Evidence) -> list[str]:
    return sorted({violation.kind for violation in check(found)})


def test_an_edit_and_a_deletion_that_were_kept() -> None:
    assert kinds(run([change(), changed()], ROW, EDIT)) == []
    deletion = [change(), changed(), change("ann-3", None), changed("ann-3", 4, 2)]
    assert kinds(run(deletion, GONE, EDIT, DELETION)) == []
    assert kinds(run([change(), changed(), changed(duplicate=True)], ROW, EDIT)) == []


def test_a_replay_shows_the_message_as_it_is_now() -> None:
    later = structs.replace(recv(stored(1, text=EDITED)), client=ANN, revision=1)
    found = run([change(), changed()], ROW, EDIT)
    records = [later if record == structs.replace(recv(stored(1)), client=ANN) else record for record in found.records]
    assert kinds(replace(found, records=records)) == []


def test_1_an_acked_change_is_lost() -> None:
    found = run([change(), changed(), change("ann-3"), changed("ann-3", 4, 2)], ROW, EDIT)
    assert kinds(found) == ["change-lost"]


def test_2_a_change_is_made_twice() -> None:
    twice = replace(ROW, revision=2)
    again = StoredChange(ROOM, 4, "edited", FIRST + 1, 2)
    assert "change-twice" in kinds(run([change(), changed()], twice, EDIT, again))


@pytest.mark.parametrize("revision", [0, 2])
def test_3_a_revision_is_missing(revision: int) -> None:
    assert "revisions" in kinds(run([change(), changed()], replace(ROW, revision=revision), EDIT))


@pytest.mark.parametrize("row", [replace(ROW, text="mine"), replace(ROW, text="", deleted=True)])
def test_6_a_text_that_nobody_asked_for(row: Stored) -> None:
    assert "changed-text" in kinds(run([change(), changed()], row, EDIT))


@pytest.mark.parametrize(
    "frame",
    [
        edited(BOB, revision=2, shown=2),
        structs.replace(edited(BOB), message_id=99),
        structs.replace(edited(BOB), event="deleted"),
        edited(BOB, text="mine"),
    ],
)
def test_7_a_frame_differs_from_what_is_stored(frame: Recv) -> None:
    found = run([change(), changed()], ROW, EDIT)
    records = [frame if record == edited(BOB) else record for record in found.records]
    assert kinds(replace(found, records=records)) == ["change-differs"]


def test_7_a_frame_shows_a_text_from_before_the_change() -> None:
    found = run([change(), changed()], ROW, EDIT)
    stale = edited(BOB, shown=0, text="text of ann-1")
    records = [stale if record == edited(BOB) else record for record in found.records]
    assert kinds(replace(found, records=records)) == ["change-stale"]


def test_a_change_without_an_answer() -> None:
    assert kinds(run([change()], ROW, EDIT)) == ["never-acked"]


def test_only_the_edit_of_a_message_that_is_deleted_may_be_refused() -> None:
    refused = Nack(0.0, ANN, "ann-3", "not_found", False)
    assert kinds(run([change(), changed(), change("ann-3"), refused], ROW, EDIT)) == ["refused"]
    deletion = [change(), changed(), change("ann-4", None), changed("ann-4", 4, 2), change("ann-3"), refused]
    assert kinds(run(deletion, GONE, EDIT, DELETION)) == []
