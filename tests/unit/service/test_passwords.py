"""Password hashing: exact comparison, a bound on the length, and work off the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.errors import ChatError, Code
from veche.service.passwords import (
    HASHER,
    MAX_BYTES,
    MAX_WAIT,
    WAITING_PER_THREAD,
    Passwords,
    hash_of_nobody,
    normal_form,
)

REPEATABLE = settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


LIMIT = "veche.service.passwords.MAX_WAIT"


@pytest.fixture
def passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[Passwords]:
    """Nobody waits too long, however busy the machine is."""
    monkeypatch.setattr(LIMIT, 60.0)
    passwords = Passwords(threads=1)
    yield passwords
    passwords.stop()


async def test_a_password_verifies_and_another_does_not(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify("correct horse", hashed)
    assert not await passwords.verify("Correct horse", hashed)


@pytest.mark.parametrize("hasher", [HASHER, PasswordHasher(time_cost=1, memory_cost=64, hash_len=20, salt_len=9)])
def test_the_hash_of_nobody_takes_the_same_work(hasher: PasswordHasher) -> None:
    of_nobody = hash_of_nobody(hasher)
    assert not hasher.check_needs_rehash(of_nobody)  # it has the parameters of this hasher
    assert len(of_nobody) == len(hasher.hash("nobody"))
    with pytest.raises(VerifyMismatchError):  # the work was done
        hasher.verify(of_nobody, "nobody")


@pytest.mark.parametrize(
    ("kept", "tried"),
    [
        ("x" * 80, "x" * 72),
        ("x" * 72 + "a", "x" * 72 + "b"),
        ("abc\0def!", "abc"),
        ("abc\0def!", "abc\0dex!"),
        ("café-bar", "cafe-bar"),
        ("ﬁsh and chips", "fish and chips"),
        ("pass word", " pass word"),
        ("😀😀😀", "😀😀"),
        ("p\ud800assword", "password"),
    ],
)
async def test_every_character_counts(passwords: Passwords, kept: str, tried: str) -> None:
    hashed = await passwords.hash(kept)
    assert not await passwords.verify(tried, hashed)
    assert await passwords.verify(kept, hashed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9-bar", "cafe\u0301-bar"),
        ("\u0439од и \u0451лка", "и\u0306од и е\u0308лка"),
        ("\ud55c\uae00 passwort", "\u1112\u1161\u11ab\u1100\u1173\u11af passwort"),
        ("\u212bngstr\u00f6m", "A\u030angstro\u0308m"),
        ("pass\u3000word", "pass word"),
        ("pass\u00a0wörd", "pass wo\u0308rd"),
    ],
)
async def test_a_password_is_the_same_whichever_keyboard_typed_it(passwords: Passwords, one: str, other: str) -> None:
    for kept, tried in ((one, other), (other, one)):
        assert await passwords.verify(tried, await passwords.hash(kept))


@pytest.mark.parametrize("password", ["cafe\u0301-bar", "caf\u00e9-bar", "pass\u3000word", "\u212bngstr\u00f6m"])
async def test_a_hash_of_an_older_version_still_verifies(passwords: Passwords, password: str) -> None:
    """Older versions hashed a password as it was typed."""
    old = passwords._hasher.hash(password)
    assert await passwords.verify(password, old)
    assert not await passwords.verify(f"{password}!", old)


@REPEATABLE
@given(anything)
def test_the_normal_form_of_a_password_is_its_own(password: str) -> None:
    normal = normal_form(password)
    assert normal_form(normal) == normal
    assert normal_form(unicodedata.normalize("NFD", password)) == normal


async def test_the_bound_holds_for_the_normal_form_too(passwords: Passwords) -> None:
    longer = "\u0958" * 300  # NFC takes it apart
    assert len(longer.encode()) < MAX_BYTES < len(normal_form(longer).encode())
    with pytest.raises(ChatError):
        await passwords.hash(longer)
    assert not await passwords.verify(longer, None)


async def test_a_password_of_two_megabytes_is_not_hashed_whole(passwords: Passwords) -> None:
    """As a new password it is refused at once. When signing in it is wrong, and takes no longer than others."""
    huge = "x" * 2_000_000
    start = time.process_time()
    with pytest.raises(ChatError) as refusal:
        await passwords.hash(huge)
    assert time.process_time() - start < 0.05
    assert (refusal.value.code, refusal.value.data["field"]) == (Code.INVALID, "password")
    assert not await passwords.verify(huge, await passwords.hash("x" * MAX_BYTES))
    assert not await passwords.verify(huge, None)


async def test_the_bound_is_in_bytes(passwords: Passwords) -> None:
    await passwords.hash("x" * MAX_BYTES)
    with pytest.raises(ChatError):
        await passwords.hash("é" * (MAX_BYTES // 2 + 1))


@pytest.mark.parametrize("hashed", [None, "", "not a hash", "$argon2id$broken"])
async def test_without_a_hash_nothing_verifies_and_it_does_not_raise(passwords: Passwords, hashed: str | None) -> None:
    assert not await passwords.verify("nobody's password", hashed)


async def test_hashing_does_not_block_the_loop(passwords: Passwords) -> None:
    turns = 0
    hashing = asyncio.ensure_future(passwords.hash("correct horse"))
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    assert threading.active_count() > 1


async def test_calls_that_are_too_many_are_refused_at_once(passwords: Passwords) -> None:
    crowd = [asyncio.ensure_future(passwords.verify("x" * 8, None)) for _ in range(WAITING_PER_THREAD + 20)]
    await asyncio.sleep(0)
    refused = [one for one in crowd if one.done()]
    assert {code_of(one) for one in refused} == {Code.OVERLOADED}
    assert 18 <= len(refused) <= 20
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert await passwords.verify("x" * 8, None) is False


async def test_no_call_waits_longer_than_two_seconds(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMIT, MAX_WAIT)
    release = threading.Event()
    passwords._threads.submit(release.wait)
    start = time.monotonic()
    running = asyncio.ensure_future(passwords.verify("x" * 8, None))
    waiting = [asyncio.ensure_future(call) for call in (passwords.verify("x" * 8, None), passwords.hash("x" * 8))]
    await asyncio.wait(waiting)
    assert MAX_WAIT - 0.1 < time.monotonic() - start < MAX_WAIT + 10
    assert [code_of(one) for one in waiting] == [Code.OVERLOADED] * 2
    assert waiting[0].exception().data["retry_after"] == 2  # type: ignore[union-attr]
    release.set()
    assert await running is False


async def test_those_who_sign_in_wait_for_at_most_one_who_registers_for_every_three(passwords: Passwords) -> None:
    done: list[str] = []
    calls = [asyncio.ensure_future(passwords.hash("x" * 8, f"192.0.2.{number}")) for number in range(8)]
    calls += [asyncio.ensure_future(passwords.verify("x" * 8, None, f"198.51.100.{number}")) for number in range(6)]
    for number, call in enumerate(calls):
        call.add_done_callback(lambda _, kind="registers" if number < 8 else "signs in": done.append(kind))
    await asyncio.wait(calls)
    last = len(done) - done[::-1].index("signs in")
    assert done[:last].count("signs in") == 6
    assert done[:last].count("registers") <= 3  # one runs already, then one after every three


@pytest.mark.parametrize("registers", [True, False])
async def test_each_address_has_its_turn(passwords: Passwords, registers: bool) -> None:
    def call(who: str) -> asyncio.Future[Any]:
        return asyncio.ensure_future(passwords.hash("x" * 8, who, registers=registers))

    flood = [call("192.0.2.1") for _ in range(WAITING_PER_THREAD + 20)]
    others = [call(f"192.0.2.{number}") for number in (2, 3, 4)]
    await asyncio.wait(others)
    assert all(one.exception() is None for one in others)
    assert sum(one.done() and one.exception() is None for one in flood) <= 4
    for one in flood:
        one.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


async def test_a_new_password_of_an_account_does_not_wait_with_registrations(passwords: Passwords) -> None:
    addresses = [f"192.0.2.{number}" for number in range(WAITING_PER_THREAD)]
    crowd = [asyncio.ensure_future(passwords.hash("x" * 8, address)) for address in addresses]
    await asyncio.sleep(0)
    await passwords.hash("x" * 8, "198.51.100.1", registers=False)
    assert sum(one.done() for one in crowd) <= 2
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


def test_hashing_takes_at_most_half_of_the_cores() -> None:
    """The machine may have any number of cores, so count the threads that hash."""
    passwords = Passwords()
    try:
        assert passwords._threads._max_workers == max(1, len(os.sched_getaffinity(0)) // 2)
    finally:
        passwords.stop()


async def test_with_one_core_hashing_takes_half_of_the_time() -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        passwords = Passwords()
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(8):
            await passwords.verify("x" * 8, None)
        passwords.stop()
    finally:
        os.sched_setaffinity(0, cores)
    assert time.process_time() - worked < 0.65 * (time.perf_counter() - began)


async def test_calls_that_wait_when_the_server_stops_are_refused(passwords: Passwords) -> None:
    calls = [asyncio.ensure_future(passwords.hash("x" * 8)) for _ in range(3)]
    await asyncio.sleep(0)
    passwords.stop()
    await asyncio.wait(calls)
    assert [code_of(one) for one in calls] == [None, Code.OVERLOADED, Code.OVERLOADED]


def code_of(call: asyncio.Future[Any]) -> Code | None:
    error = call.exception()
    return error.code if isinstance(error, ChatError) else None
