"""The dispatch contract as it is mounted."""

from veche.dialects.dispatch import rest
from veche.dialects.dispatch.errors import plain
from veche.dialects.dispatch.socket import Accept
from veche.wire.door import Door, Parts


def door(parts: Parts) -> Door:
    """Open it; it shares no path."""
    return Door(
        "dispatch",
        routers=(rest.router,),
        sockets={"/connect": Accept(parts.chat, parts.accounts)},
        plain=plain,
        owns=("/signup", "/signin", "/connect"),
    )
