"""`veche demo --messages`: the same chat on each run, with words that are as frequent as promised."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from tests.new_database import new_database
from veche.cli import demo, demo_many
from veche.cli.demo_texts import EVERYWHERE, OFTEN, PHRASE, RARE, RARE_EVERY, UNSPACED, texts
from veche.storage.database import Database
from veche.storage.rooms import rooms_of


def sizes(database: Database) -> Counter[int]:
    with database.reading() as snapshot:
        return Counter({view.room.id: view.head.message_count for view in rooms_of(snapshot, 2)})


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    once, twice = new_database(tmp_path / "once.db"), new_database(tmp_path / "twice.db")
    for database, counts in ((once, [2_300]), (twice, [0, 1_500, 2_300, 2_300])):
        people = demo.create(database)
        for messages in counts:
            demo_many.create(database, people, messages, print)
    assert sizes(once) == sizes(twice)
    assert sizes(once).total() == 2_300 + 25
    (_, largest), (_, second) = sizes(once).most_common(2)
    assert largest > 230 > 2 * second


def test_words_are_as_frequent_as_promised() -> None:
    found = list(islice(texts(), RARE_EVERY))
    parts = {EVERYWHERE: 0.2, OFTEN: 0.01, PHRASE: 0.01, UNSPACED: 0.01, RARE: 1 / RARE_EVERY}
    assert {word: sum(word in text for text in found) / RARE_EVERY for word in parts} == parts
