"""Rows of the `events` table, also those that an older version wrote."""

from __future__ import annotations

import pytest

from veche.core.effects import Close
from veche.core.membership import RoomExited
from veche.storage.entries import event_of, event_row


@pytest.mark.parametrize(("data", "room_seq"), [("{}", None), ('{"seq":4}', 4)])
def test_an_exit_names_the_entry_of_the_room_unless_it_is_old(data: str, room_seq: int | None) -> None:
    event = event_of((-3, 2, "exited", 99, None, 7, data), None, None)
    assert event == RoomExited(-3, 2, 7, 99, room_seq)
    assert event.effects() == (Close(3, 7, room_seq, 99),)


def test_an_exit_is_stored_with_the_entry_of_the_room() -> None:
    row = event_row(RoomExited(-3, 2, 7, 99, 4))
    assert row is not None
    assert (row["kind"], row["room_id"], row["data"]) == ("exited", 7, '{"seq":4}')
