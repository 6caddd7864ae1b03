"""Declares the native dialect, and mounts its routes and sockets."""

from veche.dialects.native import out, page, quick, rest
from veche.dialects.native.errors import plain, problem
from veche.dialects.native.options import Options
from veche.dialects.native.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Build the routes and the socket below /v1, and the routes of the web page at the root."""
    return Mounted(
        "native",
        routers=(page.router, rest.router),
        sockets={"/v1/socket": Accept(parts.chat, parts.accounts)},
        plain=plain,
        problem=problem,
        error_bodies=(out.Problem,),
        bodies=out.BODIES,
        owns=("/v1", "/page"),
        quick=quick.routes(parts),
        about="Veche's own dialect: every feature, and a WebSocket at `/v1/socket` that resumes without gaps.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("native", Options, mount)
