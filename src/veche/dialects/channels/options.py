"""What an operator may choose about the channels contract."""

from typing import NamedTuple


class Target(NamedTuple):
    """The WebSocket that answers in the echo's place; `greets`: its first message is no answer."""

    url: str
    greets: bool


class Options(NamedTuple):
    """`host`: what links name instead of the request's own host and port, where it is not empty."""

    open_links: bool
    host: str
    upstream: Target | None  # None: we are the echo
