"""A server of a module's own, and people on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import RunningServer, Servers
from transcript import Head

from .people import Person


@pytest.fixture(scope="module")
def server(servers: Servers) -> Iterator[RunningServer]:
    running = servers.new(Head(own=True))
    yield running
    running.end()


def _person(server: RunningServer, name: str) -> Iterator[Person]:
    person = Person.new(server.base, name)
    yield person
    person.close()


@pytest.fixture
def ann(server: RunningServer) -> Iterator[Person]:
    yield from _person(server, "ann")


@pytest.fixture
def bob(server: RunningServer) -> Iterator[Person]:
    yield from _person(server, "bob")


@pytest.fixture
def eve(server: RunningServer) -> Iterator[Person]:
    yield from _person(server, "eve")
