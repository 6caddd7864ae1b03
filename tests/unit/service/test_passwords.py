"""Password hashing: exact comparison, a bound on the length, and work off the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from veche.core.errors import ChatError, Code
from veche.service.passwords import MAX_BYTES, Passwords


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
        ("caf\u00e9-bar", "cafe\u0301-bar"),
        ("pass word", " pass word"),
        ("😀😀😀", "😀😀"),
        ("p\ud800assword", "password"),
    ],
)
async def test_every_byte_counts_without_any_normalization(passwords: Passwords, kept: str, tried: str) -> None:
    hashed = await passwords.hash(kept)
    assert not await passwords.verify(tried, hashed)
    assert await passwords.verify(kept, hashed)


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
