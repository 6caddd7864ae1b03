"""The settings of the messenger dialect."""

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Read from `VECHE_MESSENGER_*`."""

    token_seconds: TokenSeconds = 60 * 3600
