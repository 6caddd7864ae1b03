"""Signing up, in and out, over a real database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeGuard

import pytest

from veche.core.actor import NOBODY_ID, Actor
from veche.core.errors import ChatError, Code
from veche.hub.hub import Hub
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.service.limits import LoginLimits
from veche.service.passwords import Passwords
from veche.service.tokens import Tokens
from veche.storage.database import Database
from veche.storage.entries import entries
from veche.storage.log import heads
from veche.storage.reader import Reader
from veche.storage.writer import Writer

HOME = "192.0.2.1"
GUEST = Actor(NOBODY_ID, "native", address=HOME)
PASSWORD = "correct horse"


class Office:
    """Accounts and all that they stand on, but no dialect."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder}/x.db")
        self.database.migrate()
        self.reader = Reader(self.database)
        self.writer = Writer(self.database, lambda events: self.hub.deliver(events))
        self.hub = Hub(
            lambda reply, *what: self.reader.call(reply, entries, *what),
            lambda reply, logs: self.reader.call(reply, heads, logs),
        )
        self.passwords = Passwords(threads=2)
        self.limits = LoginLimits(wrong=4)
        self.chat = Chat(self.writer, self.reader, self.hub)
        self.tokens = Tokens({"1": "k" * 32})
        self.accounts = Accounts(self.chat, self.tokens, self.passwords, self.limits, {"native": 3600, "brief": -60})

    async def close(self) -> None:
        await self.writer.stop()
        self.reader.stop()
        self.passwords.stop()
        self.database.close()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path)
    office.writer.start()
    yield office
    await office.close()


def is_refusal(found: object) -> TypeGuard[ChatError]:
    return isinstance(found, ChatError)


@contextlib.contextmanager
def refusal(code: Code):  # type: ignore[no-untyped-def]
    with pytest.raises(ChatError) as refused:
        yield refused
    assert refused.value.code is code


async def test_who_registers_can_sign_in_by_name_in_any_case_or_by_email(office: Office) -> None:
    made = await office.accounts.register(GUEST, PASSWORD, username="Ann", email="Ann@x.org")
    for found in (
        await office.accounts.check_password(GUEST, PASSWORD, username="aNN"),
        await office.accounts.check_password(GUEST, PASSWORD, email="ann@X.org"),
    ):
        assert found == made


async def test_unknown_and_wrong_are_refused_alike_but_for_what_dialects_need(office: Office) -> None:
    await office.accounts.register(GUEST, PASSWORD, username="ann")
    with refusal(Code.WRONG_CREDENTIALS) as wrong:
        await office.accounts.check_password(GUEST, "wrong horse", username="ann")
    with refusal(Code.WRONG_CREDENTIALS) as unknown:
        await office.accounts.check_password(GUEST, PASSWORD, username="bob")
    assert wrong.value.message == unknown.value.message
    assert (wrong.value.data["reason"], unknown.value.data["reason"]) == ("password", "unknown")


async def test_the_built_in_account_lets_nobody_in(office: Office) -> None:
    for password in ("", "system", "nobody's password"):
        with refusal(Code.WRONG_CREDENTIALS):
            await office.accounts.check_password(
                GUEST._replace(address=f"192.0.2.{len(password)}"), password, username="system"
            )


async def test_wrong_passwords_run_out(office: Office) -> None:
    await office.accounts.register(GUEST, PASSWORD, username="ann")
    for _ in range(4):
        with refusal(Code.WRONG_CREDENTIALS):
            await office.accounts.check_password(GUEST, "wrong horse", username="ann")
    with refusal(Code.RATE_LIMITED):
        await office.accounts.check_password(GUEST, PASSWORD, username="ann")
    assert await office.accounts.check_password(GUEST._replace(address="198.51.100.1"), PASSWORD, username="ann")


async def test_tries_at_once_are_no_way_round_the_limit(office: Office) -> None:
    await office.accounts.register(GUEST, PASSWORD, username="ann")
    tries = (office.accounts.check_password(GUEST, "wrong horse", username="ann") for _ in range(20))
    refusals = [found.code for found in await asyncio.gather(*tries, return_exceptions=True) if is_refusal(found)]
    assert (refusals.count(Code.WRONG_CREDENTIALS), refusals.count(Code.RATE_LIMITED)) == (4, 16)


@pytest.mark.parametrize("by", ["username", "email"])
async def test_a_name_too_long_for_anybody_costs_nothing(office: Office, by: str) -> None:
    name = "a" + "\u0315\u0300" * 15_000  # sorting these marks takes a second or two
    began = time.process_time()
    with refusal(Code.WRONG_CREDENTIALS):
        await office.accounts.check_password(GUEST, PASSWORD, **{by: name})
    assert await office.accounts.by_name(name) is None
    assert time.process_time() - began < 0.5
    assert max(map(len, office.limits._accounts._times)) < 1000


async def test_a_token_stands_for_its_account_until_its_session_ends(office: Office) -> None:
    ann = await office.accounts.register(GUEST, PASSWORD, username="ann")
    signed = await office.accounts.open_session(GUEST, ann)
    login = await office.accounts.authenticate(GUEST, signed.token)
    assert (login.account, signed.expires_in) == (ann, 3600)
    await office.accounts.sign_out(login)
    with refusal(Code.UNAUTHENTICATED):
        await office.accounts.authenticate(GUEST, signed.token)
    await office.accounts.sign_out(login)


async def test_a_new_password_ends_the_other_sessions(office: Office) -> None:
    ann = await office.accounts.register(GUEST, PASSWORD, username="ann")
    tokens = [(await office.accounts.open_session(GUEST, ann)).token for _ in range(3)]
    login = await office.accounts.authenticate(GUEST, tokens[0])
    with refusal(Code.WRONG_CREDENTIALS):
        await office.accounts.change_password(login, "wrong horse", "new horse")
    await office.accounts.change_password(login, PASSWORD, "new horse")
    assert await office.accounts.authenticate(GUEST, tokens[0])
    for token in tokens[1:]:
        with refusal(Code.UNAUTHENTICATED):
            await office.accounts.authenticate(GUEST, token)
    assert await office.accounts.check_password(GUEST, "new horse", username="ann")
    with refusal(Code.WRONG_CREDENTIALS):
        await office.accounts.check_password(GUEST, PASSWORD, username="ann")


async def test_a_token_that_names_another_account_than_its_session_is_refused(office: Office) -> None:
    ann = await office.accounts.register(GUEST, PASSWORD, username="ann")
    bob = await office.accounts.register(GUEST, PASSWORD, username="bob")
    session = office.tokens.verify((await office.accounts.open_session(GUEST, ann)).token).session_id
    with refusal(Code.UNAUTHENTICATED):
        await office.accounts.authenticate(GUEST, office.tokens.mint(bob, session, 60))


async def test_a_session_that_has_expired_is_over_whatever_the_token_says(office: Office) -> None:
    ann = await office.accounts.register(GUEST, PASSWORD, username="ann")
    session = office.tokens.verify((await office.accounts.open_session(GUEST, ann)).token).session_id
    with office.database.writing() as connection:
        connection.connection.exec_driver_sql("UPDATE sessions SET expires_at = 1")
    with refusal(Code.UNAUTHENTICATED):
        await office.accounts.authenticate(GUEST, office.tokens.mint(ann, session, 60))


async def test_one_name_has_one_account_however_many_ask_at_once(office: Office) -> None:
    tries = [office.accounts.register(GUEST, PASSWORD, username=name) for name in ("ann", "Ann", "ANN", "Ａnn")]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    taken = [one for one in outcomes if isinstance(one, ChatError)]
    assert [one.code for one in taken] == [Code.TAKEN] * 3
