"""What waits to be sent to the other nodes. It is bounded: what does not fit is dropped, or sent as a bell."""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from veche.bus.bus import MAX_NOTE, MAX_NOTES_WAITING, NoteTooLargeError
from veche.bus.frames import encode_payload
from veche.core.event import LogEvent
from veche.core.values import LogId

LOGS = 10_000  # logs whose news wait; of further ones, nothing is told
ENTRIES_BYTES = 16_384  # about how large the entries of one log may be; if they are larger, only the head is told
ALL_ENTRIES_BYTES = 4_194_304  # the same for all logs together


class News(NamedTuple):
    """What is told of one log: its head, and its entries. Without entries it is a bell."""

    log_id: LogId
    head: int
    entries: Sequence[LogEvent]


class Outbox:
    """Collects entries and notes until they are taken. With `entries`, entries are kept and not only their heads."""

    def __init__(self, *, entries: bool) -> None:
        self._keeps_entries = entries
        self._heads: dict[LogId, int] = {}
        self._entries: dict[LogId, list[LogEvent]] = {}  # of the logs whose entries are not too large
        self._sizes: dict[LogId, int] = {}
        self._size = 0
        self._notes: deque[tuple[str, bytes]] = deque()

    def add(self, events: Sequence[LogEvent]) -> None:
        """Add entries that were committed."""
        for event in events:
            log_id = event.log_id
            if log_id not in self._heads and len(self._heads) >= LOGS:
                continue
            is_first = log_id not in self._heads
            self._heads[log_id] = event.seq
            if self._keeps_entries:
                self._add_entry(log_id, event, is_first=is_first)

    def _add_entry(self, log_id: LogId, event: LogEvent, *, is_first: bool) -> None:
        if is_first:
            self._entries[log_id] = []
        if (kept := self._entries.get(log_id)) is None:
            return
        kept.append(event)
        self._size += event.size
        size = self._sizes[log_id] = self._sizes.get(log_id, 0) + event.size
        if size > ENTRIES_BYTES or self._size > ALL_ENTRIES_BYTES:
            del self._entries[log_id]
            self._size -= self._sizes.pop(log_id)

    def add_note(self, kind: str, payload: Any) -> None:
        """Add a note. If too many wait, it is dropped. Raises NoteTooLargeError."""
        data = encode_payload(payload)
        if len(data) > MAX_NOTE:
            raise NoteTooLargeError(f"a note of kind {kind} has {len(data)} bytes, and {MAX_NOTE} are the most")
        if len(self._notes) < MAX_NOTES_WAITING:
            self._notes.append((kind, data))

    def take(self) -> list[News]:
        """Take all news."""
        found = [News(log_id, head, self._entries.get(log_id, ())) for log_id, head in self._heads.items()]
        self._heads, self._entries, self._sizes, self._size = {}, {}, {}, 0
        return found

    def take_notes(self) -> list[tuple[str, bytes]]:
        """Take all notes, each a kind and a payload in JSON."""
        found = list(self._notes)
        self._notes.clear()
        return found

    def clear(self) -> None:
        """Drop everything: nobody hears it."""
        self.take()
        self.take_notes()

    def __bool__(self) -> bool:
        return bool(self._heads or self._notes)
