"""Servers and people for the tests of the client libraries. Most tests run for both of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.veche_process import VecheProcess

from .driven import LANGUAGES
from .people import Person

SETTINGS = {
    "VECHE_LOG_LEVEL": "warning",
    "VECHE_PING_SECONDS": "2",
    "VECHE_PONG_SECONDS": "1",
    "VECHE_REGISTRATIONS_AT_ONCE": "100000",
    "VECHE_LOGINS_PER_MINUTE": "100000",
    "VECHE_ROOMS_PER_HOUR": "100000",
    "VECHE_ROOMS_INTO_PER_HOUR": "100000",
}


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VecheProcess]:
    with VecheProcess(tmp_path_factory.mktemp("server"), SETTINGS) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VecheProcess]:
    """A server of the test's own, which it may end."""
    with VecheProcess(tmp_path, SETTINGS) as server:
        yield server


@pytest.fixture
def short(tmp_path: Path) -> Iterator[Person]:
    """Somebody on a server whose refreshed sessions have tokens of three seconds."""
    lifetimes = {"VECHE_NATIVE_ACCESS_SECONDS": "3", "VECHE_NATIVE_REFRESH_SECONDS": "3600"}
    with VecheProcess(tmp_path, SETTINGS | lifetimes) as server:
        yield Person.new(server.base, "short")


@pytest.fixture
def ann(shared: VecheProcess) -> Person:
    return Person.new(shared.base, "ann")


@pytest.fixture
def bob(shared: VecheProcess) -> Person:
    return Person.new(shared.base, "bob")
