"""Who is measured: each peer opens a fresh server and says how the load client speaks to it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bench.build import program
from bench.checkout import THIS, Checkout
from bench.server import Server, free_port, running


class Rooms(Enum):
    """How the people of a crowd are spread over rooms."""

    ONE = "one room that all are in"
    EACH = "a room for each alone"
    SOME = "a few rooms each, shared with others"


@dataclass(frozen=True)
class Crowd:
    """Who connects: so many sockets, shared evenly among the accounts."""

    sockets: int
    accounts: int = 1
    rooms: Rooms = Rooms.ONE


@dataclass(frozen=True)
class Endpoint:
    """How to speak to one running server. `first` and `rooms` have one entry a socket, or none.

    `message` is what is sent, and `delivery` how it arrives, where that is not as in the native contract.
    """

    server: Server
    path: str
    ack: str
    room: int = 1
    ready: str | None = None
    first: tuple[str, ...] = ()
    rooms: tuple[int, ...] = ()
    message: str | None = None
    delivery: str | None = None


@dataclass(frozen=True)
class Site:
    """Where servers of this run may write, which Veche they are, and where the naive app finds other libraries."""

    folder: Path
    naive_path: str = ""
    checkout: Checkout = THIS


Peer = Callable[[Site, Crowd], AbstractContextManager[Endpoint]]

OWN_MESSAGE = '"client_message_id":"c-%n-'  # a peer without acknowledgements: the sender's own message coming back


@contextmanager
def naive(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """bench/naive.py as its author would run it: uvicorn with its defaults. All are in one room."""
    port = free_port()
    path = os.pathsep.join(filter(None, [site.naive_path, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "uvicorn", "bench.naive:app", "--port", str(port)]
    with running(command, port, site.folder / "naive.log", {"PYTHONPATH": path}) as server:
        yield Endpoint(server, "/ws/1", OWN_MESSAGE)


@contextmanager
def limit(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """bench/limit.c: one send(2) a message and member, and nothing else. All are in one room."""
    port = free_port()
    with running([str(program("limit")), str(port)], port, site.folder / "limit.log") as server:
        yield Endpoint(server, "/", OWN_MESSAGE)
