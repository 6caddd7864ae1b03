"""`veche user`: the rules are those of native, text of others is shown letter for letter, and lists speak JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.new_database import new_database
from tests.veche_process import run_veche
from veche import __version__
from veche.cli import main
from veche.cli.command import CommandError
from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.messages import SendMessage
from veche.core.sessions import OpenSession
from veche.core.values import LOBBY_ID
from veche.storage.accounts import credentials
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.messages import history

PASSWORD = "correct horse"
Run = Callable[..., str]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return new_database(tmp_path / "x.db")


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `veche user WORDS` and returns its output; an error is raised."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, code: int = 0, asks: str | None = None) -> str:
        url = f"sqlite:///{database.path}"
        done = CliRunner().invoke(main.app, ["user", *words, "--database-url", url], input=asks)
        if isinstance(done.exception, CommandError):
            raise done.exception
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    return run


def register(database: Database, username: str, **more: Any) -> int:
    [account], _ = commit(database, [(Actor(NOBODY_ID, "native"), Register("hash", username=username, **more))])
    return int(account.id)


def states(run: Run) -> dict[str, str]:
    return {row["username"]: row["state"] for row in json.loads(run("list", "--json"))}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("ann", "--password", "short"), "A password has 8 to 1024 bytes"),
        (("ann", "--password", "password123"), "among the first that anybody would try"),
        (("a b", "--password", PASSWORD), "A username has 2 to 32 letters"),
        (("a", "--password", PASSWORD), "A username has 2 to 32 letters"),
        (("\u0430nn", "--password", PASSWORD), "keeps to one alphabet"),
        (("admin", "--password", PASSWORD), "taken"),
        (("ann", "--password", PASSWORD, "--email", "notmail"), "An e-mail looks like"),
        (("ann", "--password", PASSWORD, "--email", f"{'a' * 250}@b.org"), "An e-mail looks like"),
        (("ann", "--password", PASSWORD, "--name", " "), "A name has 1 to 50 characters"),
        (("ann", "--password", PASSWORD, "--name", "x" * 51), "A name has 1 to 50 characters"),
    ],
)
def test_an_account_is_added_by_the_rules_of_native(run: Run, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("add", *words)
    assert json.loads(run("list", "--json")) == []


@pytest.mark.parametrize("words", [("password", "ann", "--password", "short"), ("rename", "ann", "a b")])
def test_an_account_is_changed_by_the_same_rules(run: Run, words: tuple[str, ...]) -> None:
    run("add", "ann", "--password", PASSWORD)
    with pytest.raises(CommandError, match=r"has \d"):
        run(*words)


NAMES = [
    "[/]",
    "[team A] Bob",
    "[bold]",
    "[link=http://x]y[/link]",
    ":smile:",
    "\\[x]",
    "[red]!![/red]",
    "a | b",
    "x" * 90,
]


def test_names_are_shown_letter_for_letter(run: Run, database: Database) -> None:
    for number, name in enumerate(NAMES):
        register(database, f"user{number}", name=name)
    shown = run("list")
    for name in NAMES:
        assert name in shown
    assert [row["name"] for row in json.loads(run("list", "--json"))] == NAMES


def test_terminal_escapes_act_on_nothing(run: Run, database: Database) -> None:
    """Names with such characters are refused today. An older version may have stored them."""
    register(database, "ann")
    with database.writing() as tx:
        tx.connection.execute(
            "UPDATE accounts SET name = ?, email = ? WHERE id = 1", ("\x1b[2J\u202eevil\n", "\x9b31m@x.y")
        )
    shown = run("list")
    assert "\\x1b[2J\\u202eevil\\n" in shown
    assert "\\x9b31m@x.y" in shown
    assert all(line.isprintable() for line in shown.split("\n"))
    assert run("list", "--json").strip().isprintable()


@pytest.mark.slow
def test_an_error_shows_a_name_letter_for_letter(database: Database) -> None:
    url = f"sqlite:///{database.path}"
    done = run_veche("user", "disable", "[/] [bold]x\x1b[2J", "--database-url", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "veche: There is no account '[/] [bold]x\\x1b[2J'. See `veche user list`.\n"


def test_an_account_is_disabled_and_enabled(run: Run, database: Database) -> None:
    ann = register(database, "ann")
    commit(database, [(Actor(ann, "native"), OpenSession("s1", 60, "hash"))])
    assert len(json.loads(run("sessions", "ann", "--json"))) == 1
    run("disable", "ann")
    assert states(run) == {"ann": "disabled"}
    assert json.loads(run("sessions", "ann", "--json")) == []
    assert "ann can sign in" in run("enable", "ann")
    assert states(run) == {"ann": "open"}


def test_an_account_is_renamed_and_keeps_its_id(run: Run, database: Database) -> None:
    ann = register(database, "ann", email="ann@x.org")
    register(database, "bob")
    run("rename", "ANN@x.org", "Anna")
    [first, _] = json.loads(run("list", "--json"))
    assert (first["id"], first["username"], first["email"]) == (ann, "Anna", "ann@x.org")
    with pytest.raises(CommandError, match="taken"):
        run("rename", "anna", "bob")


@pytest.mark.parametrize("words", [("add", "herald", "--password", PASSWORD), ("rename", "ann", "Herald")])
def test_a_name_that_the_server_speaks_as_is_taken(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    register(database, "ann")
    monkeypatch.setenv("VECHE_ROOMS_SYSTEM_NAME", "herald")
    with pytest.raises(CommandError, match="taken"):
        run(*words)


def test_a_deleted_account_leaves_its_messages_with_a_neutral_author(run: Run, database: Database) -> None:
    ann = register(database, "ann", name="Ann B.", email="ann@x.org")
    commit(database, [(Actor(ann, "native"), SendMessage(LOBBY_ID, "hi", "c1"))])
    assert "abort" in run("delete", "ann", code=1, asks="n\n").lower()
    assert states(run) == {"ann": "open"}
    run("delete", "ann", asks="y\n")
    assert json.loads(run("list", "--json"))[0] | {"created_at": ""} == {
        "id": ann,
        "username": f"deleted-{ann}",
        "name": "Deleted account",
        "email": None,
        "created_at": "",
        "state": "deleted",
    }
    with database.reading() as tx:
        [message] = history(tx, LOBBY_ID, 10).items
        assert (message.text, message.sender.username, message.sender.name) == (
            "hi",
            f"deleted-{ann}",
            "Deleted account",
        )
        assert credentials(tx, username="ann") is None
        assert credentials(tx, email="ann@x.org") is None
    for words in (
        ("enable", f"deleted-{ann}"),
        ("rename", f"deleted-{ann}", "ann"),
        ("delete", f"deleted-{ann}", "--yes"),
    ):
        with pytest.raises(CommandError, match="has been deleted"):
            run(*words)


def test_sessions_are_listed_and_ended(run: Run, database: Database) -> None:
    ann = register(database, "ann")
    for id, lifetime in (("s1", 60), ("s2", 6000), ("s3", -60)):
        commit(database, [(Actor(ann, "rooms"), OpenSession(id, lifetime, "hash"))])
    found = json.loads(run("sessions", "ann", "--json"))
    assert [row["dialect"] for row in found] == ["rooms", "rooms"], "the third has expired"
    assert "s1" not in run("sessions", "ann"), "the id of a session is nobody's business"
    assert found[0]["created_at"] < found[0]["expires_at"]
    run("end-sessions", "ann")
    assert json.loads(run("sessions", "ann", "--json")) == []


@pytest.mark.parametrize(
    "words",
    [
        ("disable",),
        ("enable",),
        ("delete", "--yes"),
        ("sessions",),
        ("end-sessions",),
        ("rename", "new"),
        ("password", "--password", PASSWORD),
    ],
)
def test_who_is_not_there_is_named_in_the_error(run: Run, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="There is no account 'nobody'"):
        run(words[0], "nobody", *words[1:])


@pytest.mark.parametrize("words", [("--after", "-1"), ("--limit", "0"), ("--limit", "9" * 30), ("--after", "9" * 30)])
def test_a_page_has_bounds(run: Run, words: tuple[str, ...]) -> None:
    run("list", *words, code=2)


def test_the_version_is_printed() -> None:
    done = CliRunner().invoke(main.app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"Veche {__version__}\n")
