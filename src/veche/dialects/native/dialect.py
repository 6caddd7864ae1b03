"""The native dialect: what it declares, and what it serves."""

from veche.dialects.native import page, rest
from veche.dialects.native.errors import plain
from veche.dialects.native.options import Options
from veche.dialects.native.socket import Accept
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside


def mount(parts: Parts, options: Options) -> Mounted:
    """Make what it serves: /v1, and the page at the root."""
    return Mounted(
        "native",
        routers=(page.router, rest.router),
        sockets={"/v1/socket": Accept(parts.chat, parts.accounts)},
        plain=plain,
        owns=("/v1",),
        about="Veche's own contract: all there is, and a WebSocket at `/v1/socket` that never leaves a hole.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("native", Options, mount)
