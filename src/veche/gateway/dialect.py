"""A dialect: one wire contract, as its folder declares it and as it is mounted in a running server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from fastapi import APIRouter
from starlette.types import ASGIApp

from veche.gateway.examples import Example
from veche.gateway.http import RawResponse
from veche.gateway.legacy import NO_LEGACY, Legacy
from veche.gateway.options import DialectOptions
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.wire.handler import Accept
from veche.wire.proxy import Trusted

OptionsT = TypeVar("OptionsT", bound=DialectOptions)


class Parts(NamedTuple):
    """What a dialect is built on."""

    chat: Chat
    accounts: Accounts
    lobby_seq: int  # the head of the lobby when the server started
    origins: frozenset[str] | None  # the pages that may connect; None: all
    trusted: Trusted  # the proxies whose word counts


def detail(status: int, sentence: str) -> RawResponse:
    """Say what no route says in the form of FastAPI: `{"detail": …}`."""
    return status, msgspec.json.encode({"detail": sentence}), {"Content-Type": "application/json"}


def _nothing() -> None:
    """There is nothing to drain."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A dialect in a running server.

    What it serves at the root it also serves below `/{name}`, where nothing is shared.
    `sockets` has WebSocket paths; a last segment `*` stands for any one. `applications` has ASGI applications by how
    their paths begin. `claims` says by the keys of a JSON object whether a POST to a path that several dialects share
    is for this one. `plain` makes the answer for an unknown path, a wrong method, or a body that is too large, from the
    status and an English sentence; for the paths in `owns`, and below them, it is used beside other dialects too.
    `drain` is called when the server stops, for what is neither a request nor a WebSocket. `about` and `examples` are
    for the OpenAPI document.
    """

    name: str
    routers: tuple[APIRouter, ...] = ()
    sockets: Mapping[str, Accept] = field(default_factory=dict)
    applications: Mapping[str, ASGIApp] = field(default_factory=dict)
    claims: Mapping[str, Callable[[frozenset[str]], bool]] = field(default_factory=dict)
    plain: Callable[[int, str], RawResponse] = detail
    owns: tuple[str, ...] = ()
    drain: Callable[[], None] = _nothing
    about: str = ""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect(Generic[OptionsT]):
    """A dialect as `dialects/<name>/dialect.py` declares it; `app.DIALECTS` lists them all.

    `options` is the model of its settings, the default lifetime of its tokens among them. `legacy` has the names that
    its original server read. `mount` makes what a running server serves.
    """

    name: str
    options: type[OptionsT]
    mount: Callable[[Parts, OptionsT], Mounted]
    legacy: Legacy = NO_LEGACY


AnyDialect = Dialect[Any]
"""A dialect among others, each with options of its own type."""
