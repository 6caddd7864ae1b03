"""Veche as a peer: a folder with its people and rooms is made once through REST, and copied for each fresh server."""

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
PASSWORD = "correct horse battery"
SHARED_ROOMS, ROOMS_EACH = 20, 5
TRIES = 60


@dataclass(frozen=True)
class Prepared:
    """A stopped server's folder, the people's tokens and the rooms in it."""

    folder: Path
    tokens: tuple[str, ...]
    rooms: tuple[int, ...]


@contextmanager
def veche(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """A fresh server with the crowd's accounts and rooms in it, on a copy of a folder that is made once a run."""
    prepared = prepare(site, crowd)
    sockets_each = crowd.sockets // crowd.accounts
    first = [hello(token) for token in prepared.tokens for _ in range(sockets_each)]
    rooms = prepared.rooms if crowd.rooms is Rooms.EACH else ()
    with fresh(site, prepared) as server:
        yield Endpoint(server, "/v1/socket", ACK, prepared.rooms[0], CAUGHT_UP, tuple(first), rooms)


@contextmanager
def fresh(site: Site, prepared: Prepared) -> Iterator[Server]:
    """A server on a copy of a prepared folder."""
    folder = Path(mkdtemp(dir=site.folder, prefix="veche-"))
    shutil.copytree(prepared.folder, folder, dirs_exist_ok=True)
    try:
        with serve(site, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def serve(site: Site, folder: Path, *, wait: bool = True) -> AbstractContextManager[Server]:
    """Run the site's `veche serve` on the database of a folder."""
    port = free_port()
    program = str(site.checkout.veche)
    command = [program, "serve", "--port", str(port), "--database-url", f"sqlite:///{folder}/veche.db"]
    return running(command, port, folder / "veche.log", wait=wait)


@cache
def prepare(site: Site, crowd: Crowd) -> Prepared:
    """Register the accounts and make the rooms, on a server of its own that is stopped again."""
    folder = Path(mkdtemp(dir=site.folder, prefix="prepared-"))
    with serve(site, folder) as server:
        people = [register(server, f"member{number:03}") for number in range(1, crowd.accounts + 1)]
        rooms = make_rooms(server, crowd, people)
    return Prepared(folder, tuple(str(person["token"]) for person in people), tuple(rooms))


def make_rooms(server: Server, crowd: Crowd, people: list[dict[str, Any]]) -> list[int]:
    """The ids of the crowd's rooms; with EACH, one for each account in turn."""
    if crowd.rooms is Rooms.EACH:
        groups = [[person] for person in people]
    elif crowd.rooms is Rooms.ONE:
        groups = [people]
    else:
        groups = [people_of(room, people) for room in range(SHARED_ROOMS)]
    return [make_room(server, f"room {j}", group) for j, group in enumerate(groups) if group]


def people_of(room: int, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those in one of the shared rooms: each person is in the rooms of the same number and the next four."""
    return [person for i, person in enumerate(people) if (room - i) % SHARED_ROOMS < ROOMS_EACH]


def register(server: Server, username: str) -> dict[str, Any]:
    return post(server, "/v1/register", {"username": username, "password": PASSWORD})


def make_room(server: Server, name: str, people: list[dict[str, Any]]) -> int:
    """A group of these people, owned by the first."""
    body = {"kind": "group", "name": name, "member_ids": [person["me"]["id"] for person in people[1:]]}
    return int(post(server, "/v1/rooms", body, people[0]["token"])["id"])


def hello(token: str) -> str:
    return json.dumps({"id": 0, "hello": {"token": token}}, separators=(",", ":"))


def post(server: Server, path: str, body: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    """POST and the JSON of the answer; waits where the server says so."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    for _ in range(TRIES):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.TOO_MANY_REQUESTS:
            break
        time.sleep(min(float(answer.headers.get("Retry-After") or 1), 10))
    if answer.status not in (http.client.OK, http.client.CREATED):
        raise BenchError(f"POST {path} was answered by {answer.status}: {text.decode(errors='replace')[:300]}")
    result: dict[str, Any] = json.loads(text)
    return result
