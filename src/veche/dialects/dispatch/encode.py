"""Encodes messages as the JSON of the dispatch dialect: `{"from":"alice","body":"hi","timestamp":1735000000000}`."""

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.gateway.lines import text_with_files
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame

to_json = msgspec.json.Encoder().encode


class Line(msgspec.Struct, gc=False):
    """A message. `timestamp` is in milliseconds since 1970."""

    author: str = msgspec.field(name="from")
    body: str
    timestamp: int


def _line(event: LogEvent) -> bytes | None:
    if type(event) is not Message or not event.is_line:
        return None
    return to_json(Line(event.sender.username, text_with_files(event), event.at // 1000))


SERIALIZER = Serializer("dispatch", _line, text_frame)
"""Encodes the messages of accounts only. The contract has no frame for notices, joins and leaves."""
