"""Registering, signing in and out, with a real database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeGuard

import msgspec
import pytest
from argon2 import PasswordHasher

from tests.new_database import new_database
from veche.core.actor import NOBODY_ID, Actor
from veche.core.errors import ChatError, Code
from veche.hub.hub import Hub
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.service.limits import AddressLimit, Limit, LoginLimits, Rate
from veche.service.passwords import Passwords
from veche.service.tokens import Tokens
from veche.storage.entries import read_entries
from veche.storage.log import head_seqs
from veche.storage.reader import Reader
from veche.storage.writer import Writer

HOME = "192.0.2.1"
GUEST = Actor(NOBODY_ID, "native", address=HOME)
PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


class Services:
    """Accounts and the parts below them, without a dialect."""

    def __init__(self, folder: Path) -> None:
        self.database = new_database(folder / "x.db")
        self.reader = Reader(self.database)
        self.writer = Writer(self.database, lambda events: self.hub.receive(events))
        self.hub = Hub(
            lambda reply, *what: self.reader.call(what[-1], reply, read_entries, *what[:-1]),
            lambda reply, logs: self.reader.call(None, reply, head_seqs, logs),
        )
        self.passwords = Passwords(threads=2, hasher=QUICK)
        self.limits = LoginLimits(wrong=4)
        self.chat = Chat(self.writer, self.reader, self.hub)
        self.tokens = Tokens({"1": "k" * 32})
        self.registrations = AddressLimit("registrations", Rate(20, 20), clock=lambda: 0.0)  # while time stands still
        lifetimes = {"native": 3600, "brief": -60}
        self.accounts = Accounts(self.chat, self.tokens, self.passwords, self.limits, lifetimes, self.registrations)

    async def close(self) -> None:
        await self.writer.stop()
        self.reader.stop()
        self.passwords.stop()
        self.database.close()


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    services = Services(tmp_path)
    services.writer.start()
    yield services
    await services.close()


Counted = Callable[[], list[int]]


@pytest.fixture
def counted(services: Services) -> Counted:
    """Returns how many tries are counted for each account. None of them is forgotten while time passes."""
    tries = services.limits._accounts = Limit(Rate(100, 100), clock=lambda: 0.0)
    return lambda: [round(tries.used(key)) for key in tries._unused_at]


def is_refusal(found: object) -> TypeGuard[ChatError]:
    return isinstance(found, ChatError)


@contextlib.contextmanager
def refusal(code: Code):  # type: ignore[no-untyped-def]
    with pytest.raises(ChatError) as refused:
        yield refused
    assert refused.value.code is code


async def test_an_account_signs_in_by_name_in_any_case_or_by_email(services: Services) -> None:
    made = await services.accounts.register(GUEST, PASSWORD, username="Ann", email="Ann@x.org")
    for found in (
        await services.accounts.check_password(GUEST, PASSWORD, username="aNN"),
        await services.accounts.check_password(GUEST, PASSWORD, email="ann@X.org"),
    ):
        assert found == made
        assert found.account.username == "Ann"


async def test_unknown_users_and_wrong_passwords_differ_only_in_the_reason(services: Services) -> None:
    await services.accounts.register(GUEST, PASSWORD, username="ann")
    with refusal(Code.WRONG_CREDENTIALS) as wrong:
        await services.accounts.check_password(GUEST, "wrong horse", username="ann")
    with refusal(Code.WRONG_CREDENTIALS) as unknown:
        await services.accounts.check_password(GUEST, PASSWORD, username="bob")
    assert wrong.value.message == unknown.value.message
    assert (wrong.value.data["reason"], unknown.value.data["reason"]) == ("password", "unknown")


async def test_nobody_can_sign_in_as_the_built_in_account(services: Services) -> None:
    for password in ("", "system", "nobody's password"):
        with refusal(Code.WRONG_CREDENTIALS):
            await services.accounts.check_password(
                msgspec.structs.replace(GUEST, address=f"192.0.2.{len(password)}"), password, username="system"
            )


async def test_wrong_passwords_are_limited_by_address(services: Services) -> None:
    await services.accounts.register(GUEST, PASSWORD, username="ann")
    for _ in range(4):
        with refusal(Code.WRONG_CREDENTIALS):
            await services.accounts.check_password(GUEST, "wrong horse", username="ann")
    with refusal(Code.RATE_LIMITED):
        await services.accounts.check_password(GUEST, PASSWORD, username="ann")
    assert await services.accounts.check_password(
        msgspec.structs.replace(GUEST, address="198.51.100.1"), PASSWORD, username="ann"
    )


async def test_tries_for_one_account_are_counted_together_by_whatever_name(
    services: Services, counted: Counted
) -> None:
    await services.accounts.register(GUEST, PASSWORD, username="Jose\u0301", email="Jose@x.org")
    names = [{"username": "jos\u00e9"}, {"email": "jose@x.org"}, {"username": "JOSE\u0301"}, {"email": "JOSE@X.ORG"}]
    for name in names:
        with refusal(Code.WRONG_CREDENTIALS):
            await services.accounts.check_password(GUEST, "wrong horse", **name)
    assert counted() == [4]


async def test_a_name_without_an_account_is_delayed_like_one_with_an_account(
    services: Services, counted: Counted
) -> None:
    await services.accounts.register(GUEST, PASSWORD, username="ann", email="ann@x.org")
    for number, name in enumerate(({"username": "ann"}, {"username": "nobody"}, {"email": "nobody@x.org"})):
        guest = msgspec.structs.replace(GUEST, address=f"192.0.2.{number}")
        for _ in range(3):
            with refusal(Code.WRONG_CREDENTIALS):
                await services.accounts.check_password(guest, "wrong horse", **name)
    assert counted() == [3, 3, 3]


async def test_a_name_that_reads_like_the_number_of_an_account_is_counted_alone(
    services: Services, counted: Counted
) -> None:
    ann = await services.accounts.register(GUEST, PASSWORD, username="ann")
    for name in ("ann", str(ann.account.id)):
        with refusal(Code.WRONG_CREDENTIALS):
            await services.accounts.check_password(GUEST, "wrong horse", username=name)
    assert counted() == [1, 1]


@pytest.mark.slow
async def test_parallel_tries_are_limited_too(services: Services) -> None:
    await services.accounts.register(GUEST, PASSWORD, username="ann")
    tries = (services.accounts.check_password(GUEST, "wrong horse", username="ann") for _ in range(20))
    refusals = [found.code for found in await asyncio.gather(*tries, return_exceptions=True) if is_refusal(found)]
    assert (refusals.count(Code.WRONG_CREDENTIALS), refusals.count(Code.RATE_LIMITED)) == (4, 16)


@pytest.mark.parametrize("by", ["username", "email"])
async def test_a_name_that_is_too_long_costs_no_time_or_memory(services: Services, by: str) -> None:
    name = "a" + "\u0315\u0300" * 15_000  # sorting these marks takes a second or two
    began = time.process_time()
    with refusal(Code.WRONG_CREDENTIALS):
        await services.accounts.check_password(GUEST, PASSWORD, **{by: name})
    assert await services.accounts.by_name(0, name) is None
    assert time.process_time() - began < 0.5
    assert max(len(str(key)) for key in services.limits._accounts._unused_at) < 1000


async def test_a_token_is_valid_until_its_session_ends(services: Services) -> None:
    ann = await services.accounts.register(GUEST, PASSWORD, username="ann")
    signed = await services.accounts.open_session(GUEST, ann)
    login = await services.accounts.authenticate(GUEST, signed.token)
    assert (login.account, signed.expires_in) == (ann.account, 3600)
    await services.accounts.sign_out(login)
    with refusal(Code.UNAUTHENTICATED):
        await services.accounts.authenticate(GUEST, signed.token)
    await services.accounts.sign_out(login)


async def test_a_new_password_ends_the_other_sessions(services: Services) -> None:
    ann = await services.accounts.register(GUEST, PASSWORD, username="ann")
    tokens = [(await services.accounts.open_session(GUEST, ann)).token for _ in range(3)]
    login = await services.accounts.authenticate(GUEST, tokens[0])
    with refusal(Code.WRONG_CREDENTIALS):
        await services.accounts.change_password(login, "wrong horse", "new horse")
    await services.accounts.change_password(login, PASSWORD, "new horse")
    assert await services.accounts.authenticate(GUEST, tokens[0])
    for token in tokens[1:]:
        with refusal(Code.UNAUTHENTICATED):
            await services.accounts.authenticate(GUEST, token)
    assert await services.accounts.check_password(GUEST, "new horse", username="ann")
    with refusal(Code.WRONG_CREDENTIALS):
        await services.accounts.check_password(GUEST, PASSWORD, username="ann")


async def test_a_password_that_is_changed_while_it_is_checked_opens_no_session(services: Services) -> None:
    await services.accounts.register(GUEST, PASSWORD, username="ann")
    checked = await services.accounts.check_password(GUEST, PASSWORD, username="ann")
    again = await services.accounts.check_password(GUEST, PASSWORD, username="ann")
    login = await services.accounts.authenticate(GUEST, (await services.accounts.open_session(GUEST, checked)).token)
    await services.accounts.change_password(login, PASSWORD, "new horse")
    with refusal(Code.WRONG_CREDENTIALS):
        await services.accounts.open_session(GUEST, again)


async def test_of_two_changes_of_a_password_at_once_one_is_refused(services: Services) -> None:
    ann = await services.accounts.register(GUEST, PASSWORD, username="ann")
    tokens = [(await services.accounts.open_session(GUEST, ann)).token for _ in range(2)]
    logins = [await services.accounts.authenticate(GUEST, token) for token in tokens]
    changes = [
        services.accounts.change_password(login, PASSWORD, f"new horse {index}") for index, login in enumerate(logins)
    ]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(is_refusal(outcome) for outcome in outcomes) == [False, True]


async def test_a_token_that_names_another_account_than_its_session_is_refused(services: Services) -> None:
    ann = await services.accounts.register(GUEST, PASSWORD, username="ann")
    bob = await services.accounts.register(GUEST, PASSWORD, username="bob")
    session = services.tokens.verify((await services.accounts.open_session(GUEST, ann)).token).session_id
    with refusal(Code.UNAUTHENTICATED):
        await services.accounts.authenticate(GUEST, services.tokens.mint(bob.account, session, 60))


async def test_an_expired_session_is_refused_even_if_the_token_is_valid(services: Services) -> None:
    ann = await services.accounts.register(GUEST, PASSWORD, username="ann")
    session = services.tokens.verify((await services.accounts.open_session(GUEST, ann)).token).session_id
    with services.database.writing() as connection:
        connection.connection.execute("UPDATE sessions SET expires_at = 1")
    with refusal(Code.UNAUTHENTICATED):
        await services.accounts.authenticate(GUEST, services.tokens.mint(ann.account, session, 60))


async def test_parallel_registrations_of_one_name_make_one_account(services: Services) -> None:
    tries = [services.accounts.register(GUEST, PASSWORD, username=name) for name in ("ann", "Ann", "ANN", "Ａnn")]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    taken = [one for one in outcomes if isinstance(one, ChatError)]
    assert [one.code for one in taken] == [Code.TAKEN] * 3


async def test_an_address_registers_only_so_often(services: Services) -> None:
    for number in range(20):
        await services.accounts.register(GUEST, PASSWORD, username=f"ann{number}")
    with refusal(Code.RATE_LIMITED) as refused:
        await services.accounts.register(GUEST, PASSWORD, username="eve")
    assert 1 <= int(str(refused.value.data["retry_after"])) <= 3
    elsewhere = msgspec.structs.replace(GUEST, address="198.51.100.1")
    await services.accounts.register(elsewhere, PASSWORD, username="eve")


async def test_a_registration_that_hashes_nothing_does_not_count(services: Services) -> None:
    for _ in range(25):
        with refusal(Code.INVALID):
            await services.accounts.register(GUEST, "x" * 2000, username="ann")
    await services.accounts.register(GUEST, PASSWORD, username="ann")
