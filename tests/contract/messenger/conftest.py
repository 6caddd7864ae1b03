"""One server for all tests of the dialect, and people."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from .harness import LiveServer, Person

NewPerson = Callable[..., Person]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("messenger"), {"DIALECTS": "native,messenger"}) as served:
        yield served


@pytest.fixture
def new_person(server: LiveServer) -> Iterator[NewPerson]:
    """Return a function that signs a new person in: `ann = new_person("ann")`."""
    people: list[Person] = []

    def person(name: str = "eve") -> Person:
        people.append(Person.new(server, name))
        return people[-1]

    yield person
    for somebody in people:
        somebody.close()


@pytest.fixture(scope="session")
def shared_people(server: LiveServer) -> Iterator[list[Person]]:
    """Two people for all tests: signing up is slow, because hashing a password is."""
    people = [Person.new(server, name) for name in ("ann", "bob")]
    yield people
    for somebody in people:
        somebody.close()


@pytest.fixture
def ann(shared_people: list[Person]) -> Iterator[Person]:
    yield shared_people[0]
    shared_people[0].close_sockets()


@pytest.fixture
def bob(shared_people: list[Person]) -> Iterator[Person]:
    yield shared_people[1]
    shared_people[1].close_sockets()


@pytest.fixture
def chat_id(ann: Person, bob: Person) -> int:
    """Return the id of a group of ann and bob, made by ann."""
    return ann.make_chat(bob)


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """A client without a token."""
    with server.http() as client:
        yield client
