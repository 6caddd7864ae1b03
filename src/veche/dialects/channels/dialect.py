"""Declares the channels dialect, and mounts its routes and sockets."""

from functools import partial

from veche.dialects.channels import encode
from veche.dialects.channels.echo import Echo
from veche.dialects.channels.errors import Taken, problem
from veche.dialects.channels.legacy import LEGACY
from veche.dialects.channels.links import ECHO_PATH, PUBLIC_PATH, Links
from veche.dialects.channels.options import Options
from veche.dialects.channels.public import Public
from veche.dialects.channels.rest import routers_of
from veche.dialects.channels.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside
from veche.gateway.refusals import Refused


def mount(parts: Parts, options: Options) -> Mounted:
    """Build the routes and sockets.

    On the shared paths /register and /login, this dialect gets requests whose body has a username and no e-mail.
    """
    links = Links(parts.accounts, options)
    echo = partial(Echo.open, parts.chat, parts.node_id, options.upstream)
    public = partial(Public.open, parts.lobby_seq)
    return Mounted(
        "channels",
        routers=routers_of(links),
        sockets={
            f"{ECHO_PATH}/*": Accept(parts.chat, links, ECHO_PATH, echo),
            f"{PUBLIC_PATH}/*": Accept(parts.chat, links, PUBLIC_PATH, public),
        },
        claims={
            "/register": lambda keys: "username" in keys and "email" not in keys,
            "/login": lambda keys: "username" in keys and "email" not in keys,
        },
        problem=problem,
        error_bodies=(Refused, Taken),
        bodies=(encode.Record, encode.SignedIn, encode.Link),
        about="An echo with a history and a public channel, on WebSockets whose links these calls give.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("channels", Options, mount, LEGACY)
