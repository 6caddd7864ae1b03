"""The settings of the dispatch dialect."""

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Read from `VECHE_DISPATCH_*`."""

    token_seconds: TokenSeconds = 60
