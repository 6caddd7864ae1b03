"""The messenger contract as it is mounted."""

from veche.dialects.messenger import rest
from veche.dialects.messenger.socket import Accept
from veche.gateway.dialect import Dialect, Parts
from veche.gateway.examples import examples_beside


def dialect(parts: Parts) -> Dialect:
    """Open it. A body with an e-mail and no username is for it."""
    return Dialect(
        "messenger",
        routers=(rest.router,),
        sockets={"/ws/*": Accept(parts.chat, parts.accounts)},
        claims={
            "/register": lambda keys: "email" in keys and "username" not in keys,
            "/login": lambda keys: "email" in keys,
        },
        about="Private and group chats, each with a WebSocket at `/ws/{chat_id}?token=`.",
        examples=examples_beside(__file__),
    )
