"""Declares the dispatch dialect, and mounts its routes and sockets."""

from veche.dialects.dispatch import rest
from veche.dialects.dispatch.errors import plain, problem
from veche.dialects.dispatch.options import Options
from veche.dialects.dispatch.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Build the routes and the socket. `owns` has their paths, which no other dialect has."""
    return Mounted(
        "dispatch",
        routers=(rest.router,),
        sockets={"/connect": Accept(parts.chat, parts.accounts)},
        plain=plain,
        problem=problem,
        owns=("/signup", "/signin", "/connect"),
        about="One room for everybody, for terminal clients: plain-text answers on REST and on `/connect`.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("dispatch", Options, mount)
