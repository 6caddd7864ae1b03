"""One running server for all tests of the contract, and people who come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from .harness import Person, Served

Meet = Callable[..., Person]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("messenger"), {"DIALECTS": "native,messenger"}) as served:
        yield served


@pytest.fixture
def meet(server: Served) -> Iterator[Meet]:
    """Makes people who have signed in: `ann = meet("ann")`."""
    people: list[Person] = []

    def person(name: str = "eve") -> Person:
        people.append(Person.new(server, name))
        return people[-1]

    yield person
    for somebody in people:
        somebody.leave()


@pytest.fixture(scope="session")
def residents(server: Served) -> Iterator[list[Person]]:
    """People who stay from test to test, because to sign up costs time on purpose."""
    people = [Person.new(server, name) for name in ("ann", "bob")]
    yield people
    for somebody in people:
        somebody.leave()


@pytest.fixture
def ann(residents: list[Person]) -> Iterator[Person]:
    yield residents[0]
    residents[0].hang_up()


@pytest.fixture
def bob(residents: list[Person]) -> Iterator[Person]:
    yield residents[1]
    residents[1].hang_up()


@pytest.fixture
def chat_id(ann: Person, bob: Person) -> int:
    """A group of ann and bob, made by ann."""
    return ann.make_chat(bob)


@pytest.fixture
def http(server: Served) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with server.http() as client:
        yield client
