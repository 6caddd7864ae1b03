"""A serializer turns events into bytes.

All subscribers of one serializer get the same bytes. The fan-out encodes each event once for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from veche.core.event import Ephemeral, LogEvent

Write = Callable[[bytes], object]
"""Writes frames to one subscriber's transport, without waiting."""


def _nothing(shown: Ephemeral) -> None:
    return None


@dataclass(frozen=True, eq=False, slots=True)
class Serializer:
    """`encode` returns the payload of an event, or None if the event is not shown.

    `frame` wraps a payload for the transport. `encode_ephemeral` returns the payload of what is in no log, or None.
    """

    name: str
    encode: Callable[[LogEvent], bytes | None]
    frame: Callable[[bytes], bytes]
    encode_ephemeral: Callable[[Ephemeral], bytes | None] = _nothing
