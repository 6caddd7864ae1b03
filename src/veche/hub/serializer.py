"""How events become bytes: all subscribers of one serializer get the same bytes, made once."""

from collections.abc import Callable
from dataclasses import dataclass

from veche.core.event import LogEvent

Write = Callable[[bytes], object]
"""Writes frames to one subscriber's transport, without waiting."""


@dataclass(frozen=True, eq=False, slots=True)
class Serializer:
    """`encode` makes the payload of an event, or None where it is not shown; `frame` wraps it for the transport."""

    name: str
    encode: Callable[[LogEvent], bytes | None]
    frame: Callable[[bytes], bytes]
