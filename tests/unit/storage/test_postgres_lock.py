"""The advisory lock of a PostgreSQL database, which any role that can connect may hold."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.services import PostgresAddress
from veche.storage import opening
from veche.storage.database import DatabaseError
from veche.storage.kinds import postgres_lock


@pytest.fixture
def holder(postgres: PostgresAddress, postgres_url: str) -> Iterator[psycopg.Connection]:
    """Another role, which holds the lock until its connection is closed."""
    postgres.psql("DROP ROLE IF EXISTS eve")
    postgres.psql("CREATE ROLE eve LOGIN PASSWORD 'x'")
    url = f"postgresql://eve:x@127.0.0.1:{postgres.port}/{postgres_url.rpartition('/')[2]}"
    with psycopg.connect(url, application_name="another program", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock_shared(%s)", [postgres_lock.LOCK])
        yield connection
    postgres.psql("DROP ROLE eve")


def serve(url: str) -> None:
    opening.open_to_serve(url).close()


def migrate(url: str) -> None:
    opening.migrate_database(url, copy=False, say=lambda _: None)


def epoch(url: str) -> None:
    opening.new_epoch(url)


def copy(url: str) -> None:
    with opening.copy_target(url):
        pass


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "existing"])
@pytest.mark.parametrize("command", [serve, migrate, epoch, copy])
def test_a_lock_that_is_held_for_long_ends_the_wait_with_its_holder(
    command: Callable[[str], None],
    is_new: bool,
    postgres_url: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not is_new or command is epoch:
        serve(postgres_url)
    holder = request.getfixturevalue("holder")
    monkeypatch.setattr(postgres_lock, "WAIT_SECONDS", 0.3)
    says = rf"locked by a connection of 'eve' \('another program', pid {holder.info.backend_pid}\)"
    with pytest.raises(DatabaseError, match=says):
        command(postgres_url)


def test_it_is_said_who_has_the_lock_and_the_start_goes_on_when_it_is_free(
    postgres_url: str, holder: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres_lock, "SAY_AFTER", 0.0)
    said = threading.Event()

    def look(*_: object) -> None:
        if any("another program" in record.message for record in caplog.records):
            said.set()

    monkeypatch.setattr(postgres_lock.time, "sleep", look)
    thread = threading.Thread(target=serve, args=(postgres_url,))
    thread.start()
    assert said.wait(30)
    with contextlib.closing(holder):
        pass
    thread.join()
    serve(postgres_url)
