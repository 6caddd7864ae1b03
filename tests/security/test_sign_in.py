"""Attacks on registering and signing in, against a running server."""

from __future__ import annotations

import contextlib
import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from laws.town import PASSWORD, Person, Server, serving

from veche.app import DIALECTS

from .witness import WitnessedServer


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Door(NamedTuple):
    """One path of a dialect at which people register, and its answer to somebody who does so too often."""

    dialect: str
    path: str
    fields: str  # of the body, with {} for a new name
    created: int
    words: bytes


PASSWORDS = {"dispatch": "horse-1", "channels": "Correct1horse"}
RU = '{"detail":"Слишком много попыток. Попробуйте позже."}'.encode()
DOORS = [
    Door("native", "/v1/register", "username={}", 201, b'"code":"rate_limited"'),
    Door("native", "/native/v1/register", "username={}", 201, b'"code":"rate_limited"'),
    Door("dispatch", "/signup", "username={}", 200, b"Too many tries"),
    Door("dispatch", "/dispatch/signup", "username={}", 200, b"Too many tries"),
    Door("rooms", "/register", "username={} email={}@example.com", 201, b"too many requests\n"),
    Door("rooms", "/rooms/register", "username={} email={}@example.com", 201, b"too many requests\n"),
    Door("socketio", "/api/auth/register", "username={}", 201, b'{"error":"Too many attempts"}'),
    Door("socketio", "/socketio/api/auth/register", "username={}", 201, b'{"error":"Too many attempts"}'),
    Door("channels", "/register", "username={}", 201, RU),
    Door("channels", "/api/v1/register", "username={}", 201, RU),
    Door("channels", "/channels/register", "username={}", 201, RU),
    Door("messenger", "/register", "email={}@example.com", 201, RU),
    Door("messenger", "/messenger/register", "email={}@example.com", 201, RU),
]
DIALECT_NAMES = [dialect.name for dialect in DIALECTS]
_numbers = iter(range(10_000))


def call(
    at: Server | int, method: str, path: str, body: object, *, address: str = "127.0.0.1", **headers: str
) -> Answer:
    """Send a JSON request to a server, or to a port, from one of the addresses of this machine."""
    began = time.monotonic()
    port = at if isinstance(at, int) else at.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(address, 0))
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json", **headers})
        found = connection.getresponse()
        return Answer(found.status, dict(found.getheaders()), found.read(), time.monotonic() - began)


def register(server: Server, door: Door, address: str, **headers: str) -> Answer:
    fields = door.fields.replace("{}", f"ann{next(_numbers)}")
    body = dict(field.split("=") for field in fields.split()) | {"password": PASSWORDS.get(door.dialect, PASSWORD)}
    return call(server, "POST", door.path, body, address=address, **headers)


def assert_counted_together(server: Server, statuses: list[int]) -> None:
    """Check many registrations in a row that count together, on a server where an address may register twice.

    A node hears a moment later what another one has counted, so with two nodes it may register twice at each.
    """
    accepted = [status for status in statuses if status != 429]
    assert 2 <= len(accepted) <= 2 * len(server.nodes)
    assert 429 not in statuses[:2]
    assert set(statuses[len(statuses) // 2 :]) == {429}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which an address may register twice."""
    folder = tmp_path_factory.mktemp("strict")
    settings = {"REGISTRATIONS_AT_ONCE": "2", "REGISTRATIONS_PER_MINUTE": "1", "TRUSTED_PROXIES": "127.9.9.9"}
    with serving(folder, **{f"VECHE_{name}": value for name, value in settings.items()}) as server:
        yield server


def test_every_dialect_has_its_doors_in_the_list() -> None:
    assert {door.dialect for door in DOORS} == set(DIALECT_NAMES)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.dialect} {door.path}")
def test_every_door_limits_the_registrations_of_an_address_in_its_own_words(strict: Server, door: Door) -> None:
    address = f"127.0.1.{DOORS.index(door) + 1}"
    answers = [register(strict, door, address) for _ in range(8)]
    assert {answer.status for answer in answers} == {door.created, 429}
    assert_counted_together(strict, [answer.status for answer in answers])
    refused = answers[-1]
    assert door.words in refused.body, refused
    at_once = 2 * len(strict.nodes)  # each node may have taken so many before it heard of the others
    assert 1 <= int(refused.headers["retry-after"]) <= 60 * (at_once - 1)


def test_all_doors_count_together(strict: Server) -> None:
    """Whoever is refused at one door is refused at the others too."""
    assert_counted_together(strict, [register(strict, door, "127.0.2.1").status for door in DOORS])


@pytest.mark.parametrize(
    ("addresses", "counted_as_one"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"], True),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"], False),
        (["198.51.100.1, 203.0.113.1", "198.51.100.2, 203.0.113.1", "203.0.113.1"], True),
        (["203.0.113.7", "203.0.113.8", "203.0.113.9"], False),
    ],
    ids=["one /64", "several /64", "an address that the client made up", "several addresses"],
)
def test_what_a_trusted_proxy_says_is_counted(strict: Server, addresses: list[str], counted_as_one: bool) -> None:
    tried = addresses * 4 if counted_as_one else addresses
    answers = [register(strict, DOORS[0], "127.9.9.9", **{"X-Forwarded-For": address}).status for address in tried]
    if counted_as_one:
        assert_counted_together(strict, answers)
    else:
        assert answers == [201] * len(addresses)


def test_what_others_say_of_their_address_is_not_counted(strict: Server) -> None:
    said = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(8)]
    assert_counted_together(strict, [register(strict, DOORS[0], "127.0.2.2", **of).status for of in said])


class Flood:
    """120 threads that register without end, from one address or from many, until the block ends."""

    def __init__(self, port: int, addresses: list[str]) -> None:
        self.port, self.addresses = port, addresses
        self.statuses: list[int] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(120)]

    def _run(self, number: int) -> None:
        address = self.addresses[number % len(self.addresses)]
        body = {"username": f"f{number}", "password": PASSWORD}  # taken at the second time, and hashed all the same
        while not self._ended.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.statuses.append(call(self.port, "POST", "/v1/register", body, address=address).status)

    def __enter__(self) -> Flood:
        for thread in self._threads:
            thread.start()
        self.wait_for_answers(1)
        return self

    def wait_for_answers(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while len(self.statuses) < count and time.monotonic() < deadline:
            self._threads[0].join(0.01)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("sources", [1, 100], ids=["one address", "many addresses"])
def test_people_sign_in_while_others_register_without_end(tmp_path: Path, sources: int) -> None:
    with serving(tmp_path) as server:
        people = [server.person() for _ in range(12)]
        with Flood(server.port, [f"127.0.3.{number + 1}" for number in range(sources)]) as flood:
            answers = [sign_in(server, person) for person in people]
        assert [answer.status for answer in answers] == [200] * 12, (answers, flood.statuses)
        assert set(flood.statuses) <= {201, 409, 429, 503}
        worst = max(answer.seconds for answer in answers)
        print(
            f"{sources} addresses: worst sign-in {worst:.2f} s, median "
            f"{statistics.median(answer.seconds for answer in answers):.2f} s; {len(flood.statuses)} registrations"
        )


def test_those_who_register_without_end_hold_the_loop_for_nobody(tmp_path: Path) -> None:
    addresses = [f"127.0.3.{number + 1}" for number in range(100)]
    with (
        WitnessedServer(tmp_path) as server,
        server.watch() as seen,
        Flood(server.address[1], addresses) as flood,
    ):
        flood.wait_for_answers(500)
    seen.check()


def test_people_sign_in_at_once_while_others_register_without_end(tmp_path: Path) -> None:
    """Six at the same time, from one address, as behind the router of a company."""
    with serving(tmp_path) as server:
        people = [server.person() for _ in range(6)]
        answers: list[Answer] = []
        with Flood(server.port, [f"127.0.3.{number + 1}" for number in range(100)]):
            threads = [
                threading.Thread(target=lambda person=person: answers.append(sign_in(server, person)))
                for person in people
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert [answer.status for answer in answers] == [200] * 6


def sign_in(server: Server, person: Person, password: str = PASSWORD, **more: Any) -> Answer:
    return call(server, "POST", "/v1/login", {"username": person.name, "password": password}, **more)


def test_a_crowd_that_signs_in_gets_an_answer_soon_and_sockets_do_not_wait(tmp_path: Path) -> None:
    """200 sign-ins at once: each is answered within the bound of the queue, and `/healthz` answers at once."""
    with serving(tmp_path) as server:
        person, answers, pings = server.person(), list[Answer](), list[float]()
        threads = [
            threading.Thread(
                target=lambda number=number: answers.append(sign_in(server, person, address=f"127.0.4.{number + 1}"))
            )
            for number in range(200)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert server.http.get("/healthz").status_code == 200
            pings.append(time.monotonic() - began)
        for thread in threads:
            thread.join()
        assert {answer.status for answer in answers} == {200, 503}
        refused = [answer for answer in answers if answer.status == 503]
        assert {answer.headers["retry-after"] for answer in refused} == {"2"}
        assert statistics.median(pings) < 0.1


# Who has an account is not told.

LOGINS = {
    "native": ("POST", "/v1/login"),
    "dispatch": ("POST", "/signin"),
    "socketio": ("POST", "/api/auth/login"),
    "channels": ("POST", "/api/v1/login"),
}
"""The dialects that answer alike to an unknown user and to a wrong password. The contracts of the others tell which."""
TELLING = {"rooms", "messenger"}


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that does not delay tries, so that their times can be compared."""
    with serving(tmp_path_factory.mktemp("lenient"), VECHE_WRONG_LOGINS_PER_MINUTE="100000") as server:
        yield server


def test_the_dialects_that_tell_are_those_whose_contracts_do() -> None:
    assert set(LOGINS) | TELLING == set(DIALECT_NAMES)


@pytest.mark.parametrize("dialect", LOGINS)
def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(lenient: Server, dialect: str) -> None:
    method, path = LOGINS[dialect]
    door = next(door for door in DOORS if door.dialect == dialect)
    known = f"bob{next(_numbers)}"
    made = call(lenient, "POST", door.path, {"username": known, "password": PASSWORDS.get(dialect, PASSWORD)})
    assert made.status == door.created
    answers = [
        call(lenient, method, path, {"username": name, "password": "Another1"[: 8 if dialect == "dispatch" else None]})
        for name in (known, "nobody")
    ]
    known_answer, unknown_answer = [
        (answer.status, answer.body, {k: v for k, v in answer.headers.items() if k != "date"}) for answer in answers
    ]
    assert known_answer == unknown_answer
    assert known_answer[0] == 401


def test_an_unknown_user_and_a_wrong_password_take_the_same_time(lenient: Server) -> None:
    """Without the hash for unknown users, the answer for them comes some fifty milliseconds earlier.

    Each pair is measured together, because the machine may be busy. Each try is for another name, as tries for one
    name are delayed.
    """
    people = [lenient.person() for _ in range(40)]
    ratios = []
    for person in people:
        known = call(lenient, "POST", "/v1/login", {"username": person.name, "password": "wrong horse"})
        unknown = call(lenient, "POST", "/v1/login", {"username": f"no.{person.name}", "password": "wrong horse"})
        assert (known.status, unknown.status) == (401, 401)
        ratios.append(known.seconds / unknown.seconds)
    assert 0.75 < statistics.median(ratios) < 1.33


# Guessing.


def test_wrong_passwords_of_an_address_are_limited_whatever_it_says_of_itself(tmp_path: Path) -> None:
    with serving(tmp_path, VECHE_WRONG_LOGINS_PER_MINUTE="5") as server:
        people = [server.person() for _ in range(7)]
        statuses = [
            sign_in(server, person, "wrong horse", **{"X-Forwarded-For": f"192.0.2.{number}"}).status
            for number, person in enumerate(people)
        ]
        counted = statuses.count(401)
        assert statuses[:5] == [401] * 5
        assert statuses.count(429) == 7 - counted
        assert 5 <= counted <= 4 + len(server.nodes), "a node hears a moment later of what another one has counted"
        assert sign_in(server, people[0]).status == 429
        assert sign_in(server, people[0], address="127.0.5.1").status == 200


def test_an_account_that_is_guessed_from_many_addresses_is_slower_but_not_locked(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        person = server.person()
        tries = [sign_in(server, person, "wrong horse", address=f"127.0.6.{number + 1}") for number in range(9)]
        assert [answer.status for answer in tries] == [401] * 9
        assert tries[-1].seconds > 0.3  # a few tries are forgotten meanwhile if the machine is slow
        assert sign_in(server, person, address="127.0.7.1").status == 200
