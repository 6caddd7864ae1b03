"""Declares the messenger dialect, and mounts its routes and sockets."""

from veche.dialects.messenger import encode, rest
from veche.dialects.messenger.errors import problem
from veche.dialects.messenger.legacy import LEGACY
from veche.dialects.messenger.options import Options
from veche.dialects.messenger.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Build the routes and sockets.

    On the shared path /login, this dialect gets requests whose body has an e-mail. On /register, it gets those whose
    body has an e-mail and no username.
    """
    return Mounted(
        "messenger",
        routers=(rest.router,),
        sockets={"/ws/*": Accept(parts.chat, parts.accounts)},
        claims={
            "/register": lambda keys: "email" in keys and "username" not in keys,
            "/login": lambda keys: "email" in keys,
        },
        problem=problem,
        bodies=(encode.Profile, encode.SignedIn, encode.Chat, encode.StoredMessage, encode.Page, encode.Health),
        about="Private and group chats, each with a WebSocket at `/ws/{chat_id}?token=`.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("messenger", Options, mount, LEGACY)
