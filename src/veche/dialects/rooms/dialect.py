"""Declares the rooms dialect, and mounts its routes and sockets."""

from veche.dialects.rooms import encode, rest
from veche.dialects.rooms.errors import plain, problem
from veche.dialects.rooms.legacy import LEGACY
from veche.dialects.rooms.options import Options
from veche.dialects.rooms.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Build the routes and the socket.

    On the shared path /register, this dialect gets requests whose body has a username and an e-mail. The case of the
    keys is ignored.
    """
    return Mounted(
        "rooms",
        routers=(rest.router,),
        sockets={"/ws": Accept(parts.chat, parts.accounts, options)},
        claims={"/register": lambda keys: {"username", "email"} <= {key.casefold() for key in keys}},
        plain=plain,
        problem=problem,
        bodies=(encode.Profile, encode.SignedIn, encode.Done, encode.CreatedRoom),
        owns=("/profile", "/change-name", "/create-room", "/join", "/invite"),
        about="Numbered rooms, a bare token in `Authorization`, and a WebSocket at `/ws?token=` in one room at a time.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("rooms", Options, mount, LEGACY)
