"""What `veche doctor` says about a PostgreSQL database, and a start about the tables of an original server."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.veche_process import VecheProcess
from veche.bus.opening import postgres_connections
from veche.cli import doctor
from veche.core import accounts, actor
from veche.core.values import LOBBY_ID
from veche.settings import ServerSettings
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.engines.engine import READERS
from veche.storage.kinds import postgres_examine
from veche.storage.kinds.postgres_examine import OF_NODE
from veche.storage.log import head_seqs

SECRET = "correct horse battery staple, twice over"


@pytest.fixture
def sql(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def found(url: str, secret: str | None = None) -> dict[str, tuple[bool, str]]:
    """Return the findings by subject."""
    findings = doctor.examine(ServerSettings(database_url=url, secret=secret))
    assert len({one.subject for one in findings}) == len(findings)
    return {one.subject: (one.good, one.sentence) for one in findings}


def serve(url: str) -> None:
    opening.open_to_serve(url, may_lose=True).close()


def test_a_healthy_database(postgres_url: str, sql: psycopg.Connection) -> None:
    serve(postgres_url)
    all = found(postgres_url)
    assert [subject for subject, (good, _) in all.items() if not good] == []
    assert set(all) >= {"PostgreSQL", "durability", "distance", "connections", "transactions", "replicas"}
    assert set(all) >= {"schema", "database", "secret", "usernames"}
    assert "will be created in the database" in all["secret"][1]
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database:
        database.secret()
    assert found(postgres_url)["secret"] == (True, "stored in the database")
    assert found(postgres_url, SECRET)["secret"] == (True, "from VECHE_SECRET")


def test_before_the_first_start_nothing_is_created(postgres_url: str, sql: psycopg.Connection) -> None:
    assert "will be created at the first start" in found(postgres_url)["database"][1]
    assert sql.execute("SELECT to_regnamespace('veche')").fetchone() == (None,)


def test_what_loses_commits_is_found(postgres_url: str, sql: psycopg.Connection) -> None:
    name = postgres_url.rpartition("/")[2]
    sql.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    serve(postgres_url)
    good, sentence = found(postgres_url)["durability"]
    assert not good
    assert sentence.startswith("synchronous_commit off")


def test_a_transaction_that_is_open_for_long_is_found(
    postgres_url: str, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(postgres_url)
    monkeypatch.setattr(postgres_examine, "_LONG", postgres_examine._LONG.replace("5 minutes", "0 minutes"))
    assert found(postgres_url)["transactions"][0]
    with psycopg.connect(postgres_url, application_name="a report") as other:
        other.execute("SELECT 1")
        good, sentence = found(postgres_url)["transactions"]
        assert not good
        assert f"'a report', pid {other.info.backend_pid}" in sentence


def test_a_server_without_free_connections_is_found(
    postgres_url: str, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veche.storage.kinds.postgres_examine.OF_NODE", 100_000)
    good, sentence = found(postgres_url)["connections"]
    assert not good
    assert "raise max_connections" in sentence


def test_a_node_has_as_many_connections_as_is_said(postgres_url: str, sql: psycopg.Connection) -> None:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database, contextlib.ExitStack() as open_now:
        node = database.join("a", 0, shares_bus=True)
        node.start(lambda: None, lambda _: None)
        open_now.callback(node.leave)
        for _ in range(READERS):
            head_seqs(open_now.enter_context(database.reading()), [LOBBY_ID])
        head_seqs(open_now.enter_context(database.writing()), [LOBBY_ID])
        assert f"and {postgres_examine.OF_NODE} are of Veche" in found(postgres_url)["connections"][1]


def test_all_workers_of_the_settings_need_connections(postgres_url: str) -> None:
    settings = ServerSettings(database_url=postgres_url, bus_url="postgresql", workers=3)
    [sentence] = [one.sentence for one in doctor.examine(settings) if one.subject == "connections"]
    assert f"a node holds {OF_NODE + 2}, so {3 * (OF_NODE + 2) + 1} have to be free" in sentence


@pytest.mark.parametrize("bus", ["", "postgresql"])
def test_a_node_has_as_many_connections_as_are_counted(
    tmp_path: Path, postgres_url: str, sql: psycopg.Connection, bus: str
) -> None:
    ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^veche'"
    counted = OF_NODE + postgres_connections(bus)
    with (
        VecheProcess(tmp_path, {"VECHE_BUS_URL": bus}, stored_at=postgres_url) as server,
        ThreadPoolExecutor(20) as pool,
        httpx.Client(base_url=server.base) as http,
    ):
        new = {"username": "ann", "password": "a quiet blue river"}
        answer = http.post("/v1/register", json=new).raise_for_status().json()
        headers = {"Authorization": f"Bearer {answer['token']}"}
        most = 0
        while most < counted:  # the test's timeout ends it
            asked = [pool.submit(http.get, "/v1/rooms", headers=headers) for _ in range(40)]
            while not all(one.done() for one in asked):
                most = max(most, scalar(sql, ours))
        assert most == counted
        findings = doctor.examine(ServerSettings(database_url=postgres_url, bus_url=bus))
        [sentence] = [one.sentence for one in findings if one.subject == "connections"]
        assert f"and {counted} are of Veche" in sentence


@pytest.mark.parametrize(
    ("lone", "given", "good", "sentence"),
    [
        ("", "", True, "1 runs, without a bus: no other one can start"),
        ("", "postgresql", False, "1 without a bus, so no other one can start"),
        ("postgresql", "", False, "one with these settings cannot start beside them"),
        ("postgresql", "postgresql", True, "1 runs"),
    ],
)
def test_nodes_are_counted(tmp_path: Path, postgres_url: str, lone: str, given: str, good: bool, sentence: str) -> None:
    settings = ServerSettings(database_url=postgres_url, bus_url=given)
    with VecheProcess(tmp_path, {"VECHE_BUS_URL": lone}, stored_at=postgres_url):
        [nodes] = [one for one in doctor.examine(settings) if one.subject == "nodes"]
        assert nodes.good == good
        assert sentence in nodes.sentence
    assert found(postgres_url)["nodes"] == (True, "0 run")


def test_the_lease_of_a_node_that_was_killed_is_told(postgres_url: str, sql: psycopg.Connection) -> None:
    serve(postgres_url)
    sql.execute("INSERT INTO veche.nodes VALUES ('a', 'm', 'p', 1, 0, 0, 1)")
    assert found(postgres_url)["nodes"] == (
        True,
        "0 run; the leases of 1 ran out, and nodes that run or start remove them",
    )


def test_a_bus_that_can_be_reached(postgres_url: str, redis_url: str) -> None:
    for url in ("postgresql", redis_url):
        [bus] = [
            one
            for one in doctor.examine(ServerSettings(database_url=postgres_url, bus_url=url))
            if one.subject == "bus"
        ]
        assert bus == (True, "bus", "it is reached")


def test_a_bus_that_is_away_is_a_finding_with_its_reason(postgres_url: str) -> None:
    settings = ServerSettings(database_url=postgres_url, bus_url="redis://:hidden@127.0.0.1:1")
    [bus] = [one for one in doctor.examine(settings) if one.subject == "bus"]
    assert not bus.good
    assert "127.0.0.1:1 is away" in bus.sentence
    assert "hidden" not in bus.sentence


def test_workers_that_could_not_serve_are_a_finding(postgres_url: str) -> None:
    settings = ServerSettings(database_url=postgres_url, workers=2)
    [bus] = [one for one in doctor.examine(settings) if one.subject == "bus"]
    assert not bus.good
    assert "set VECHE_BUS_URL" in bus.sentence


def test_a_chat_from_another_server_is_told(postgres_url: str, sql: psycopg.Connection) -> None:
    serve(postgres_url)
    assert "epoch" not in found(postgres_url)
    sql.execute("UPDATE veche.meta SET value = '7 00000001' WHERE key = 'cluster'")
    assert found(postgres_url)["epoch"][0]


def test_usernames_of_older_versions_are_listed(postgres_url: str, sql: psycopg.Connection) -> None:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database:
        commit(database, [(actor.Actor(actor.NOBODY_ID, "cli"), accounts.Register("hash", username="ann"))])
    sql.execute("UPDATE veche.accounts SET username = 'moderator' WHERE id = 1")
    good, sentence = found(postgres_url)["usernames"]
    assert not good
    assert "1 'moderator' (it is reserved)" in sentence


def test_a_half_copied_database_is_found(postgres_url: str, sql: psycopg.Connection) -> None:
    serve(postgres_url)
    sql.execute("INSERT INTO veche.meta VALUES ('copying', '{}')")
    good, sentence = found(postgres_url)["database"]
    assert not good
    assert "DROP SCHEMA veche CASCADE" in sentence


def test_a_server_that_is_away_is_a_finding() -> None:
    findings = doctor.examine(ServerSettings(database_url="postgresql://u:hidden@127.0.0.1:1/x"))
    bad = [one for one in findings if not one.good]
    assert len(bad) == 1
    assert bad[0].subject == "database"
    assert "hidden" not in str(bad)


ORIGINALS = {
    "dispatch": [
        "users (username VARCHAR(8) PRIMARY KEY, password VARCHAR(64), created_at TIMESTAMP)",
        'messages (id SERIAL, "from" VARCHAR(8), body TEXT, timestamp BIGINT)',
    ],
    "rooms": [
        "users (id SERIAL, username VARCHAR(50), email VARCHAR(100), created_at TIMESTAMPTZ, password_hash TEXT)",
        "rooms (id SERIAL, name VARCHAR(100), is_private BOOL, creator_id INT, created_at TIMESTAMPTZ)",
        "room_members (user_id INT, room_id INT)",
        "messages (id SERIAL, room_id INT, user_id INT, text TEXT, timestamp TIMESTAMPTZ)",
    ],
    "socketio": [
        "users (id SERIAL, username TEXT, password_hash TEXT, created_at TIMESTAMP)",
        "messages (id SERIAL, user_id INT, content TEXT, created_at TIMESTAMP)",
    ],
    "channels": [
        '"user" (id SERIAL, username TEXT, password TEXT, token TEXT)',
        "history (id SERIAL, username TEXT, records JSON)",
    ],
    "messenger": [
        "users (id SERIAL, name TEXT, email TEXT, password TEXT)",
        "chats (id SERIAL, name TEXT, chat_type TEXT)",
        "groups (id SERIAL, chat_id INT, name TEXT, creator_id INT)",
        "group_members (group_id INT, user_id INT)",
        "chat_users (chat_id INT, user_id INT)",
        "messages (id SERIAL, text TEXT, chat_id INT, sender_id INT, timestamp TIMESTAMPTZ, client_message_id TEXT, "
        "is_read BOOL, created_at TIMESTAMP)",
    ],
}


@pytest.mark.parametrize("dialect", ORIGINALS)
def test_the_tables_of_an_original_are_named_and_left_alone(
    postgres_url: str, sql: psycopg.Connection, caplog: pytest.LogCaptureFixture, dialect: str
) -> None:
    for table in ORIGINALS[dialect]:
        sql.execute(f"CREATE TABLE {table}")
    before = columns(sql)
    with caplog.at_level(logging.WARNING, "veche.storage"):
        serve(postgres_url)
    said = [record.getMessage() for record in caplog.records if "original" in record.getMessage()]
    assert len(said) == 1
    assert f"of the original server of the dialect {dialect}." in said[0]
    assert "`veche import`" in said[0]
    assert columns(sql) == before
    assert found(postgres_url)["original"] == (True, said[0])


def test_other_tables_are_not_taken_for_an_original(postgres_url: str, sql: psycopg.Connection) -> None:
    sql.execute("CREATE TABLE users (id INT, username TEXT)")
    sql.execute("CREATE TABLE messages (id INT, text TEXT)")
    serve(postgres_url)
    assert "original" not in found(postgres_url)


def scalar(sql: psycopg.Connection, query: str) -> int:
    row = sql.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def columns(sql: psycopg.Connection) -> list[tuple[str, ...]]:
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    return sql.execute(query).fetchall()
