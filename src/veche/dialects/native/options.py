"""What an operator may choose about the native dialect."""

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Its settings."""

    token_seconds: TokenSeconds = 24 * 3600
