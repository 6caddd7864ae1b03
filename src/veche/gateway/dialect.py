"""A dialect: one wire contract as it is mounted. `gateway.application` puts several together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from fastapi import APIRouter
from starlette.types import ASGIApp

from veche.gateway.examples import Example
from veche.gateway.http import RawResponse
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.wire.handler import Accept


class Parts(NamedTuple):
    """What a dialect is built on. `lobby_seq` is the head of the lobby when the server started."""

    chat: Chat
    accounts: Accounts
    lobby_seq: int


def detail(status: int, sentence: str) -> RawResponse:
    """Say what no route says in the form of FastAPI: `{"detail": …}`."""
    return status, msgspec.json.encode({"detail": sentence}), {"Content-Type": "application/json"}


def _nothing() -> None:
    """There is nothing to drain."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One contract. Everything it serves at the root it also serves below `/{name}`, where nothing is shared.

    `sockets` has WebSocket paths; a last segment `*` stands for any one. `mounts` has ASGI applications by how their
    paths begin. `claims` says by the keys of a JSON object whether a POST to a path that several contracts share is for
    this one. `plain` makes the answer for an unknown path, a wrong method, or a body that is too large, from the
    status and an English sentence; for the paths in `owns`, and below them, it is used beside other dialects too.
    `drain` is called when the server stops, for what is neither a request nor a WebSocket. `about` and `examples` are
    for the OpenAPI document.
    """

    name: str
    routers: tuple[APIRouter, ...] = ()
    sockets: Mapping[str, Accept] = field(default_factory=dict)
    mounts: Mapping[str, ASGIApp] = field(default_factory=dict)
    claims: Mapping[str, Callable[[frozenset[str]], bool]] = field(default_factory=dict)
    plain: Callable[[int, str], RawResponse] = detail
    owns: tuple[str, ...] = ()
    drain: Callable[[], None] = _nothing
    about: str = ""
    examples: tuple[Example, ...] = ()
