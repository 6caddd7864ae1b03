"""What somebody reads counts as their work by the number of rows, whichever query reads them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from core import commands as c

from veche.core.actor import Party
from veche.core.values import Kind
from veche.service import echoes
from veche.service.chat import ROWS_OF_A_UNIT
from veche.service.shares import Share

from .test_accounts import Services, services

__all__ = ["services"]

ANN, ROOM = 1, 1
ROWS = 60

Query = Callable[[Services], Awaitable[Any]]


async def _echoes(services: Services) -> list[Any]:
    return [page async for page in echoes.history(services.chat, c.Actor(ANN, "channels"))]


QUERIES: dict[str, Query] = {
    "rooms": lambda services: services.chat.rooms(ANN, 0, ROWS),
    "public rooms": lambda services: services.chat.public_rooms(ANN, 0, ROWS),
    "members": lambda services: services.chat.members(ANN, ROOM, 0, ROWS),
    "history": lambda services: services.chat.history(ANN, ROOM, ROWS),
    "history by offset": lambda services: services.chat.history_by_offset(ANN, ROOM, 0, ROWS),
    "welcome": lambda services: services.chat.welcome(ANN, "s1", ROWS),
    "accounts": lambda services: services.accounts.list_accounts(ANN, 0, ROWS),
    "echoes": _echoes,
}


@pytest.fixture
async def town(services: Services) -> Services:
    """Ann has a session. There are ROWS of accounts, rooms, members, messages and lines of an echo."""
    do = services.chat.do
    for number in range(ROWS):
        await do(*c.by(c.NOBODY_ID, c.Register("hash", username=f"user{number}")))
    await do(*c.by(ANN, c.OpenSession("s1", 3600, "hash")))
    for number in range(ROWS):
        await do(*c.by(ANN, c.CreateRoom(Kind.CHANNEL, f"Room {number}", tuple(range(2, ROWS + 1)))))
        await do(*c.by(ANN, c.SendMessage(ROOM, "hi")))
    echo = await do(*c.by(ANN, c.OpenEcho()))
    await do(*c.by(ANN, c.AddEchoLines(echo, tuple(("client", '"hi"') for _ in range(ROWS)))))
    await do(*c.by(ANN, c.CloseEcho(echo)))
    return services


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_of_many_rows_costs_more_than_one_of_few(
    town: Services, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[Party, float]] = []
    work = Share.work

    def counted(share: Share, units: float) -> None:
        done.append((share.key, units))
        work(share, units)

    monkeypatch.setattr(Share, "work", counted)
    await QUERIES[name](town)
    assert {party for party, _ in done} == {ANN}
    assert ROWS / ROWS_OF_A_UNIT <= sum(units for _, units in done) <= 1.5 * ROWS / ROWS_OF_A_UNIT
    town.chat.shares.stop()
