"""The settings of the channels dialect."""

from typing import Annotated, NamedTuple

from pydantic import Field

from veche.gateway.options import Alias, DialectOptions, TokenSeconds
from veche.gateway.secret_files import SECRET


class Target(NamedTuple):
    """The WebSocket that answers instead of the echo. If `greets` is true, its first message is only a greeting."""

    url: str
    greets: bool


class Options(DialectOptions):
    """`VECHE_CHANNELS_*`. Aliases are old names."""

    token_seconds: TokenSeconds = 30 * 60
    open_links: bool = Field(
        False,
        description="Accept links without a ticket if the account that they name is signed in. Anybody can make them.",
    )
    host: str = Field("", description="The HOST:PORT in links; the default is the host of the request.")
    echo_proxy: Annotated[bool, Alias("VECHE_ECHO_PROXY")] = Field(
        False, description="Let an upstream WebSocket answer instead of the echo."
    )
    echo_upstream: Annotated[str, Alias("VECHE_ECHO_UPSTREAM"), SECRET] = Field(
        "wss://echo.websocket.org",
        repr=False,
        pattern="^wss?://",
        description="The ws:// or wss:// URL of the upstream.",
    )
    echo_upstream_greets: Annotated[bool, Alias("VECHE_ECHO_UPSTREAM_GREETS")] = Field(
        True, description="Whether the upstream's first message on a connection is a greeting and not an answer."
    )

    @property
    def upstream(self) -> Target | None:
        """The WebSocket that answers instead of the echo, or None if this server echoes the texts itself."""
        return Target(self.echo_upstream, self.echo_upstream_greets) if self.echo_proxy else None
