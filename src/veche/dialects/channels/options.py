"""What an operator may choose about the channels dialect."""

from typing import Annotated, NamedTuple

from pydantic import Field

from veche.gateway.options import Alias, DialectOptions, TokenSeconds


class Target(NamedTuple):
    """The WebSocket that answers in the echo's place; `greets`: its first message is no answer."""

    url: str
    greets: bool


class Options(DialectOptions):
    """Its settings."""

    token_seconds: TokenSeconds = 30 * 60
    open_links: bool = Field(
        False, description="Let whoever knows a name in by its bare link, as long as that person is signed in."
    )
    host: str = Field("", description="The HOST:PORT that links to channels name; without it that of the request.")
    echo_proxy: Annotated[bool, Alias("VECHE_ECHO_PROXY")] = Field(
        False, description="Let an upstream WebSocket answer in the echo's place."
    )
    echo_upstream: Annotated[str, Alias("VECHE_ECHO_UPSTREAM")] = Field(
        "wss://echo.websocket.org", pattern="^wss?://", description="The upstream of the echo, a ws:// or wss:// URL."
    )
    echo_upstream_greets: Annotated[bool, Alias("VECHE_ECHO_UPSTREAM_GREETS")] = Field(
        True, description="Whether the upstream's first message on a connection is a greeting and no answer."
    )

    @property
    def upstream(self) -> Target | None:
        """The upstream of the echo; None: we are the echo."""
        return Target(self.echo_upstream, self.echo_upstream_greets) if self.echo_proxy else None
