"""Refresh tokens: each is exchanged once, a lost answer costs nothing, and a stolen one ends the session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.core.refreshing import REFRESHES
from veche.core.sessions import SESSIONS

from . import commands as c
from .world import Town

SECOND = 1_000_000
DAY = 24 * 3600
ANN, BOB = 1, 2


class Family:
    """The session `s` of ann, and its refresh tokens, of which number n has the hash `hn`."""

    def __init__(self, town: Town) -> None:
        self.town = town
        for name in ("ann", "bob"):
            self.town.person(name)
        self.town.do(c.by(ANN, c.OpenRefreshedSession(c.OpenSession("s", DAY, "hash"), "h0")))
        self.began = self.town.now

    def request(self, number: int, by: int = ANN, token_hash: str | None = None) -> c.Request:
        command = c.RefreshSession("s", number, token_hash or f"h{number}", f"h{number + 1}", DAY)
        return c.by(by, command)

    def exchange(self, number: int, after: float = 0) -> int | None:
        """Exchange a token `after` seconds. Return the number of its successor, or None if the session has ended."""
        self.town.now += int(after * SECOND)
        refreshed = self.town.do(self.request(number))
        return None if refreshed is None else int(refreshed.successor_hash[1:])

    def refuses(self, number: int, **more: object) -> ChatError:
        return self.town.refuses(self.request(number, **more))  # type: ignore[arg-type]

    @property
    def lives(self) -> bool:
        return "s" in self.town.rows(SESSIONS)


@pytest.fixture
def family(town: Town) -> Family:
    return Family(town)


def test_the_newest_token_gives_its_successor_and_the_session_lives_longer(family: Family) -> None:
    for number in range(4):
        assert family.exchange(number, after=900) == number + 1
        assert family.town.rows(SESSIONS)["s"].expires_at == family.town.now + DAY * SECOND
    assert family.town.kinds() == ["SessionRefreshed"]


def test_a_hundred_exchanges_of_one_token_give_one_successor(family: Family) -> None:
    assert {family.exchange(0) for _ in range(100)} == {1}
    assert family.town.rows(REFRESHES)["s"].number == 1
    assert family.exchange(1, after=900) == 2


@pytest.mark.parametrize("later", [60, 20 * 3600])
def test_who_lost_the_answer_asks_again_and_is_still_signed_in(family: Family, later: float) -> None:
    assert family.exchange(0) == 1
    assert family.exchange(0, after=later) == 1
    assert family.town.kinds() == []
    assert family.exchange(1) == 2


def test_another_tab_that_is_a_moment_late_gets_the_same_successor(family: Family) -> None:
    assert (family.exchange(0), family.exchange(1, after=1), family.exchange(0, after=8)) == (1, 2, 1)
    assert family.exchange(1) == 2


def test_a_token_used_again_after_its_successor_was_used_ends_the_session(family: Family) -> None:
    family.town.do(c.by(ANN, c.OpenSession("other", 60, "hash")))
    assert (family.exchange(0), family.exchange(1, after=60)) == (1, 2)
    assert family.exchange(0) is None
    assert family.town.kinds() == ["SessionsEnded"]
    assert set(family.town.rows(SESSIONS)) == {"other"}
    for number in range(4):
        assert family.refuses(number).code is Code.UNAUTHENTICATED


def test_an_old_token_ends_the_session_too(family: Family) -> None:
    for number in range(5):
        assert family.exchange(number, after=60) == number + 1
    assert family.exchange(1) is None


def test_a_third_exchange_in_ten_seconds_waits(family: Family) -> None:
    assert (family.exchange(0), family.exchange(1, after=1)) == (1, 2)
    refusal = family.refuses(2)
    assert (refusal.code, refusal.data["retry_after"]) == (Code.RATE_LIMITED, 9)
    assert family.exchange(2, after=9) == 3


def test_a_clock_that_goes_back_refuses_nobody(family: Family) -> None:
    assert (family.exchange(0, after=900), family.exchange(1, after=60)) == (1, 2)
    family.town.now = family.began
    assert family.exchange(2) == 3
    assert family.exchange(2) == 3


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_token_that_is_not_of_the_chain_changes_nothing(family: Family, number: int) -> None:
    family.exchange(0)
    assert family.refuses(number, token_hash="another").code is Code.UNAUTHENTICATED
    assert family.refuses(7).code is Code.UNAUTHENTICATED
    assert family.exchange(1) == 2


def test_the_token_of_somebody_else_is_bad(family: Family) -> None:
    assert family.refuses(0, by=BOB).code is Code.UNAUTHENTICATED
    assert family.exchange(0) == 1


def test_a_session_without_refresh_tokens_has_none(family: Family) -> None:
    family.town.do(c.by(ANN, c.OpenSession("plain", 60, "hash")))
    refusal = family.town.refuses(c.by(ANN, c.RefreshSession("plain", 0, "h0", "h1", DAY)))
    assert refusal.code is Code.UNAUTHENTICATED


def test_an_expired_session_is_not_refreshed_and_not_ended(family: Family) -> None:
    family.town.now += DAY * SECOND
    for number in (0, 1):
        assert family.refuses(number).code is Code.UNAUTHENTICATED
    assert family.lives


def test_no_session_is_opened_with_a_password_that_was_changed(family: Family) -> None:
    command = c.OpenRefreshedSession(c.OpenSession("late", DAY, "old"), "h0")
    assert family.town.refuses(c.by(ANN, command)).code is Code.WRONG_CREDENTIALS


def test_no_session_is_opened_for_a_closed_account(family: Family) -> None:
    family.town.do(c.by(ANN, c.DisableAccount()))
    command = c.OpenRefreshedSession(c.OpenSession("late", DAY, "hash"), "h0")
    assert family.town.refuses(c.by(ANN, command)).code is Code.WRONG_CREDENTIALS


class Historian:
    """What becomes of a token, decided by one who remembers when every token was made."""

    def __init__(self) -> None:
        self.made_at = [0.0]
        self.ended = False

    def exchange(self, number: int, now: float) -> str:
        newest = len(self.made_at) - 1
        if self.ended or number > newest:
            return "refused"
        if number < newest:
            if number + 1 == newest or now - self.made_at[number + 1] < 10:
                return str(number + 1)
            self.ended = True
            return "ended"
        if sum(now - made_at < 10 for made_at in self.made_at[1:]) >= 2:
            return "wait"
        self.made_at.append(now)
        return str(number + 1)


@given(st.lists(st.tuples(st.integers(-4, 1), st.sampled_from([0.0, 0.5, 3.0, 9.0, 11.0, 60.0])), max_size=40))
def test_the_times_of_two_tokens_are_enough(uses: list[tuple[int, float]]) -> None:
    """The server remembers two of them, and decides as if it remembered all. A use names a token from the newest."""
    family, historian = Family(Town()), Historian()
    start, seconds = family.town.now, 0.0
    for back, pause in uses:
        seconds += pause
        family.town.now = start + int(seconds * SECOND)
        number = max(0, len(historian.made_at) - 1 + back)
        try:
            successor = family.exchange(number)
            found = "ended" if successor is None else str(successor)
        except ChatError as refusal:
            found = "wait" if refusal.code is Code.RATE_LIMITED else "refused"
        assert found == historian.exchange(number, seconds)
        assert family.lives is not historian.ended
