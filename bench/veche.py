"""Veche as a peer. A folder with accounts and rooms is prepared once through REST, and copied for each fresh server."""

import http.client
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from bench.errors import BenchError
from bench.peers import Crowd, Endpoint, Rooms, Site
from bench.server import Server, free_port, running

ACK = '{"id":%n,"send":'
CAUGHT_UP = '"caught_up"'
LOG = "veche.log"  # in the folder of the server
PASSWORD = "correct horse battery"
SHARED_ROOMS, ROOMS_EACH = 20, 5
TRIES = 60
FIRST_MEMBERS = 100  # a room begins with so many others at most


@dataclass(frozen=True)
class Prepared:
    """The folder of a stopped server, the tokens of its accounts, and its room ids."""

    folder: Path
    tokens: tuple[str, ...]
    rooms: tuple[int, ...]


@contextmanager
def veche(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run a fresh server with the crowd's accounts and rooms."""
    prepared = prepare(site, crowd)
    sockets_each = crowd.sockets // crowd.accounts
    first = [hello(token) for token in prepared.tokens for _ in range(sockets_each)]
    rooms = prepared.rooms if crowd.rooms is Rooms.EACH else ()
    with fresh(site, prepared) as server:
        yield Endpoint(server, "/v1/socket", ACK, prepared.rooms[0], CAUGHT_UP, tuple(first), rooms)


@contextmanager
def fresh(site: Site, prepared: Prepared) -> Iterator[Server]:
    """Run a server on a copy of a prepared folder."""
    folder = Path(mkdtemp(dir=site.folder, prefix="veche-"))
    shutil.copytree(prepared.folder, folder, dirs_exist_ok=True)
    try:
        with serve(site, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def serve(site: Site, folder: Path, *, wait: bool = True) -> AbstractContextManager[Server]:
    """Run `veche serve` of the site's checkout on the database in a folder."""
    port = free_port()
    program = str(site.checkout.veche)
    command = [program, "serve", "--port", str(port), "--database-url", f"sqlite:///{folder}/veche.db"]
    return running(command, port, folder / LOG, wait=wait)


@cache
def prepare(site: Site, crowd: Crowd) -> Prepared:
    """Register the accounts and create the rooms, on a server that is stopped again."""
    folder = Path(mkdtemp(dir=site.folder, prefix="prepared-"))
    with serve(site, folder) as server:
        people = [register(server, number) for number in range(1, crowd.accounts + 1)]
        rooms = make_rooms(server, crowd, people)
    return Prepared(folder, tuple(str(person["token"]) for person in people), tuple(rooms))


def make_rooms(server: Server, crowd: Crowd, people: list[dict[str, Any]]) -> list[int]:
    """Create the crowd's rooms and return their ids. With EACH, they are in the order of the accounts."""
    if crowd.rooms is Rooms.EACH:
        groups = [[person] for person in people]
    elif crowd.rooms is Rooms.ONE:
        groups = [people]
    else:
        groups = [people_of(room, people) for room in range(SHARED_ROOMS)]
    return [make_room(server, f"room {j}", group) for j, group in enumerate(groups) if group]


def people_of(room: int, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the members of a shared room. Account number i is in the rooms i to i + 4, modulo SHARED_ROOMS."""
    return [person for i, person in enumerate(people) if (room - i) % SHARED_ROOMS < ROOMS_EACH]


def register(server: Server, number: int) -> dict[str, Any]:
    """Register an account from an address of its own, because the registrations of one address are limited."""
    body = {"username": f"member{number:03}", "password": PASSWORD}
    return post(server, "/v1/register", body, source=f"127.1.{number // 250}.{number % 250 + 1}")


def make_room(server: Server, name: str, people: list[dict[str, Any]]) -> int:
    """Create a group room of these accounts, owned by the first one, and return its id.

    The others are invited and join. Older versions put them into the room at once: then joining changes nothing.
    """
    ids, token = [person["me"]["id"] for person in people[1:]], people[0]["token"]
    body = {"kind": "group", "name": name, "member_ids": ids[:FIRST_MEMBERS]}
    room = int(post(server, "/v1/rooms", body, token)["id"])
    for id in ids[FIRST_MEMBERS:]:
        post(server, f"/v1/rooms/{room}/members", {"account_id": id}, token)
    for person in people[1:]:
        post(server, f"/v1/rooms/{room}/join", {}, person["token"])
    return room


def hello(token: str) -> str:
    return json.dumps({"id": 0, "hello": {"token": token}}, separators=(",", ":"))


def post(
    server: Server, path: str, body: dict[str, Any], token: str | None = None, source: str = "127.0.0.1"
) -> dict[str, Any]:
    """Send a POST request from the address `source`, and return the JSON of the answer.

    Wait and try again after a 429, and after a 503 of a busy machine.
    """
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    for _ in range(TRIES):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30, source_address=(source, 0))
        try:
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status not in (http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE):
            break
        time.sleep(min(float(answer.headers.get("Retry-After") or 1), 10))
    if answer.status not in (http.client.OK, http.client.CREATED):
        raise BenchError(f"POST {path} was answered by {answer.status}: {text.decode(errors='replace')[:300]}")
    result: dict[str, Any] = json.loads(text)
    return result
