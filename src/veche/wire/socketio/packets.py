"""Socket.IO 5 packets without I/O: decodes texts and attachments to packets, and encodes packets.

    type[attachments-][namespace,][id]JSON      2["message",{"text":"hi"}]      51-/admin,7["file",{placeholder}]

An encoded payload starts with `4`, the Engine.IO packet type of a message, and is passed to `EngineConnection.frame`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from veche.wire.engineio.packets import MAX_PAYLOAD, BadPacket

CONNECT: Final = 0
DISCONNECT: Final = 1
EVENT: Final = 2
ACK: Final = 3
CONNECT_ERROR: Final = 4
BINARY_EVENT: Final = 5
BINARY_ACK: Final = 6

MAX_DEPTH: Final = 64
MAX_ATTACHMENTS: Final = 16

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


class Decoder:
    """Decodes the packets of one client. After it raises BadPacket, it must not be used again."""

    __slots__ = ("_attachment_bytes", "_attachment_count", "_attachments", "_incomplete")

    def __init__(self) -> None:
        self._incomplete: Packet | None = None  # the packet whose attachments have not all arrived
        self._attachment_count = 0
        self._attachments: list[bytes] = []
        self._attachment_bytes = 0

    def text(self, text: str) -> Packet | None:
        """Decode a text message. Returns None if the packet has attachments, which must follow."""
        if self._incomplete is not None:
            raise BadPacket("a text instead of an attachment")
        packet, self._attachment_count = _decode(text)
        if not self._attachment_count:
            return packet
        self._incomplete = packet
        return None

    def binary(self, data: bytes) -> Packet | None:
        """Add an attachment. Returns the packet if this is its last attachment, else None."""
        packet = self._incomplete
        self._attachment_bytes += len(data)
        if packet is None or self._attachment_bytes > MAX_PAYLOAD:
            raise BadPacket("an unexpected attachment" if packet is None else "the attachments are too big")
        self._attachments.append(data)
        if len(self._attachments) < self._attachment_count:
            return None
        attachments, self._attachments = self._attachments, []
        self._incomplete, self._attachment_bytes = None, 0
        return Packet(packet.type, packet.namespace, _attach(packet.data, dict(enumerate(attachments))), packet.id)


def _decode(text: str) -> tuple[Packet, int]:
    """Return the packet and the number of its attachments."""
    head = _HEAD.match(text)
    if head is None:
        raise BadPacket("an unknown packet type")
    kind, count, namespace, id = head.groups()
    rest = text[head.end() :]
    packet = Packet(int(kind), namespace or "/", _read_json(rest) if rest else None, None if id is None else int(id))
    attachments = int(count or 0)
    if packet.type in _BINARY:
        if count is None or attachments > MAX_ATTACHMENTS:
            raise BadPacket("no number of attachments, or too many")
        packet = Packet(_BINARY[packet.type], packet.namespace, packet.data, packet.id)
    elif count is not None:
        raise BadPacket("attachments in a packet that has none")
    if not _is_valid(packet):
        raise BadPacket("data that does not fit the packet type")
    return packet, attachments


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
