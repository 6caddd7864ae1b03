"""Encodes values and messages for the channels dialect."""

from datetime import UTC, datetime

import msgspec

from veche.core.echo import EchoLine
from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.gateway.lines import text_with_files
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame


def local_time(at: int) -> str:
    """Format microseconds since 1970 as the server's local time without an offset, `2026-11-20T20:23:06.508986`."""
    moment = datetime.fromtimestamp(at // 1_000_000, UTC).astimezone()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1_000_000:06d}"


class Record(msgspec.Struct, gc=False):
    """A line of the history. `source` is "client" or "server"."""

    time: str
    source: str
    message: str


class SignedIn(msgspec.Struct):
    """The response body of /login."""

    token: str


class Link(msgspec.Struct):
    """The address of a socket."""

    link: str


def record(line: EchoLine) -> Record:
    """Convert a line of the history to its JSON value."""
    return Record(local_time(line.at), line.source, line.text)


def greeting(username: str) -> bytes:
    """Encode the first frame of the public channel."""
    return f"Приветствую в чате, {username}!".encode()


def _line(event: LogEvent) -> bytes | None:
    if type(event) is not Message or not event.is_line:
        return None
    return f"{event.sender.username}: {text_with_files(event)}".encode()


SERIALIZER = Serializer("channels", _line, text_frame)
"""Encodes the messages of accounts only. The contract has no frame for notices, joins and leaves."""
