"""Ending sessions of one's own account from another session."""

from __future__ import annotations

import pytest

from veche.core.sessions import SESSIONS

from . import commands as c
from .conftest import People
from .world import Town


@pytest.fixture
def signed_in(town: Town, people: People) -> Town:
    for session in ("one", "two", "three"):
        town.do(c.by(people.ann, c.OpenSession(session, 60, "hash", f"device {session}")))
    town.do(c.by(people.bob, c.OpenSession("other", 60, "hash")))
    return town


def test_a_session_has_the_device_that_its_client_named(signed_in: Town) -> None:
    assert {id: session.device for id, session in signed_in.rows(SESSIONS).items()} == {
        "one": "device one",
        "two": "device two",
        "three": "device three",
        "other": None,
    }


def test_one_session_ends_and_the_others_stay(signed_in: Town, people: People) -> None:
    signed_in.do(c.by(people.ann, c.RevokeSession("one")))
    assert set(signed_in.rows(SESSIONS)) == {"two", "three", "other"}
    assert signed_in.kinds() == ["SessionsEnded"]
    signed_in.do(c.by(people.ann, c.RevokeSession("one")))
    assert signed_in.kinds() == [], "a retry changes nothing"


def test_a_session_of_somebody_else_stays(signed_in: Town, people: People) -> None:
    signed_in.do(c.by(people.bob, c.RevokeSession("one")))
    assert signed_in.kinds() == []
    assert "one" in signed_in.rows(SESSIONS)


def test_a_session_that_expired_can_be_ended_because_sockets_may_go_on_with_it(signed_in: Town, people: People) -> None:
    signed_in.now += 61_000_000
    signed_in.do(c.by(people.ann, c.RevokeSession("one")))
    assert signed_in.kinds() == ["SessionsEnded"]


def test_all_sessions_end_but_one(signed_in: Town, people: People) -> None:
    signed_in.do(c.by(people.ann, c.EndSessions(kept="two")))
    assert set(signed_in.rows(SESSIONS)) == {"two", "other"}
