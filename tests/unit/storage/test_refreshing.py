"""Refresh tokens in the database: their rows go with the session, and of a hundred exchanges one is stored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from core import commands as c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veche.core.refreshing import REFRESHES
from veche.core.sessions import SESSIONS
from veche.core.views import SessionView
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.refreshing import SUBJECT, session_page
from veche.storage.sessions import load_sessions

from .conftest import Town, codes

ANN, BOB = 1, 2
DAY = 24 * 3600
SECOND = 1_000_000


def opens(session_id: str = "s", lifetime: int = DAY) -> c.Request:
    return c.by(ANN, c.OpenRefreshedSession(c.OpenSession(session_id, lifetime, "hash"), "h0"))


def refreshes(number: int, session_id: str = "s") -> c.Request:
    return c.by(ANN, c.RefreshSession(session_id, number, f"h{number}", f"h{number + 1}", DAY))


def left(town: Town) -> list[tuple[str, int]]:
    return [(str(id), int(number)) for id, number in town.rows("SELECT session_id, number FROM refreshes")]


def test_what_is_stored_is_read_back(town: Town) -> None:
    for at, request in enumerate((opens(), refreshes(0), refreshes(1))):
        assert codes(commit(town.database, [request], at * 60 * SECOND + 1)[0]) == ["ok"]
    with town.database.reading() as tx:
        [(_, refresh)] = SUBJECT.loads[REFRESHES](tx, ["s"])
        [(_, session)] = load_sessions(tx, ["s"])
    assert (refresh.number, refresh.token_hash, refresh.parent_hash) == (2, "h2", "h1")
    assert (refresh.made_at, refresh.parent_made_at) == (120 * SECOND + 1, 60 * SECOND + 1)
    assert session.expires_at == refresh.made_at + DAY * SECOND


@given(
    opened=st.lists(st.tuples(st.sampled_from([ANN, BOB]), st.integers(1, 4), st.booleans()), max_size=12),
    limit=st.integers(1, 5),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_pages_of_the_sessions_of_an_account_are_all_of_them_the_newest_first(
    town: Town, opened: list[tuple[int, int, bool]], limit: int
) -> None:
    commit(town.database, [c.by(ANN, c.EndSessions()), c.by(BOB, c.EndSessions())], SECOND)
    expected = []
    for number, (account, at, refreshed) in enumerate(opened):
        id = f"s{number:02}"
        opening = c.OpenSession(id, DAY, "hash", None if at == 1 else f"device {number}")
        commands: list[c.Command[object]] = [opening]
        if refreshed:
            commands = [c.OpenRefreshedSession(opening, "h0"), c.RefreshSession(id, 0, "h0", "h1", DAY)]
        for later, command in enumerate(commands):
            assert codes(commit(town.database, [c.by(account, command)], (at + later) * SECOND)[0]) == ["ok"]
        if account == ANN:
            expected.append((at * SECOND, id, (at + 1) * SECOND if refreshed else None, opening.device))
    found: list[SessionView] = []
    with town.database.reading() as tx:
        while page := session_page(tx, ANN, _before(found), limit):
            found += page
            assert len(page) == limit or not session_page(tx, ANN, _before(found), limit)
    shown = [(one.session.created_at, one.session.id, one.refreshed_at, one.session.device) for one in found]
    assert shown == sorted(expected, key=lambda one: one[:2], reverse=True)


def _before(found: list[SessionView]) -> tuple[int, str]:
    return (found[-1].session.created_at, found[-1].session.id) if found else (2**62, "")


ENDINGS: dict[str, c.Request] = {
    "signing out": c.by(ANN, c.EndSession("s")),
    "another password": c.by(ANN, c.SetPassword("new", None)),
    "the operator": c.by(ANN, c.EndSessions()),
    "deleting": c.by(ANN, c.DeleteAccount()),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "in one batch"])
def test_the_row_goes_with_its_session(town: Town, ending: str, together: bool) -> None:
    requests = [opens(), refreshes(0), ENDINGS[ending], refreshes(0), refreshes(1)]
    outcomes = town.batch(*requests) if together else [town.batch(request)[0] for request in requests]
    assert codes(outcomes) == ["ok", "ok", "ok", "unauthenticated", "unauthenticated"]
    assert left(town) == []


def test_the_row_goes_with_a_session_that_expired(town: Town) -> None:
    assert codes(commit(town.database, [opens(lifetime=60)], SECOND)[0]) == ["ok"]
    assert town.do(c.by(c.NOBODY_ID, c.ForgetSessions(("s",)))) == 1
    assert left(town) == []


def test_a_session_that_can_be_refreshed_is_not_removed(town: Town) -> None:
    town.batch(opens(lifetime=60), refreshes(0))
    assert town.do(c.by(c.NOBODY_ID, c.ForgetSessions(("s",)))) == 0
    assert left(town) == [("s", 1)]


def test_a_stolen_token_ends_the_session_for_commands_of_the_same_batch(town: Town) -> None:
    at = iter((1, 60, 120))
    for request in (opens(), refreshes(0), refreshes(1)):
        commit(town.database, [request], next(at) * SECOND)
    late = c.Actor(ANN, "native", "s"), c.SendMessage(1, "late")
    outcomes = commit(town.database, [refreshes(0), late], 180 * SECOND)[0]
    assert outcomes[0] is None
    assert codes(outcomes[1:]) == ["unauthenticated"]
    assert left(town) == []


def test_kept_rows_know_the_new_end(town: Town) -> None:
    """The session is kept between batches: a purge by the end that it had before would end somebody's session."""
    commit(town.database, [opens(lifetime=60)], SECOND)
    town.batch(refreshes(0))  # refused: it has expired by now
    commit(town.database, [refreshes(0)], 2 * SECOND)
    with town.database.writing() as tx:
        assert tx.kept is not None
        assert tx.kept.rows(SESSIONS)["s"].expires_at == (2 + DAY) * SECOND


def test_a_hundred_parallel_exchanges_give_one_successor(processes: list[Database]) -> None:
    commit(processes[0], [c.by(c.NOBODY_ID, c.Register("hash", username="ann")), opens()])

    def exchange(number: int) -> list[object]:
        return commit(processes[number % 2], [refreshes(0)])[0]

    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome for found in pool.map(exchange, range(100)) for outcome in found]
    assert codes(outcomes) == ["ok"] * 100
    assert {outcome.successor_hash for outcome in outcomes} == {"h1"}  # type: ignore[attr-defined]
    with processes[0].reading() as tx:
        [(_, refresh)] = SUBJECT.loads[REFRESHES](tx, ["s"])
    assert refresh.number == 1
    assert codes(commit(processes[1], [refreshes(1)])[0]) == ["ok"]
