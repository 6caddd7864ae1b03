"""The servers that are measured. Each peer starts a fresh server and says how the load client talks to it."""

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
    """How the accounts of a crowd are spread over rooms."""

    ONE = "one room with all accounts"
    EACH = "one room for each account, with no other member"
    SOME = "a few rooms for each account, shared with others"


@dataclass(frozen=True)
class Crowd:
    """The clients of a measurement. The sockets are shared evenly among the accounts."""

    sockets: int
    accounts: int = 1
    rooms: Rooms = Rooms.ONE


@dataclass(frozen=True)
class Endpoint:
    """How the load client talks to a running server. The fields are options of load.c (bench/README.md).

    `first` and `rooms` have one entry for each socket, or none. `message` and `delivery` are None if they are as in the
    native dialect. `stamp` is how the text of a message begins in a frame, up to its time. With `joined`, one frame may
    hold several deliveries.
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
    stamp: str | None = None
    subprotocol: str | None = None
    joined: bool = False


@dataclass(frozen=True)
class Site:
    """A folder for the files of this run, the checkout of Veche, and a folder with libraries for the naive app."""

    folder: Path
    naive_path: str = ""
    checkout: Checkout = THIS


Peer = Callable[[Site, Crowd], AbstractContextManager[Endpoint]]

OWN_MESSAGE = '"client_message_id":"c-%n-'  # peers without acknowledgements: the sender receives its own message


@contextmanager
def naive(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run bench/naive.py with uvicorn and its defaults. All clients are in one room."""
    port = free_port()
    path = os.pathsep.join(filter(None, [site.naive_path, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "uvicorn", "bench.naive:app", "--port", str(port)]
    with running(command, port, site.folder / "naive.log", {"PYTHONPATH": path}) as server:
        yield Endpoint(server, "/ws/1", OWN_MESSAGE)


@contextmanager
def limit(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run bench/limit.c: one send(2) for each message and member, and nothing else. All clients are in one room."""
    port = free_port()
    with running([str(program("limit")), str(port)], port, site.folder / "limit.log") as server:
        yield Endpoint(server, "/", OWN_MESSAGE)
