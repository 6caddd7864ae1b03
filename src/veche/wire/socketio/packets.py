"""Socket.IO 5 packets without I/O: texts and attachments in, packets out; packets in, payloads and attachments out.

    type[attachments-][namespace,][id]JSON      2["message",{"text":"hi"}]      51-/admin,7["file",{placeholder}]

Payloads begin with the Engine.IO type of a message, `4`, so that they can be framed as they are.
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
    """A packet with its attachments in place: bytes in `data`; so its type is never one of the binary ones."""

    type: int
    namespace: str = "/"
    data: Any = None
    id: int | None = None


class Decoder:
    """Reads one client's packets; raises BadPacket, and is of no use after that."""

    __slots__ = ("_awaited", "_found", "_packet", "_size")

    def __init__(self) -> None:
        self._packet: Packet | None = None  # whose attachments are on their way
        self._awaited = 0
        self._found: list[bytes] = []
        self._size = 0

    def text(self, text: str) -> Packet | None:
        """Take the text of a message; None: attachments follow."""
        if self._packet is not None:
            raise BadPacket("a text where an attachment is due")
        packet, self._awaited = _decode(text)
        if not self._awaited:
            return packet
        self._packet = packet
        return None

    def binary(self, data: bytes) -> Packet | None:
        """Take an attachment; None: more follow."""
        packet = self._packet
        self._size += len(data)
        if packet is None or self._size > MAX_PAYLOAD:
            raise BadPacket("an attachment that nobody awaits" if packet is None else "the attachments are too big")
        self._found.append(data)
        if len(self._found) < self._awaited:
            return None
        found, self._found = self._found, []
        self._packet, self._size = None, 0
        return Packet(packet.type, packet.namespace, _attach(packet.data, dict(enumerate(found))), packet.id)


def _decode(text: str) -> tuple[Packet, int]:
    """The packet, and how many attachments follow."""
    head = _HEAD.match(text)
    if head is None:
        raise BadPacket("an unknown type of packet")
    kind, count, namespace, id = head.groups()
    rest = text[head.end() :]
    packet = Packet(int(kind), namespace or "/", _value(rest) if rest else None, None if id is None else int(id))
    attachments = int(count or 0)
    if packet.type in _BINARY:
        if count is None or attachments > MAX_ATTACHMENTS:
            raise BadPacket("no number of attachments, or too many")
        packet = Packet(_BINARY[packet.type], packet.namespace, packet.data, packet.id)
    elif count is not None:
        raise BadPacket("attachments where there are none")
    if not _sound(packet):
        raise BadPacket("data that do not fit the type of packet")
    return packet, attachments


def _sound(packet: Packet) -> bool:
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


def _value(text: str) -> Any:
    try:
        value = _read(text)
    except msgspec.DecodeError:
        # A lone surrogate is no fault of the packet: who gets the text refuses it, and the client stays.
        value = _lenient(text)
    except RecursionError:
        raise BadPacket("JSON too deep") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _lenient(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise BadPacket("not JSON") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, list | dict)]
        if not level:
            return
    raise BadPacket("JSON too deep")


def _inside(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _attach(value: Any, left: dict[int, bytes]) -> Any:
    """Put each attachment in place of its placeholder: each once, and none may be left."""
    filled = _fill(value, left)
    if left:
        raise BadPacket("an attachment without a place")
    return filled


def _fill(value: Any, left: dict[int, bytes]) -> Any:
    if isinstance(value, list):
        return [_fill(inner, left) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is not True:
        return {key: _fill(inner, left) for key, inner in value.items()}
    number = value.get("num")
    if type(number) is not int or number not in left:
        raise BadPacket("a place without an attachment")
    return left.pop(number)


# Writing.


def encode(packet: Packet) -> tuple[bytes, list[bytes]]:
    """Make the payload of a packet, and its attachments, which are to follow it at once."""
    attachments: list[bytes] = []
    data = _detach(packet.data, attachments)
    kind = str(packet.type)
    if attachments:
        kind = f"{packet.type + (BINARY_EVENT - EVENT)}{len(attachments)}-"
    return payload(kind, packet.namespace, data, packet.id), attachments


def payload(kind: str, namespace: str, data: Any, id: int | None = None) -> bytes:
    """Make the payload of a packet without attachments."""
    place = "" if namespace == "/" else f"{namespace},"
    head = f"4{kind}{place}{'' if id is None else id}".encode()
    return head if data is None else head + _to_json(data)


def _to_json(value: Any) -> bytes:
    try:
        return _write(value)
    except UnicodeEncodeError:  # a lone surrogate goes back as it came, escaped
        return json.dumps(value, separators=(",", ":")).encode()


def event(name: str, *data: Any, namespace: str = "/") -> bytes:
    """Make the payload of an event without attachments: this is what a hub's Serializer encodes to."""
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
