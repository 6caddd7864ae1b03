"""A client with a refresh token replaces its short-lived token in good time, and stays connected."""

from __future__ import annotations

import asyncio

import pytest

from .driven import TIMEOUT, driven
from .people import Person
from .relay import Frame, relaying

pytestmark = pytest.mark.slow


async def test_a_token_is_replaced_before_it_expires(language: str, short: Person) -> None:
    session = short.begin_session(refresh=True)
    async with driven(
        language, short.base, session["token"], refresh_token=session["refresh_token"], tokens=["unused"]
    ) as client:
        await client.until(lambda: client.count("refreshed") >= 2, "two new tokens")
        assert client.count("caught_up") == 1, "the connection stays"
        assert client.count("asked") == 0
        first, second = client.all("refreshed")[:2]
        assert len({session["refresh_token"], first["refresh_token"], second["refresh_token"]}) == 3
        assert first["expires_in"] == 3
        room = await asyncio.to_thread(short.make_room)
        assert (await client.do("send", room, "hi"))["room_id"] == room
        assert (await client.do("rest", "me"))["id"] == short.id


async def test_a_client_that_comes_back_late_refreshes_first(language: str, short: Person) -> None:
    session = short.begin_session(refresh=True)
    await asyncio.sleep(session["expires_in"] + 0.5)  # the token has expired: there is nothing else to wait for
    async with driven(
        language, short.base, session["token"], refresh_token=session["refresh_token"], tokens=["unused"]
    ) as client:
        await client.caught_up()
        assert client.count("refreshed") >= 1
        assert client.count("asked") == 0


async def test_a_session_that_has_ended_is_not_refreshed(language: str, ann: Person) -> None:
    session, fresh = ann.begin_session(refresh=True), ann.sign_in()
    of_session = Person(ann.base, ann.id, ann.username, session["token"])
    async with driven(
        language, ann.base, session["token"], refresh_token=session["refresh_token"], tokens=[fresh]
    ) as client:
        await client.caught_up()
        await asyncio.to_thread(of_session.call, "POST", "logout")
        await client.caught_up(2)
        assert client.count("asked") == 1
        assert client.count("refreshed") == 0


async def test_a_refused_refresh_of_the_socket_ends_nothing(language: str, ann: Person) -> None:
    session = ann.begin_session(refresh=True)

    def refuse(frame: Frame) -> list[Frame]:
        if "refresh" not in frame:
            return [frame]
        error = {"code": "rate_limited", "message": "later", "temporary": True, "retry_after_ms": 10}
        return [{"id": frame["id"], "error": error}]

    async with relaying(ann.base) as relay:
        relay.down = refuse
        async with driven(
            language, relay.url, session["token"], refresh_token=session["refresh_token"], tokens=["unused"]
        ) as client:
            await client.caught_up()
            async with asyncio.timeout(TIMEOUT):
                while sum("refresh" in frame for frame in relay.sent) < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)  # only the relay knows
            assert client.count("caught_up") == 1
            assert client.count("asked") == 0
