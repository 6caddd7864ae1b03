"""The writer on a real loop with its real thread: answers after the commit, in order, then one announcement."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from veche.core.event import LogEvent
from veche.storage.writer import Writer

from .conftest import Town, codes


class Desk:
    """A writer, and all that it says, in the order in which it says it."""

    def __init__(self, town: Town, **limits: int) -> None:
        self.town = town
        self.said: list[Any] = []
        self.writer = Writer(town.database, self.announce, **limits)

    def announce(self, events: Sequence[LogEvent]) -> None:
        self.said.append([(event.log_id, event.seq) for event in events])

    def ask(self, client_id: str, text: str = "hi", by: int = 1) -> None:
        self.writer.submit(*self.town.say(1, text, client_id, by), lambda outcome: self.hear(client_id, outcome))

    def hear(self, client_id: str, outcome: Any) -> None:
        code = codes([outcome])[0]
        if code == "ok":
            assert self.town.rows(f"SELECT count(*) FROM messages WHERE client_message_id = '{client_id}'") == [(1,)]
        self.said.append((client_id, code))

    async def until(self, come: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not come():  # noqa: ASYNC110  # the writer has no event to wait for, and needs none
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def desk(town: Town, **limits: int) -> AsyncIterator[Desk]:
    made = Desk(town, **limits)
    made.writer.start()
    yield made
    await made.writer.stop()


async def test_answers_come_in_order_after_the_commit_and_then_one_announcement(town: Town) -> None:
    async with desk(town) as at:
        for client_id in "abc":
            at.ask(client_id)
        at.ask("x", by=3)
        assert at.said == [], "nobody is answered before the commit"
        await at.writer.drain()
    assert at.said == [("a", "ok"), ("b", "ok"), ("c", "ok"), ("x", "not_member"), [(1, 3), (1, 4), (1, 5)]]


async def test_what_comes_in_several_turns_is_announced_in_the_order_of_the_log(town: Town) -> None:
    async with desk(town, batch=7) as at:
        for number in range(60):
            at.ask(f"c{number}")
            if number % 5 == 0:
                await asyncio.sleep(0)
        await at.writer.drain()
    announced = [entry for said in at.said if isinstance(said, list) for entry in said]
    assert announced == [(1, seq) for seq in range(3, 63)]
    assert [said[0] for said in at.said if isinstance(said, tuple)] == [f"c{number}" for number in range(60)]


async def test_a_batch_is_not_announced_if_another_history_has_begun_meanwhile(town: Town) -> None:
    """It may be of the history before. If it is not, it is found in the log, like everything that is not announced."""
    at = Desk(town)
    commit = town.database.writing

    def writing() -> Any:
        town.database.histories += 1
        return commit()

    town.database.writing = writing  # type: ignore[method-assign]
    at.writer.start()
    at.ask("during")
    await at.writer.stop()
    assert at.said == [("during", "ok"), []]
    assert at.writer.unannounced.lowest(1) is None


async def test_no_batch_is_larger_than_it_may_be(town: Town) -> None:
    async with desk(town, batch=10) as at:
        for number in range(35):
            at.ask(f"c{number}")
        await at.writer.drain()
    assert [len(said) for said in at.said if isinstance(said, list)] == [10, 10, 10, 5]


async def test_above_the_bound_one_is_refused_at_once_and_below_it_taken_again(town: Town) -> None:
    async with desk(town, waiting=5) as at:
        for number in range(8):
            at.ask(f"c{number}")
        assert at.said == [("c5", "overloaded"), ("c6", "overloaded"), ("c7", "overloaded")]
        await at.until(lambda: len(at.said) >= 9)
        at.ask("again")
        await at.writer.drain()
    assert at.said[-2:] == [("again", "ok"), [(1, 8)]]


async def test_draining_answers_what_was_taken_and_refuses_the_rest(town: Town) -> None:
    async with desk(town) as at:
        at.ask("taken")
        draining = asyncio.create_task(at.writer.drain())
        await asyncio.sleep(0)
        at.ask("late")
        await draining
    assert at.said == [("late", "unavailable"), ("taken", "ok"), [(1, 3)]]


async def test_a_writer_that_has_given_up_stops_at_once_and_answers_nothing_more(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    at = Desk(town)
    begun, may_go_on = threading.Event(), threading.Event()
    write = town.database.writing

    def writing() -> Any:
        begun.set()
        may_go_on.wait()
        return write()

    town.database.writing = writing  # type: ignore[method-assign]
    at.writer.start()
    at.ask("in doubt")
    await asyncio.to_thread(begun.wait)
    answered = asyncio.create_task(at.writer.wait_until_answered())
    draining = asyncio.create_task(at.writer.drain())
    await asyncio.sleep(0)
    at.writer.give_up()
    await answered
    await draining
    await at.writer.stop()
    assert "1 requests are not answered" in caplog.text
    may_go_on.set()
    await at.until(lambda: town.rows("SELECT text FROM messages") == [("hi",)])
    at.writer._queue.put(None)
    await asyncio.to_thread(at.writer._thread.join)
    await asyncio.sleep(0)
    assert at.said == []


async def test_stopping_is_draining_and_the_thread_ends(town: Town) -> None:
    at = Desk(town)
    at.writer.start()
    for number in range(20):
        at.ask(f"c{number}")
    await at.writer.stop()
    assert [said for said in at.said if isinstance(said, tuple)] == [(f"c{number}", "ok") for number in range(20)]
    assert not at.writer._thread.is_alive()


async def test_before_it_starts_nothing_is_taken(town: Town) -> None:
    at = Desk(town)
    at.ask("early")
    assert at.said == [("early", "unavailable")]


async def test_one_who_cannot_be_answered_harms_nobody(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    def gone(outcome: Any) -> None:
        raise ConnectionError("gone")

    with caplog.at_level(logging.CRITICAL):
        async with desk(town) as at:
            at.writer.submit(*town.say(1, "hi", "x"), gone)
            at.ask("a")
            await at.writer.drain()
    assert at.said == [("a", "ok"), [(1, 3), (1, 4)]]


async def test_a_listener_that_fails_does_not_stop_the_writer(town: Town) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    at = Desk(town)

    def fail(events: Sequence[LogEvent]) -> None:
        raise ValueError("a bug of a listener")

    at.writer = Writer(town.database, fail)
    at.writer.start()
    for client_id in "ab":
        at.ask(client_id)
        await at.until(lambda: (client_id, "ok") in at.said)  # noqa: B023  # it is looked at within this round
    async with asyncio.timeout(5):
        await at.writer.stop()
    assert len(complaints) == 2


async def test_it_waits_until_all_that_was_taken_before_is_answered(town: Town) -> None:
    async with desk(town, batch=2) as at:
        await at.writer.wait_until_answered()  # nothing waits
        for number in range(7):
            at.ask(f"c{number}")
            if number == 3:
                await asyncio.sleep(0)
        await at.writer.wait_until_answered()
        assert [said[0] for said in at.said if isinstance(said, tuple)] == [f"c{number}" for number in range(7)]
        assert at.said[-1] == [(1, 9)], "and for its announcement"


async def test_it_does_not_wait_for_the_answers_of_what_comes_after(town: Town) -> None:
    """Each answer asks again, so that something waits at all times."""
    goes_on = True
    answers = 0

    async with desk(town) as at:

        def again(outcome: Any) -> None:
            nonlocal answers
            answers += 1
            if goes_on:
                at.writer.submit(*town.say(), again)

        at.writer.submit(*town.say(), again)
        async with asyncio.timeout(5):
            for _ in range(3):
                before = answers
                await at.writer.wait_until_answered()
                assert answers > before
        assert at.writer._waiting
        goes_on = False


async def test_a_refusal_is_an_answer_too(town: Town) -> None:
    async with desk(town) as at:
        at.ask("no", by=3)
        await at.writer.wait_until_answered()
        assert at.said == [("no", "not_member"), []]


async def test_many_wait_and_each_is_woken_once_its_own_are_answered(town: Town) -> None:
    async with desk(town, batch=1) as at:
        woken: list[tuple[int, int]] = []

        async def wait(number: int) -> None:
            await at.writer.wait_until_answered()
            woken.append((number, sum(isinstance(said, tuple) for said in at.said)))

        async with asyncio.TaskGroup() as group:
            for number in range(1, 9):
                at.ask(f"c{number}")
                group.create_task(wait(number))
                await asyncio.sleep(0)
        assert [number for number, _ in woken] == list(range(1, 9))
        assert all(answered >= number for number, answered in woken)


async def test_one_with_few_commands_does_not_wait_for_the_many_of_another(town: Town) -> None:
    async with desk(town, batch=20) as at:
        for number in range(100):
            at.ask(f"many{number}")
        at.ask("few", by=2)
        await at.writer.drain()
    answered = [said[0] for said in at.said if isinstance(said, tuple)]
    assert answered.index("few") < 20
    assert [name for name in answered if name != "few"] == [f"many{number}" for number in range(100)]


async def test_a_barrier_waits_for_what_was_submitted_before_although_others_have_their_turn_first(town: Town) -> None:
    async with desk(town, batch=20) as at:
        for number in range(50):
            at.ask(f"before{number}")
        barrier = asyncio.create_task(at.writer.wait_until_answered())
        await asyncio.sleep(0)
        for number in range(50):
            at.ask(f"after{number}", by=2)  # has its turn before the last ones of the other
        await barrier
        answered = {said[0] for said in at.said if isinstance(said, tuple)}
        assert {f"before{number}" for number in range(50)} <= answered
        await at.writer.drain()


async def test_it_refuses_a_wrong_statement_alone(town: Town) -> None:
    """A wrong statement is a bug of one command. It must not look as if the database could store nothing."""
    with pytest.raises(sqlite3.OperationalError) as error, town.database.writing() as tx:
        tx.connection.execute("SELECT no_such_column FROM accounts")  # type: ignore[attr-defined]
    assert town.database.failure_of(error.value) is None


async def test_the_database_rests_once_when_no_command_comes(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veche.storage.writer.REST_SECONDS", 0.0)
    rests: list[int] = []
    monkeypatch.setattr(town.database, "rest", lambda: rests.append(town.head(1)))
    async with desk(town) as at:
        at.ask("a")
        await at.until(lambda: rests == [3])
        at.ask("b")
        await at.until(lambda: rests == [3, 4])
    assert rests == [3, 4]


async def test_a_rest_that_fails_does_not_end_the_writer(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("veche.storage.writer.REST_SECONDS", 0.0)
    failures = [sqlite3.OperationalError("database or disk is full"), ZeroDivisionError()]

    def rest() -> None:
        raise failures.pop(0)

    monkeypatch.setattr(town.database, "rest", rest)
    async with desk(town) as at:
        for client_id, left in (("a", 1), ("b", 0)):
            at.ask(client_id)
            await at.until(lambda left=left: len(failures) == left)  # type: ignore[misc]
        await at.until(lambda: bool(caplog.messages))
    assert caplog.messages == ["the database could not rest"], "a full disk is not a bug"
    assert at.said[0::2] == [("a", "ok"), ("b", "ok")]


async def test_an_entry_is_recorded_before_its_commit_and_until_it_is_announced(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once another process can see an entry, this one knows that it has not announced it yet."""
    at = Desk(town)
    seen: list[tuple[str, int | None, int]] = []
    monkeypatch.setattr(
        "veche.storage.commit.crash_point",
        lambda name: seen.append((name, at.writer.unannounced.lowest(1), town.head(1))),
    )
    at.writer._announce = lambda events: seen.append(("announced", at.writer.unannounced.lowest(1), town.head(1)))
    at.writer.start()
    at.ask("a")
    at.ask("b")
    await at.writer.stop()
    assert seen == [("before_commit", 3, 2), ("announced", 3, 4)]
    assert at.writer.unannounced.lowest(1) is None


async def test_a_batch_in_parts_is_recorded_once_and_forgotten(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if some of its transactions store nothing, or are rolled back."""
    at = Desk(town)
    at.writer.start()
    failures = iter([ZeroDivisionError(), None, None, ZeroDivisionError()])

    def fail(name: str) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure

    monkeypatch.setattr("veche.storage.commit.crash_point", fail)
    called: list[str] = []
    at.writer.unannounced.call_after_next(lambda: called.append("after"))
    at.ask("x", by=3)
    at.ask("a")
    at.ask("y", by=3)
    await at.writer.drain()
    assert {code for _, code in (said for said in at.said if isinstance(said, tuple))} >= {"ok", "not_member"}
    assert (at.writer.unannounced.lowest(1), called) == (None, ["after"])
    await at.writer.stop()
