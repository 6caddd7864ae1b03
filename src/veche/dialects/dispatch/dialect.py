"""The dispatch contract as it is mounted."""

from veche.dialects.dispatch import rest
from veche.dialects.dispatch.errors import plain
from veche.dialects.dispatch.socket import Accept
from veche.gateway.dialect import Dialect, Parts
from veche.gateway.examples import examples_beside


def dialect(parts: Parts) -> Dialect:
    """Open it; it shares no path."""
    return Dialect(
        "dispatch",
        routers=(rest.router,),
        sockets={"/connect": Accept(parts.chat, parts.accounts)},
        plain=plain,
        owns=("/signup", "/signin", "/connect"),
        about="One room for everybody, from a terminal: bare words, and raw text on the WebSocket `/connect`.",
        examples=examples_beside(__file__),
    )
