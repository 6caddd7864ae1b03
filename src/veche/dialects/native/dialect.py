"""The native contract as it is mounted."""

from veche.dialects.native import page, rest
from veche.dialects.native.errors import plain
from veche.dialects.native.socket import Accept
from veche.gateway.dialect import Dialect, Parts
from veche.gateway.examples import examples_beside


def dialect(parts: Parts) -> Dialect:
    """Open it: /v1, and the page at the root."""
    return Dialect(
        "native",
        routers=(page.router, rest.router),
        sockets={"/v1/socket": Accept(parts.chat, parts.accounts)},
        plain=plain,
        owns=("/v1",),
        about="Veche's own contract: all there is, and a WebSocket at `/v1/socket` that never leaves a hole.",
        examples=examples_beside(__file__),
    )
