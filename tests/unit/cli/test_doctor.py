"""What `veche doctor` says about usernames of older versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from veche.cli import doctor
from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.settings import ServerSettings
from veche.storage.commit import commit
from veche.storage.engines.sqlite import SqliteTransaction
from veche.storage.kinds.sqlite_database import SqliteDatabase


def settings(folder: Path) -> ServerSettings:
    return ServerSettings(database_url=f"sqlite:///{folder}/x.db")


def make(folder: Path, usernames: list[str]) -> None:
    """Make accounts, and then give them the usernames of an older version."""
    database = SqliteDatabase(settings(folder).database_url)
    database.migrate()
    for number, username in enumerate(usernames, 1):
        commit(database, [(Actor(NOBODY_ID, "cli"), Register("hash", username=f"old{number}"))])
        with database.writing() as tx:
            assert isinstance(tx, SqliteTransaction)
            tx.connection.execute(
                "UPDATE accounts SET username = ?, handle = ? WHERE id = ?", (username, f"handle {number}", number)
            )
    database.close()


def finding(folder: Path) -> doctor.Finding:
    [found] = [one for one in doctor.examine(settings(folder)) if one.subject == "usernames"]
    return found


def test_usernames_that_keep_the_rule(tmp_path: Path) -> None:
    make(tmp_path, ["ann", "Женя", "corn", "com", "José", "alice: hi all"])
    assert finding(tmp_path) == (True, "usernames", "all keep the rule")


@pytest.mark.parametrize(
    ("usernames", "listed"),
    [
        (["n\u0430dia"], r"1 'n\u0430dia' (A username keeps to one alphabet)"),
        (["ann", "alice "], "2 'alice ' (A username may not have blanks at its ends"),
        ([".."], "1 '..' (A username may not be a segment"),
        (["Jose\u0301"], r"1 'Jose\u0301' (it is not in its normal form)"),
        (["moderator"], "1 'moderator' (it is reserved)"),
        (["apple", "аррӏе"], "(it looks like that of account 1)"),
        (["аррӏе", "apple"], "2 'apple' (it looks like that of account 1)"),
        (["[red]bob\u200b"], r"1 '[red]bob\u200b' ("),
    ],
)
def test_usernames_that_could_not_be_registered_today_are_listed(
    tmp_path: Path, usernames: list[str], listed: str
) -> None:
    make(tmp_path, usernames)
    good, _, sentence = finding(tmp_path)
    assert not good
    assert sentence.startswith("1 could not be registered today")
    assert listed in sentence


def test_of_many_the_first_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    make(tmp_path, [f"old {number} " for number in range(30)])
    good, _, sentence = finding(tmp_path)
    assert not good
    assert sentence.startswith("30 could not")
    assert sentence.endswith(" and 10 more")
    assert sentence.count("blanks at its ends") == 20


def test_without_a_database_there_is_nothing_to_say_and_none_is_made(tmp_path: Path) -> None:
    assert "usernames" not in {one.subject for one in doctor.examine(settings(tmp_path))}
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_shown_letter_by_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, ["[red]bob\u200b"])
    monkeypatch.setenv("COLUMNS", "300")
    doctor.show([finding(tmp_path)], json=False)
    assert r"'[red]bob\u200b'" in capsys.readouterr().out
