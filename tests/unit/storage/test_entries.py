"""Rows of the `events` table, also those that an older version wrote."""

from __future__ import annotations

import pytest

from veche.core.effects import Close
from veche.core.membership import RoomExited
from veche.core.values import LOBBY_ID
from veche.storage.database import Database
from veche.storage.entries import CODEC, entries


@pytest.mark.parametrize(("data", "room_seq"), [("{}", None), ('{"seq":4}', 4)])
def test_an_exit_names_the_entry_of_the_room_unless_it_is_old(
    database: Database, data: str, room_seq: int | None
) -> None:
    with database.writing() as tx:
        row = f"INSERT INTO events VALUES (-3, 1, 'exited', 99, NULL, {LOBBY_ID}, '{data}')"
        tx.connection.exec_driver_sql(row)
    with database.reading() as tx:
        [event] = entries(tx, -3, 0, 1, 10)
    assert event == RoomExited(-3, 1, 99, LOBBY_ID, room_seq)
    assert event.effects() == (Close(3, LOBBY_ID, room_seq, 99),)


def test_an_exit_is_stored_with_the_entry_of_the_room() -> None:
    row = CODEC.encode(RoomExited(-3, 2, 99, 7, 4))
    assert (row["kind"], row["room_id"], row["data"]) == ("exited", 7, '{"seq":4}')
