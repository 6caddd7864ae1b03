"""When a connection ends, a client does what its close code says."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
from pathlib import Path

import pytest
from veche_client import backoff

from .driven import NODE, TYPESCRIPT, driven
from .people import Person
from .relay import relaying

SAMPLES = 400
CASES = [(code, after, failures) for code in (0, 1006, 1011, 4100, 4101, 4103, 4200, 4202) for after in (0, 500, 2000)
         for failures in (0, 1, 3, 9)]  # fmt: skip


def waits_of_python() -> list[list[float | None]]:
    return [[_ms(backoff.wait_after(code, after / 1000, failures)) for _ in range(SAMPLES)]
            for code, after, failures in CASES]  # fmt: skip


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def waits_of_typescript() -> list[list[float | None]]:
    script = f"""
        import {{ waitAfter }} from {json.dumps((TYPESCRIPT / "dist" / "backoff.js").as_uri())};
        const sample = (each) => Array.from({{ length: {SAMPLES} }}, () => waitAfter(...each));
        console.log(JSON.stringify({json.dumps(CASES)}.map(sample)));
    """
    words = [NODE, "--input-type=module", "--eval", script]
    found = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    waits: list[list[float | None]] = json.loads(found)
    return waits


@pytest.mark.slow
def test_the_wait_is_random_and_as_long_as_the_close_code_says(language: str) -> None:
    waits = waits_of_python() if language == "python" else waits_of_typescript()
    for (code, after, failures), found in zip(CASES, waits, strict=True):
        samples = [wait for wait in found if wait is not None]
        assert len(samples) == SAMPLES
        least = max(1000, after) if code // 100 == 41 else after
        spread = 250 if code // 100 == 42 and not failures else min(30_000, 1000 * 2**failures)
        assert all(least <= wait <= least + spread for wait in samples), (code, after, failures)
        assert 0.35 < statistics.mean((wait - least) / spread for wait in samples) < 0.65
        assert max(samples) - min(samples) > spread * 0.8, "the jitter has to be full"


@pytest.mark.parametrize("code", [4000, 4001, 4002, 4005, 4099])
def test_there_is_no_wait_if_one_may_not_come_again(code: int) -> None:
    assert backoff.wait_after(code, 0.1, 0) is None


@pytest.mark.slow
async def test_a_client_comes_back_after_a_restart_and_waits_after_being_slow(language: str, bob: Person) -> None:
    async with relaying(bob.base) as relay, driven(language, relay.url, bob.token) as client:
        await client.caught_up()
        await relay.close_all(4200, {"code": 4200, "reason": "restart", "retry_after_ms": 50})
        await client.caught_up(2)
        before = asyncio.get_running_loop().time()
        await relay.close_all(4101, {"code": 4101, "reason": "slow"})
        await client.caught_up(3)
        assert relay.times[-1] - before >= 0.95
        await relay.close_all(1012)
        await client.caught_up(4)
        assert [hello["epoch"] for hello in relay.hellos[1:]] == [(await client.do("saved"))["epoch"]] * 3


@pytest.mark.slow
@pytest.mark.parametrize("code", [4000, 4005])
async def test_a_client_stops_if_it_may_not_come_again(language: str, bob: Person, code: int) -> None:
    async with relaying(bob.base) as relay, driven(language, relay.url, bob.token, tokens=["unused"]) as client:
        await client.caught_up()
        await relay.close_all(code, {"code": code, "reason": "why"})
        await client.until(lambda: client.count("stopped"))
        [stopped] = client.all("stopped")
        assert (stopped["code"], stopped["reason"]) == (code, "why")
        assert not stopped.get("signIn", stopped.get("sign_in"))
        assert client.all("status")[-1] == "stopped"
        assert not client.all("asked")
        assert len(relay.hellos) == 1


@pytest.mark.slow
async def test_a_session_that_has_ended_needs_a_new_token(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    fresh = bob.sign_in()
    async with driven(language, bob.base, bob.token, tokens=["no token", fresh]) as client:
        await client.caught_up()
        await asyncio.to_thread(bob.call, "POST", "logout")
        id = await client.do("enqueue", "send", {"room_id": room, "text": "after the session"})
        await client.caught_up(2)  # the first of the new tokens is refused
        assert client.count("asked") == 2
        await client.until(lambda: client.count("stored"))
        assert [stored["outgoing"]["id"] for stored in client.all("stored")] == [id]
        fresh_bob = Person(bob.base, bob.id, bob.username, fresh)
        await asyncio.to_thread(fresh_bob.call, "POST", "logout")
        await client.until(lambda: client.count("stopped"))
        [stopped] = client.all("stopped")
        assert stopped.get("signIn", stopped.get("sign_in"))
        assert stopped["code"] in (4001, 4004)


@pytest.mark.slow
async def test_a_token_that_expires_is_replaced(language: str, bob: Person) -> None:
    fresh = bob.sign_in()
    async with relaying(bob.base) as relay, driven(language, relay.url, bob.token, tokens=[fresh]) as client:
        await client.caught_up()
        await relay.close_all(4201, {"code": 4201, "reason": "token_expired"})
        await client.caught_up(2)
        assert [hello["token"] for hello in relay.hellos] == [bob.token, fresh]
        assert client.all("asked") == ["token_expired"]


@pytest.mark.slow
async def test_a_server_that_is_not_there_is_tried_again(language: str, bob: Person, tmp_path: Path) -> None:
    async with relaying(bob.base) as relay:
        url = relay.url
    async with driven(language, url, bob.token) as client:
        await client.until(lambda: client.all("status").count("waiting") >= 3, "three tries")
        assert not client.all("stopped")
