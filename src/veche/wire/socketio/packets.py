"""Socket.IO 5 packets without I/O: decodes texts and attachments to packets, and encodes packets.

    type[attachments-][namespace,][id]JSON      2["message",{"text":"hi"}]      51-/admin,7["file",{placeholder}]

An encoded payload starts with `4`, the Engine.IO packet type of a message, and is passed to `EngineConnection.frame`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from veche.wire.engineio.packets import BadPacket

CONNECT: Final = 0
DISCONNECT: Final = 1
EVENT: Final = 2
ACK: Final = 3
CONNECT_ERROR: Final = 4
BINARY_EVENT: Final = 5
BINARY_ACK: Final = 6

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 1_000
"""Limit of the values in one packet: members of arrays and objects, at every depth."""
MAX_ATTACHMENTS: Final = 16
MAX_ATTACHED: Final = 262_144
"""Limit of all attachments of one packet, in bytes."""
MAX_TEXT: Final = 65_536
"""Limit of the text of a packet with attachments, in characters. It is kept until the last attachment has arrived."""

_HEAD: Final = re.compile(r"([0-6])(?:([0-9]{1,2})-)?(?:(/[^,]{0,127})(?:,|\Z))?([0-9]{1,15})?")
_BINARY: Final = {BINARY_EVENT: EVENT, BINARY_ACK: ACK}

_read = msgspec.json.Decoder().decode
_write = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Packet:
    """A decoded packet. Its attachments are bytes in `data`, so `type` is never BINARY_EVENT or BINARY_ACK."""

    type: int
    namespace: str = "/"
    data: Any = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """The head of a text, and the JSON after it, which is not read yet."""

    type: int
    namespace: str
    id: int | None
    attachments: int
    json: str


def _everything(namespace: str) -> bool:
    return True


class Decoder:
    """Decodes the packets of one client. After it raises BadPacket, it must not be used again.

    `is_entered` tells whether the client has entered a namespace. If not, only a CONNECT packet for it is read. Other
    packets for it are dropped with their attachments, before anything is built. Until the last attachment of a packet
    has arrived, its text is kept, not its values.
    """

    __slots__ = ("_attachment_bytes", "_attachments", "_incomplete", "_is_entered", "_missing")

    def __init__(self, is_entered: Callable[[str], bool] = _everything) -> None:
        self._is_entered = is_entered
        self._incomplete: _Head | None = None  # the packet whose attachments have not all arrived, if it is wanted
        self._missing = 0  # the number of attachments that have not arrived
        self._attachments: list[bytes] = []
        self._attachment_bytes = 0

    def text(self, text: str) -> Packet | None:
        """Decode a text message. Returns None if the packet is dropped, or has attachments, which must follow."""
        if self._missing:
            raise BadPacket("a text instead of an attachment")
        head = _read_head(text)
        self._missing = head.attachments
        if head.type != CONNECT and not self._is_entered(head.namespace):
            return None
        if not head.attachments:
            return _decode(head)
        if len(text) > MAX_TEXT:
            raise BadPacket("a packet with attachments is too big")
        self._incomplete = head
        return None

    def binary(self, data: bytes) -> Packet | None:
        """Add an attachment. Returns the packet if this is its last attachment, else None."""
        if not self._missing:
            raise BadPacket("an unexpected attachment")
        self._missing -= 1
        if self._incomplete is None:
            return None
        self._attachment_bytes += len(data)
        if self._attachment_bytes > MAX_ATTACHED:
            raise BadPacket("the attachments are too big")
        self._attachments.append(data)
        return None if self._missing else self._complete(self._incomplete)

    def _complete(self, head: _Head) -> Packet:
        attachments, self._attachments = self._attachments, []
        self._incomplete, self._attachment_bytes = None, 0
        packet = _decode(head)
        return Packet(packet.type, packet.namespace, _attach(packet.data, dict(enumerate(attachments))), packet.id)


def _read_head(text: str) -> _Head:
    match = _HEAD.match(text)
    if match is None:
        raise BadPacket("an unknown packet type")
    kind, count, namespace, id = match.groups()
    type, attachments = int(kind), int(count or 0)
    if type in _BINARY:
        if count is None or attachments > MAX_ATTACHMENTS:
            raise BadPacket("no number of attachments, or too many")
        type = _BINARY[type]
    elif count is not None:
        raise BadPacket("attachments in a packet that has none")
    return _Head(type, namespace or "/", None if id is None else int(id), attachments, text[match.end() :])


def _decode(head: _Head) -> Packet:
    packet = Packet(head.type, head.namespace, _read_json(head.json) if head.json else None, head.id)
    if not _is_valid(packet):
        raise BadPacket("data that does not fit the packet type")
    return packet


def _is_valid(packet: Packet) -> bool:
    data = packet.data
    if packet.type == EVENT:
        return isinstance(data, list) and bool(data) and isinstance(data[0], str)
    if packet.type == ACK:
        return isinstance(data, list) and packet.id is not None
    if packet.id is not None:
        return False
    if packet.type == CONNECT:
        return data is None or isinstance(data, dict)
    return packet.type == DISCONNECT and data is None


def _read_json(text: str) -> Any:
    _check_number_of_values(text)
    try:
        value = _read(text)
    except msgspec.DecodeError:
        # msgspec refuses a lone surrogate, but Socket.IO allows it. The handler decides whether to refuse the text.
        value = _read_with_surrogates(text)
    except RecursionError:
        raise BadPacket("JSON too deep") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _check_number_of_values(text: str) -> None:
    """Raise BadPacket if JSON has more than MAX_VALUES values. Takes a few milliseconds for a megabyte.

    To read a megabyte of JSON takes as long, unless it is a megabyte of arrays and objects: up to 130 ms and 30 MB.
    """
    if len(text) > MAX_VALUES and _most_values(text) > MAX_VALUES and most_values(text) > MAX_VALUES:
        raise BadPacket("too many values")


def most_values(text: str) -> int:
    """Return a number that is not less than the number of values in a JSON text. It does not count what strings hold.

    After the first two lines, each quotation mark begins or ends a string. They are wrong only behind a backslash
    outside of strings. Reading the text stops there with an error.
    """
    text = text.replace("\\\\", "").replace('\\"', "")
    quotes = text.count('"')
    if quotes > 4 * MAX_VALUES:  # a value has two quotation marks at most, and its key as many
        return quotes // 4
    return _most_values("".join(text.split('"')[::2]))


def _most_values(text: str) -> int:
    """Do the same as `most_values`, but count what strings hold too."""
    return text.count(",") + text.count("[") + text.count("{")


def _read_with_surrogates(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_read_finite, parse_float=_read_finite)
    except (ValueError, RecursionError):
        raise BadPacket("not JSON") from None


def _read_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _children(outer) if isinstance(inner, list | dict)]
        if not level:
            return
    raise BadPacket("JSON too deep")


def _children(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _attach(value: Any, unused: dict[int, bytes]) -> Any:
    """Replace each placeholder by its attachment. Each attachment must be used exactly once."""
    filled = _fill(value, unused)
    if unused:
        raise BadPacket("an attachment without a placeholder")
    return filled


def _fill(value: Any, unused: dict[int, bytes]) -> Any:
    if isinstance(value, list):
        return [_fill(inner, unused) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is not True:
        return {key: _fill(inner, unused) for key, inner in value.items()}
    number = value.get("num")
    if type(number) is not int or number not in unused:
        raise BadPacket("a placeholder without an attachment")
    return unused.pop(number)


# Encoding.


def encode(packet: Packet) -> tuple[bytes, list[bytes]]:
    """Encode a packet. Returns its payload, and the attachments to send directly after the payload."""
    attachments: list[bytes] = []
    data = _detach(packet.data, attachments)
    kind = str(packet.type)
    if attachments:
        kind = f"{packet.type + (BINARY_EVENT - EVENT)}{len(attachments)}-"
    return payload(kind, packet.namespace, data, packet.id), attachments


def payload(kind: str, namespace: str, data: Any, id: int | None = None) -> bytes:
    """Encode a packet without attachments. `kind` is its type, as text."""
    prefix = "" if namespace == "/" else f"{namespace},"
    head = f"4{kind}{prefix}{'' if id is None else id}".encode()
    return head if data is None else head + _to_json(data)


def _to_json(value: Any) -> bytes:
    try:
        return _write(value)
    except UnicodeEncodeError:  # a lone surrogate: escape it
        return json.dumps(value, separators=(",", ":")).encode()


def event(name: str, *data: Any, namespace: str = "/") -> bytes:
    """Encode an event without attachments, for a serializer of the hub."""
    return payload("2", namespace, [name, *data])


def _detach(value: Any, found: list[bytes]) -> Any:
    if isinstance(value, bytes):
        found.append(value)
        return {"_placeholder": True, "num": len(found) - 1}
    if isinstance(value, list | tuple):
        return [_detach(inner, found) for inner in value]
    if isinstance(value, dict):
        return {key: _detach(inner, found) for key, inner in value.items()}
    return value
