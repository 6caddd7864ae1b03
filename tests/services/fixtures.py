"""Fixtures for all tests. `postgres` and `redis` are one server each per run of pytest, shared by its workers.

The first test that asks for one starts it. It ends when the run ends, since the main process of pytest owns it.
A test that stops, kills or pauses a server has its own: `own_postgres`, `own_redis`, or `with Postgres() as postgres:`.

A test that starts a server or another program is `slow`, and `make check` leaves it out. Those that use a fixture of
this file are marked here. Others have the mark; without it, a server that one starts in `make check` fails it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.services import MissingError, Postgres, PostgresAddress, Redis, RedisAddress, Service
from tests.services.redis import DATABASES

SERVICES = {"postgres", "redis", "own_postgres", "own_redis"}
NEVER_SKIP = ("CI", "VECHE_NO_SKIPS", "NEED_SERVICES")


def pytest_configure(config: pytest.Config) -> None:
    Service.allowed = "not slow" not in config.option.markexpr


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVICES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> PostgresAddress:
    """The PostgreSQL of this run."""
    return PostgresAddress(**_shared("postgres", tmp_path_factory, Postgres))


@pytest.fixture
def postgres_url(postgres: PostgresAddress) -> Iterator[str]:
    """The URL of an empty database for this test. It is removed afterwards."""
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> RedisAddress:
    """The Redis of this run. Other workers use it at the same time: never flush all of it or drop its clients."""
    return RedisAddress(**_shared("redis", tmp_path_factory, Redis))


@pytest.fixture
def redis_url(redis: RedisAddress) -> str:
    """The URL of an empty database, which only this worker uses. The channels of pub/sub are common to all."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    assert number < DATABASES, "start a Redis with more databases"
    redis.flush(number)
    return redis.url(number)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that the test may stop, kill and change."""
    yield from _own(Postgres)


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A Redis that the test may stop, kill and change."""
    yield from _own(Redis)


def _own(make: Callable[[], Service]) -> Iterator[Any]:
    try:
        server = make()
    except MissingError as missing:
        skip(missing)
    with server:
        yield server


def _shared(
    name: str, folders: pytest.TempPathFactory, make: Callable[..., Postgres] | Callable[..., Redis]
) -> dict[str, Any]:
    """Return where the run's server is. The first worker starts it, while others wait for the lock."""
    folder, owner = folders.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder, owner = folder.parent, os.getppid()
    where = Path(folder / f"{name}.json")
    with Path(folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not where.exists():
            try:
                server = make(owner=owner)
            except MissingError as missing:
                skip(missing)
            server.__enter__()
            where.touch(mode=0o600)  # it holds a password
            where.write_text(json.dumps(asdict(server.at)))
            server.leave()
        return dict(json.loads(where.read_text()))


def skip(missing: MissingError) -> NoReturn:
    """Skip the test for what is missing; fail it where nothing may be missing, as in CI."""
    if any(os.environ.get(name) for name in NEVER_SKIP):
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))
