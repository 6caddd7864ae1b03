"""`Dialect` is a dialect (one wire contract) as its folder declares it. `Mounted` is a dialect in a running server."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from fastapi import APIRouter
from starlette.types import ASGIApp

from veche.core.errors import ChatError
from veche.gateway.examples import Example
from veche.gateway.http import RawResponse
from veche.gateway.legacy import NO_LEGACY, Legacy
from veche.gateway.options import DialectOptions
from veche.gateway.quick import QuickRoute
from veche.gateway.refusals import Refused
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.service.guests import Guests
from veche.wire.engineio.neighbours import Neighbours
from veche.wire.handler import Accept
from veche.wire.held import Holding
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted

OptionsT = TypeVar("OptionsT", bound=DialectOptions)


class Parts(NamedTuple):
    """The parts of the server that a dialect uses."""

    chat: Chat
    accounts: Accounts
    guests: Guests
    node_id: str  # of this process, among all that serve the database
    lobby_seq: int  # the head of the lobby when the first node started
    origins: Origins  # the origins of web pages that may connect
    trusted: Trusted  # the proxies whose X-Forwarded-For header is used
    neighbours: Neighbours | None  # the other workers of this machine
    ping_seconds: float  # seconds between two pings, for a dialect that sends its own


def detail(status: int, sentence: str) -> RawResponse:
    """Make an error response in FastAPI's format: `{"detail": "..."}`."""
    return status, msgspec.json.encode({"detail": sentence}), {"Content-Type": "application/json"}


def _no_problem(refusal: ChatError) -> RawResponse:
    """Make the response to a refusal in FastAPI's format: the default of `Mounted.problem`."""
    return detail(400, refusal.message)


def _nothing(part: float) -> None:
    """Do nothing: the default of `Mounted.drain`."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A dialect in a running server.

    The server serves each dialect at the root, and again below `/{name}`, where no other dialect has paths.

    `sockets`: WebSocket paths. A last segment `*` matches any one segment.
    `applications`: ASGI applications by path prefix.
    `claims`: for each path that several dialects share, a function that takes the field names of the JSON body of a
    POST and returns whether this dialect answers it.
    `plain`: makes the response to an error that no route handles, from the status and an English sentence. If several
    dialects are served, it is used only for `/{name}`, the paths in `owns`, and all paths below them.
    `quick`: routes that answer usual requests without FastAPI. Each has a route in `routers` that answers the others.
    `streamed`: paths of routes that take a body part by part, so that it may be larger than others.
    `drain`: called when the server stops, to end connections that are neither requests nor WebSockets. It ends
    this part of those that are left, 1 for all, and lets no new ones in.
    `connections`: these connections. The bytes that wait for their clients are counted.
    `forwarded`: answers what other workers pass on to this one.
    `pages`: pages of the documentation, by path: what makes the body, and its media type. They are served at the root.
    `about`, `examples`, `problem`, `error_bodies`, `bodies`: for the OpenAPI document. `problem` makes the response to
    a refusal, and `error_bodies` has the types of its body if that is JSON. `bodies` has the types of other responses.
    """

    name: str
    routers: tuple[APIRouter, ...] = ()
    sockets: Mapping[str, Accept] = field(default_factory=dict)
    applications: Mapping[str, ASGIApp] = field(default_factory=dict)
    claims: Mapping[str, Callable[[frozenset[str]], bool]] = field(default_factory=dict)
    plain: Callable[[int, str], RawResponse] = detail
    problem: Callable[[ChatError], RawResponse] = _no_problem
    error_bodies: tuple[type, ...] = (Refused,)
    bodies: tuple[type, ...] = ()
    owns: tuple[str, ...] = ()
    quick: tuple[QuickRoute, ...] = ()
    streamed: tuple[str, ...] = ()
    drain: Callable[[float], None] = _nothing
    connections: Iterable[Holding] = ()
    forwarded: ASGIApp | None = None
    pages: Mapping[str, tuple[Callable[[], bytes], str]] = field(default_factory=dict)
    about: str = ""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect(Generic[OptionsT]):
    """A dialect as `dialects/<name>/dialect.py` declares it; `app.DIALECTS` lists them all.

    `options`: the class of its settings.
    `mount`: makes the `Mounted` of a running server.
    `legacy`: the settings of its original server.
    """

    name: str
    options: type[OptionsT]
    mount: Callable[[Parts, OptionsT], Mounted]
    legacy: Legacy = NO_LEGACY


AnyDialect = Dialect[Any]
"""A dialect with options of any type, for collections of dialects."""
