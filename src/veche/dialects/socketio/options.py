"""The settings of the socketio dialect."""

from pydantic import Field

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Read from `VECHE_SOCKETIO_*`."""

    token_seconds: TokenSeconds = 7 * 24 * 3600
    anonymous: bool = Field(
        False, description="Accept clients without a token, with the name that they send. The original's page needs it."
    )
