"""The settings of the native dialect."""

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Read from `VECHE_NATIVE_*`."""

    token_seconds: TokenSeconds = 24 * 3600
