"""What an operator may choose about the socketio contract."""

from typing import NamedTuple

from veche.wire.proxy import Trusted


class Options(NamedTuple):
    """Whether who has no token is let in, whose pages may connect (None: all), and which proxies are believed."""

    anonymous: bool
    origins: frozenset[str] | None
    trusted: Trusted
