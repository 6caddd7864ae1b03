"""The messenger dialect: what it declares, and what it serves."""

from veche.dialects.messenger import rest
from veche.dialects.messenger.legacy import LEGACY
from veche.dialects.messenger.options import Options
from veche.dialects.messenger.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Make what it serves. A body with an e-mail and no username is for it."""
    return Mounted(
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


DIALECT = Dialect("messenger", Options, mount, LEGACY)
