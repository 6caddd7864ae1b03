"""The rooms dialect: what it declares, and what it serves."""

from veche.dialects.rooms import rest
from veche.dialects.rooms.errors import plain
from veche.dialects.rooms.legacy import LEGACY
from veche.dialects.rooms.options import Options
from veche.dialects.rooms.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Make what it serves. A body with a username and an e-mail is for it, in whatever case its keys are."""
    return Mounted(
        "rooms",
        routers=(rest.router,),
        sockets={"/ws": Accept(parts.chat, parts.accounts, options)},
        claims={"/register": lambda keys: {"username", "email"} <= {key.casefold() for key in keys}},
        plain=plain,
        owns=("/profile", "/change-name", "/create-room", "/join", "/invite"),
        about="Rooms by number, a bare token in `Authorization`, a WebSocket at `/ws?token=` in one room at a time.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("rooms", Options, mount, LEGACY)
