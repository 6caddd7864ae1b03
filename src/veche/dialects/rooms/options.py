"""What an operator may choose about the rooms dialect."""

from pydantic import Field

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Its settings."""

    token_seconds: TokenSeconds = 24 * 3600
    system_name: str = Field(
        "system", min_length=1, description="Who says in rooms that somebody joined or left (its pkg.system_username)."
    )
    error_name: str = Field(
        "error", min_length=1, description="Who tells a socket of rooms what it did wrong (its pkg.error_username)."
    )
    text_bytes: int = Field(
        2000, ge=1, le=65_536, description="How many bytes a message has in rooms (its websocket.msg_max_length)."
    )
