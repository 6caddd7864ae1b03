"""The leases of nodes on PostgreSQL: who is alive, who may join, and what becomes of one that was stopped."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from core import commands as c

from tests.services import Postgres
from veche.storage import echo, opening
from veche.storage.commit import commit
from veche.storage.database import Database, DatabaseError
from veche.storage.kinds import postgres_nodes
from veche.storage.kinds.process import has_ended, this_process
from veche.storage.nodes import Node

ANN = 1


@pytest.fixture(autouse=True)
def times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the node look and renew more often. The lease stays as long as it is."""
    monkeypatch.setattr(postgres_nodes, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(postgres_nodes, "LOOK_SECONDS", 0.05)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as found:
        yield found


class Joined:
    """A node that has joined, and what it was told."""

    def __init__(self, database: Database, id: str, lobby_seq: int = 0, *, machine: str = "", bus: bool = True) -> None:
        self.ended, self.refused = threading.Event(), threading.Event()
        self.reason = ""
        self.node: Node = database.join(id, lobby_seq, machine=machine, shares_bus=bus)

    def _refuse(self, reason: str) -> None:
        self.reason = reason
        self.refused.set()

    def __enter__(self) -> Node:
        self.node.start(self.ended.set, self._refuse)
        return self.node

    def __exit__(self, *_: object) -> None:
        self.node.leave()


def run(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, options="-c search_path=veche", autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description is not None else []


def end_lease(url: str, id: str) -> None:
    """Let the lease of a node run out, and its process be one that nobody here knows."""
    run(url, f"UPDATE nodes SET lease_until = 1, process = '' WHERE id = '{id}'")


def until(url: str, query: str, wanted: list[tuple[object, ...]]) -> None:
    while run(url, query) != wanted:  # the test's timeout ends it
        time.sleep(0.02)


def unfinished(database: Database) -> list[int]:
    with database.reading() as snapshot:
        return echo.unfinished_echoes(snapshot)


@pytest.mark.parametrize(("first", "second"), [(False, False), (False, True), (True, False)])
def test_a_second_node_that_would_not_hear_the_first_is_refused(database: Database, first: bool, second: bool) -> None:
    with Joined(database, "a", bus=first), pytest.raises(DatabaseError, match="et VECHE_BUS_URL"):
        database.join("b", 0, shares_bus=second)


def test_nodes_that_hear_each_other_share_the_start_of_the_lobby(database: Database) -> None:
    with Joined(database, "a", 7) as first:
        with Joined(database, "b", 9) as second:
            assert (first.lobby_seq, second.lobby_seq) == (7, 7)
        first.leave()
        with Joined(database, "c", 11) as third:
            assert third.lobby_seq == 11, "no other was alive"


def test_a_node_waits_for_a_lease_that_nobody_renews(database: Database, postgres_url: str) -> None:
    first = Joined(database, "a", bus=False)  # it does not start, so it does not renew
    run(postgres_url, "UPDATE nodes SET process = '', lease_until = lease_until - 9000000")
    second = Joined(database, "b", bus=False)
    assert run(postgres_url, "SELECT id FROM nodes WHERE id = 'b'") == [("b",)]
    for one in (first, second):
        one.node.leave()


def test_a_process_of_this_machine_that_has_ended_is_not_waited_for(database: Database, postgres_url: str) -> None:
    words = "from veche.storage.kinds.process import this_process; print(this_process())"
    described = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.strip()
    assert has_ended(described)
    assert not has_ended(this_process())
    assert not has_ended("")
    assert not has_ended("another machine 1 2")
    Joined(database, "a", 3, bus=False)
    run(postgres_url, f"UPDATE nodes SET process = '{described}', lease_until = lease_until + 3600000000")
    second = Joined(database, "b", 5, bus=False)
    assert second.node.lobby_seq == 5
    assert run(postgres_url, "SELECT id FROM nodes") == [("b",)]
    second.node.leave()


def test_only_echoes_of_nodes_that_are_no_more_are_unfinished(database: Database, postgres_url: str) -> None:
    commit(database, [c.by(c.NOBODY_ID, c.Register("hash", username="ann"))])
    with Joined(database, "a"), Joined(database, "b"):
        ids, _ = commit(database, [c.by(ANN, c.OpenEcho(node)) for node in ("a", "b", "long ago")])
        assert unfinished(database) == [ids[2]]
        commit(database, [c.by(ANN, c.CloseEcho(ids[2]))])
        assert unfinished(database) == []
    assert unfinished(database) == [ids[0], ids[1]], "both have left"


def test_a_lease_that_ran_out_is_removed_by_another_node(
    database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_nodes, "LEASE_SECONDS", 0)  # how long a new node waits before it removes others
    stopped = Joined(database, "a")
    end_lease(postgres_url, "a")
    living = Joined(database, "b")
    with living:
        assert living.ended.wait(10)
        assert run(postgres_url, "SELECT id FROM nodes") == [("b",)]
    stopped.node.leave()


def test_a_new_node_lets_the_others_renew_before_it_removes_any(database: Database, postgres_url: str) -> None:
    Joined(database, "a")
    end_lease(postgres_url, "a")
    with Joined(database, "b"):
        run(postgres_url, "UPDATE nodes SET lease_until = 0 WHERE id = 'b'")
        until(postgres_url, "SELECT id FROM nodes WHERE lease_until > 1", [("b",)])
        assert run(postgres_url, "SELECT count(*) FROM nodes") == [(2,)]


def test_a_node_that_was_stopped_for_long_takes_a_new_lease(database: Database, postgres_url: str) -> None:
    with Joined(database, "a", 4) as node, Joined(database, "b"):
        run(postgres_url, "DELETE FROM nodes WHERE id = 'a'")
        until(postgres_url, "SELECT lobby_seq FROM nodes WHERE id = 'a'", [(4,)])
        assert node.problem is None


def test_without_a_bus_a_node_that_was_stopped_for_long_must_stop(database: Database, postgres_url: str) -> None:
    stopped = Joined(database, "a", bus=False)
    run(postgres_url, "DELETE FROM nodes WHERE id = 'a'")
    with Joined(database, "b", bus=False), stopped:
        assert stopped.refused.wait(10)
        assert "VECHE_BUS_URL" in stopped.reason
        assert run(postgres_url, "SELECT id FROM nodes") == [("b",)]


@pytest.mark.parametrize(("first", "second"), [(False, False), (True, False), (False, True)])
def test_a_node_whose_lease_ran_out_and_was_not_removed_looks_for_others_too(
    database: Database, postgres_url: str, first: bool, second: bool
) -> None:
    """As when a node on another machine could not reach the database, and one without a bus came meanwhile."""
    joined = Joined(database, "a", bus=first)
    end_lease(postgres_url, "a")
    with Joined(database, "b", bus=second), joined:
        assert joined.refused.wait(30)
        assert "Another node serves" in joined.reason


def test_a_node_knows_whether_others_can_take_its_clients(database: Database) -> None:
    with Joined(database, "a", machine="m") as lone:
        assert not lone.has_successors
    with Joined(database, "b", machine="m"), Joined(database, "c", machine="m") as beside:
        assert not beside.has_successors, "all of the machine stop together"
        with Joined(database, "d", machine="n") as elsewhere:
            assert elsewhere.has_successors


def test_a_node_knows_which_others_have_a_lease(database: Database, postgres_url: str) -> None:
    with Joined(database, "a", machine="m") as node, Joined(database, "b", machine="m"):
        with Joined(database, "c"):
            assert wait(lambda: node.others == {"b", "c"})
        assert wait(lambda: node.others == {"b"})
        database.join("killed", 0, shares_bus=True)
        assert wait(lambda: node.others == {"b", "killed"})
        end_lease(postgres_url, "killed")
        assert wait(lambda: node.others == {"b"})


@pytest.mark.slow
def test_a_node_is_not_ready_while_the_database_stands_still_or_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_nodes, "LATE_SECONDS", 0.5)
    with (
        Postgres() as postgres,
        contextlib.closing(opening.open_to_serve(postgres.new_database())) as database,
        Joined(database, "a") as node,
    ):
        for harm, heal in ((postgres.pause, postgres.resume), (postgres.kill, postgres.start)):
            assert wait(lambda: node.problem is None)
            harm()
            assert wait(lambda: node.problem == "The database cannot be reached.")
            heal()
        assert wait(lambda: node.problem is None)


def wait(holds: Callable[[], bool]) -> bool:
    while not holds():  # the test's timeout ends it
        time.sleep(0.02)
    return True


def test_there_is_no_new_epoch_while_a_node_runs(database: Database, postgres_url: str) -> None:
    with Joined(database, "a"), pytest.raises(DatabaseError, match=r"1 of the nodes .* run"):
        opening.new_epoch(postgres_url)
    _, epoch = opening.new_epoch(postgres_url)
    assert run(postgres_url, "SELECT value FROM veche.meta WHERE key = 'epoch'") == [(epoch,)]
