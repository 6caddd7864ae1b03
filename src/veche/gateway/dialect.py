"""A dialect (one wire contract) as its folder declares it, and as a running server mounts it."""

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
    """The parts of the server that a dialect uses."""

    chat: Chat
    accounts: Accounts
    lobby_seq: int  # the head of the lobby when the server started
    origins: frozenset[str] | None  # origins of web pages that may connect; None: all
    trusted: Trusted  # the proxies whose X-Forwarded-For is believed


def detail(status: int, sentence: str) -> RawResponse:
    """Make an error response in FastAPI's format: `{"detail": "..."}`."""
    return status, msgspec.json.encode({"detail": sentence}), {"Content-Type": "application/json"}


def _nothing() -> None:
    """Do nothing: the default of `Mounted.drain`."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A dialect in a running server.

    The server serves each dialect at the root, and again below `/{name}`, where no other dialect has paths.

    `sockets`: WebSocket paths. A last segment `*` matches any one segment.
    `applications`: ASGI applications by path prefix.
    `claims`: for each path that several dialects share, a function that takes the field names of the JSON body of a
    POST and returns whether this dialect answers it.
    `plain`: makes the response to an unknown path, a wrong method or a body that is too large, from the status and an
    English sentence. With several dialects it is used only for `/{name}`, the paths in `owns`, and all paths below.
    `drain`: called when the server stops. It ends what is neither a request nor a WebSocket.
    `about`, `examples`: for the OpenAPI document.
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

    `options`: the model of its settings, with the default lifetime of its tokens.
    `legacy`: the settings that its original server read.
    `mount`: builds what a running server serves.
    """

    name: str
    options: type[OptionsT]
    mount: Callable[[Parts, OptionsT], Mounted]
    legacy: Legacy = NO_LEGACY


AnyDialect = Dialect[Any]
"""A dialect with options of any type, for collections of dialects."""
