"""What travels on a bus: JSON with an authentication code, from one node to the others.

Everybody who can reach the Redis could send to the nodes. So each frame begins with 16 bytes of HMAC-SHA256 as 32
hexadecimal digits (RFC 2104). The key is derived from the secret that signs tokens, and from the history of the
database: in another history, a log may have other entries with the same seqs. A frame that fails the check is dropped.
"""

import hashlib
import hmac
import time
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from veche.bus.bus import BusError
from veche.core.event import LogEvent
from veche.core.values import LogId

MAX_FRAME = 65_536  # bytes; longer ones are dropped without a look
CODE = 32  # hexadecimal digits of the authentication code
MAX_AGE = 60_000_000  # microseconds; older notes are dropped. The clocks of the nodes must not differ by more
WRONG_CODE = "its authentication code is wrong: it is of another secret, another history of the database, or nobody"
MAX_NODES = 1000  # of which the time of the last note is remembered


class Bell(msgspec.Struct, array_like=True, tag="bell", frozen=True):
    """Heads of logs to which a node has committed entries."""

    node_id: str
    heads: dict[LogId, int]


class Entries(msgspec.Struct, array_like=True, tag="entries", frozen=True):
    """All entries of one log that a node has committed since its last frame about that log, each with its kind.

    `form` is the fingerprint of how the sender encodes entries.
    """

    node_id: str
    log_id: LogId
    head: int
    form: str
    entries: list[tuple[str, msgspec.Raw]]


class Note(msgspec.Struct, array_like=True, tag="note", frozen=True):
    """A note. `at` is in microseconds since 1970 in UTC, and grows with each note of a node."""

    node_id: str
    at: int
    kind: str
    payload: msgspec.Raw


Frame: TypeAlias = Bell | Entries | Note


class BadFrameError(Exception):
    """A frame that is dropped. The message says why, and shows nothing of the frame."""


class Sealer:
    """Makes frames about one history of one database, and opens them. Raises BusError if there is no secret.

    `history` tells it from others. Copies of a database, and the same one after a restore, have the same secret.
    """

    def __init__(self, secret: str, history: str = "") -> None:
        if not secret:
            raise BusError("The bus needs the secret that signs tokens: set VECHE_SECRET, the same on all nodes.")
        self._secret = secret
        self._key = hmac.digest(secret.encode(), b"veche bus frames 1 " + history.encode(), "sha256")
        # Others have other channels, so that they do not hear each other in one Redis.
        self.name = hmac.new(self._key, b"channels", hashlib.sha256).hexdigest()[:12]
        self._to_json = msgspec.json.Encoder().encode
        self._from_json: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)

    def with_history(self, history: str) -> "Sealer":
        """Return the same for another history."""
        return Sealer(self._secret, history)

    def _code(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[: CODE // 2].hex().encode()

    def seal(self, frame: Frame) -> bytes:
        """Encode a frame."""
        data = self._to_json(frame)
        return self._code(data) + data

    def open(self, sealed: bytes) -> Frame:
        """Check and decode a frame. Raises BadFrameError."""
        if len(sealed) > MAX_FRAME:
            raise BadFrameError("it is too large")
        data = sealed[CODE:]
        if not hmac.compare_digest(self._code(data), sealed[:CODE]):
            raise BadFrameError(WRONG_CODE)
        try:
            return self._from_json.decode(data)
        except (msgspec.MsgspecError, RecursionError):
            raise BadFrameError("it is malformed: another version of Veche may run") from None


class EntryCodec:
    """Encodes entries for the bus, in all their fields, and decodes them.

    `form` is a fingerprint of these fields. A node whose entries have another form reads the log instead.
    """

    def __init__(self, types: Iterable[type[LogEvent]]) -> None:
        found = tuple(types)
        self._to_json = msgspec.json.Encoder().encode
        self._decoders = {event.kind: msgspec.json.Decoder(event) for event in found}
        self.kinds = frozenset(self._decoders)
        schemas, components = msgspec.json.schema_components(found, ref_template="{name}")
        shape = msgspec.json.encode([[event.kind for event in found], schemas, components], order="sorted")
        self.form = hashlib.sha256(shape).hexdigest()[:8]

    def encode(self, event: LogEvent) -> tuple[str, msgspec.Raw]:
        """Encode an entry. Return its kind and its JSON."""
        return event.kind, msgspec.Raw(self._to_json(event))

    def decode(self, entries: Sequence[tuple[str, msgspec.Raw]]) -> list[LogEvent]:
        """Decode entries. Raises BadFrameError."""
        try:
            return [self._decoders[kind].decode(data) for kind, data in entries]
        except (KeyError, msgspec.MsgspecError):
            raise BadFrameError("its entries are malformed") from None


class NoteTimes:
    """Tells notes that are new from those that are old or that somebody has repeated."""

    def __init__(self) -> None:
        self._last = 0  # of this node
        self._heard: dict[str, int] = {}  # by node, in the order of their first note

    def next(self) -> int:
        """Return the time of a new note of this node."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last

    def check(self, note: Note) -> None:
        """Raise BadFrameError if a note is not new."""
        if abs(time.time_ns() // 1000 - note.at) > MAX_AGE:
            raise BadFrameError("it is a note of another time: the clocks of the nodes differ, or somebody repeats it")
        if note.at <= self._heard.get(note.node_id, 0):
            raise BadFrameError("it is a note that has come before")
        if note.node_id not in self._heard and len(self._heard) >= MAX_NODES:
            del self._heard[next(iter(self._heard))]
        self._heard[note.node_id] = note.at


def encode_payload(payload: Any) -> bytes:
    """Encode the payload of a note as JSON."""
    return msgspec.json.encode(payload)
