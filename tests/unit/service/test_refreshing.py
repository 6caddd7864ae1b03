"""Refreshing a session with a real database: parallel clients, lost answers, stolen tokens, replaced secrets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.service.expiry import forget_once
from veche.service.refreshing import IssuedTokens, Lifetimes, Refreshing, RefreshKeys
from veche.service.tokens import Tokens, keys_of

from .test_accounts import GUEST, PASSWORD, Services, refusal

OLD, NEW = "o" * 32, "n" * 32
ACCESS, REFRESH = LIFETIMES = Lifetimes(900, 30 * 24 * 3600)


class Family:
    """A session of ann, and the servers that refresh it."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.refreshing = self.server(OLD)

    def server(self, secret: str, old: str | None = None) -> Refreshing:
        """A server on the same database with these secrets."""
        keys = keys_of(secret, old)
        services = self.services
        return Refreshing(
            services.chat, services.accounts, Tokens(keys), RefreshKeys(keys.values()), {"native": LIFETIMES}
        )

    async def open(self, name: str = "ann") -> IssuedTokens:
        verified = await self.services.accounts.register(GUEST, PASSWORD, username=name)
        return await self.refreshing.open_session(GUEST, verified)

    async def refresh(self, token: str) -> IssuedTokens:
        return await self.refreshing.refresh(GUEST, token)

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self.services.database.writing() as tx:
            return [tuple(row) for row in tx.connection.execute(statement, values)]

    def grow_older(self, seconds: int) -> None:
        """Let the tokens and the session be as if they had been made so long before."""
        age = seconds * 1_000_000
        self.sql("UPDATE refreshes SET made_at = made_at - ?, parent_made_at = parent_made_at - ?", age, age)
        self.sql("UPDATE sessions SET expires_at = expires_at - ?, created_at = created_at - ?", age, age)


@pytest.fixture
async def family(tmp_path: Path):  # type: ignore[no-untyped-def]
    services = Services(tmp_path)
    services.tokens = Tokens(keys_of(OLD))
    services.accounts._tokens = services.tokens
    services.writer.start()
    yield Family(services)
    await services.close()


async def test_a_session_goes_on_with_the_successor(family: Family) -> None:
    first = await family.open()
    assert (first.expires_in, first.refresh_expires_in) == (ACCESS, REFRESH)
    login = await family.services.accounts.authenticate(GUEST, first.token)
    second = await family.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    again = await family.services.accounts.authenticate(GUEST, second.token)
    assert (again.session_id, again.account) == (login.session_id, login.account)


async def test_only_hashes_are_stored(family: Family, tmp_path: Path) -> None:
    first = await family.open()
    second = await family.refresh(first.refresh_token)
    [row] = family.sql("SELECT * FROM refreshes")
    for token in (first.refresh_token, second.refresh_token):
        mac = token.rpartition(".")[2]
        assert not any(mac in str(value) for value in row)


async def test_a_hundred_parallel_refreshes_give_one_successor_and_nobody_is_logged_out(family: Family) -> None:
    first = await family.open()
    found = await asyncio.gather(*(family.refresh(first.refresh_token) for _ in range(100)))
    [successor] = {tokens.refresh_token for tokens in found}
    for tokens in found:
        await family.services.accounts.authenticate(GUEST, tokens.token)
    assert (await family.refresh(successor)).refresh_token != successor


async def test_a_lost_answer_costs_nothing_and_a_stolen_token_ends_the_session(family: Family) -> None:
    first = await family.open()
    lost = await family.refresh(first.refresh_token)
    family.grow_older(60)
    again = await family.refresh(first.refresh_token)
    assert again.refresh_token == lost.refresh_token
    await family.services.accounts.authenticate(GUEST, again.token)
    third = await family.refresh(again.refresh_token)
    family.grow_older(60)
    with refusal(Code.UNAUTHENTICATED):
        await family.refresh(first.refresh_token)
    with refusal(Code.UNAUTHENTICATED):
        await family.refresh(third.refresh_token)
    with refusal(Code.UNAUTHENTICATED):
        await family.services.accounts.authenticate(GUEST, third.token)


async def test_signing_out_ends_the_chain(family: Family) -> None:
    first = await family.open()
    await family.services.accounts.sign_out(await family.services.accounts.authenticate(GUEST, first.token))
    with refusal(Code.UNAUTHENTICATED):
        await family.refresh(first.refresh_token)


async def test_another_password_ends_the_chains_of_others(family: Family) -> None:
    mine = await family.open()
    ann = await family.services.accounts.check_password(GUEST, PASSWORD, username="ann")
    theirs = await family.refreshing.open_session(GUEST, ann)
    login = await family.services.accounts.authenticate(GUEST, mine.token)
    await family.services.accounts.change_password(login, PASSWORD, "new horse")
    with refusal(Code.UNAUTHENTICATED):
        await family.refresh(theirs.refresh_token)
    await family.refresh(mine.refresh_token)
    with refusal(Code.WRONG_CREDENTIALS):
        await family.refreshing.open_session(GUEST, ann)


async def test_an_access_token_does_not_outlive_its_session(family: Family) -> None:
    first = await family.open()
    second = await family.refresh(first.refresh_token)
    family.grow_older(REFRESH - 100)
    again = await family.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert again.expires_in == again.refresh_expires_in <= 100


async def test_a_session_is_purged_a_day_after_it_can_no_more_be_refreshed(family: Family) -> None:
    first = await family.open()
    family.grow_older(REFRESH - 60)
    assert await forget_once(family.services.chat, 0) == 0
    second = await family.refresh(first.refresh_token)
    family.grow_older(REFRESH + 60)
    with refusal(Code.UNAUTHENTICATED):
        await family.refresh(second.refresh_token)
    assert await forget_once(family.services.chat, 0) == 0
    family.grow_older(24 * 3600)
    assert await forget_once(family.services.chat, 0) == 1
    assert family.sql("SELECT * FROM refreshes") == []


async def test_a_replaced_secret_signs_the_successors(family: Family) -> None:
    first = await family.open()
    family.refreshing = family.server(NEW, OLD)
    second = await family.refresh(first.refresh_token)
    family.refreshing = family.server(NEW)
    third = await family.refresh(second.refresh_token)
    assert third.refresh_token != second.refresh_token
    with refusal(Code.UNAUTHENTICATED):
        await family.refresh(first.refresh_token)


async def test_nodes_with_other_secrets_give_the_same_successor_or_none(family: Family) -> None:
    """While nodes restart one by one with a new secret."""
    first = await family.open()
    second = await family.refresh(first.refresh_token)
    family.refreshing = family.server(NEW, OLD)
    assert (await family.refresh(first.refresh_token)).refresh_token == second.refresh_token
    third = await family.refresh(second.refresh_token)
    family.refreshing = family.server(OLD)
    with refusal(Code.UNAVAILABLE):
        await family.refresh(second.refresh_token)
    family.refreshing = family.server(NEW, OLD)
    assert (await family.refresh(second.refresh_token)).refresh_token == third.refresh_token


async def test_an_access_token_or_a_ticket_refreshes_nothing(family: Family) -> None:
    first = await family.open()
    login = await family.services.accounts.authenticate(GUEST, first.token)
    for wrong in (first.token, family.services.accounts.ticket(login, "files", 60), login.session_id):
        with refusal(Code.UNAUTHENTICATED):
            await family.refresh(wrong)
    with refusal(Code.UNAUTHENTICATED):
        await family.services.accounts.authenticate(GUEST, first.refresh_token)


async def test_the_reuse_of_a_token_is_a_line_in_the_log(family: Family, caplog: pytest.LogCaptureFixture) -> None:
    first = await family.open()
    second = await family.refresh(first.refresh_token)
    await family.refresh(second.refresh_token)
    family.grow_older(60)
    with caplog.at_level("WARNING", "veche.accounts"), refusal(Code.UNAUTHENTICATED):
        await family.refresh(first.refresh_token)
    [line] = caplog.messages
    assert line.startswith("account 1: a refresh token was used again")
    assert first.refresh_token not in line


@given(st.text(max_size=40) | st.from_regex(r"s\.[0-9]{1,20}\.[A-Za-z0-9_-]{0,60}", fullmatch=True))
def test_what_we_have_not_made_is_refused(text: str) -> None:
    with pytest.raises(ChatError) as refused:
        RefreshKeys([OLD]).read(text)
    assert refused.value.code is Code.UNAUTHENTICATED


@given(st.integers(0, 10**12), st.integers(0, 200), st.characters())
def test_a_token_that_differs_in_one_character_is_refused(number: int, index: int, other: str) -> None:
    keys = RefreshKeys([OLD])
    [token] = keys.tokens("s", number)
    assert keys.read(token) == ("s", number)
    index %= len(token)
    changed = token[:index] + other + token[index + 1 :]
    if changed != token:
        with pytest.raises(ChatError):
            keys.read(changed)
