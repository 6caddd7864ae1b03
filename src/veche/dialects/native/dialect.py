"""Declares the native dialect, and mounts its routes and sockets."""

from veche.dialects.native import asyncapi, out, page, quick, rest
from veche.dialects.native.accept import Accept
from veche.dialects.native.errors import plain, problem
from veche.dialects.native.features import BODIES, FEATURES
from veche.dialects.native.options import Options
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Build the routes and the socket below /v1, and the routes of the web page at the root."""
    return Mounted(
        "native",
        routers=(page.router, rest.router, *(feature.router for feature in FEATURES if feature.router is not None)),
        sockets={"/v1/socket": Accept(parts.chat, parts.accounts)},
        plain=plain,
        problem=problem,
        error_bodies=(out.Problem,),
        bodies=BODIES,
        owns=("/v1", "/page"),
        streamed=("/v1/files",),
        quick=quick.routes(parts),
        pages={
            asyncapi.PATH: (asyncapi.as_json, "application/json"),
            asyncapi.PAGE: (asyncapi.as_page, "text/html; charset=utf-8"),
        },
        about="Veche's own dialect: every feature, and a WebSocket at `/v1/socket` that resumes without gaps.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("native", Options, mount)
