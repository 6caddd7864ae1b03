"""What an operator may choose about the socketio dialect."""

from pydantic import Field

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Its settings."""

    token_seconds: TokenSeconds = 7 * 24 * 3600
    anonymous: bool = Field(
        False, description="Let people without a token into socketio, under whatever name they say, as its page needs."
    )
