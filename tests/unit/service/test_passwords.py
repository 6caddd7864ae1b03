"""Password hashing: exact comparison, a bound on the length, and work off the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.service.passwords import MAX_BYTES, Passwords, normal_form

REPEATABLE = settings(max_examples=200, deadline=None, derandomize=True, database=None)
anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(threads=1)
    yield passwords
    passwords.stop()


async def test_a_password_verifies_and_another_does_not(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify("correct horse", hashed)
    assert not await passwords.verify("Correct horse", hashed)


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
    start = time.perf_counter()
    with pytest.raises(ChatError) as refusal:
        await passwords.hash(huge)
    assert time.perf_counter() - start < 0.05
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


async def test_calls_that_would_wait_too_long_are_refused() -> None:
    passwords = Passwords(threads=1)
    crowd = [asyncio.ensure_future(passwords.verify("x" * 8, None)) for _ in range(60)]
    await asyncio.sleep(0)
    refused = [one for one in crowd if one.done()]
    assert {one.exception().code for one in refused} == {Code.OVERLOADED}  # type: ignore[union-attr]
    assert len(refused) == 20
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert await passwords.verify("x" * 8, None) is False
    passwords.stop()
