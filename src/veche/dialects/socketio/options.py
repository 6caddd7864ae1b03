"""The settings of the socketio dialect."""

from pydantic import Field

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Read from `VECHE_SOCKETIO_*`."""

    token_seconds: TokenSeconds = 7 * 24 * 3600
    anonymous: bool = Field(
        False, description="Accept clients without a token, with the name that they send. The original's page needs it."
    )
    connections_per_address: int = Field(
        10_000, ge=1, le=1_000_000, description="How many Socket.IO connections one address may have."
    )
    not_entered_per_address: int = Field(
        1_000,
        ge=1,
        le=1_000_000,
        description="How many of them may not have entered the namespace yet. "
        "If it is reached, a new connection takes the place of the oldest of these.",
    )
    not_entered: int = Field(10_000, ge=1, le=1_000_000, description="The same for all addresses together.")
