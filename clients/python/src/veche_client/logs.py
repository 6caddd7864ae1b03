"""The positions of a client: for each log, the seq up to which it has taken the entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

OWN = 0
"""The key of your own log, among the ids of rooms."""


class Logs:
    """The positions of what the connection has brought."""

    def __init__(self, positions: dict[int, int], epoch: str | None) -> None:
        self.epoch = epoch
        self.positions = positions
        self._seen: dict[int, int] = {}  # of logs with a gap: the highest seq that came

    @property
    def rooms(self) -> list[int]:
        """The rooms with a position."""
        return [log for log in self.positions if log != OWN]

    def take(self, log: int, seq: int) -> bool:
        """Move the position if an entry is the next of its log, and tell whether it is. After it may be a gap."""
        position = self.positions.get(log, seq - 1)  # logs have no gaps, so it is the first since hello
        if seq > position + 1:
            self._seen[log] = max(seq, self._seen.get(log, 0))
        if seq != position + 1:
            return False
        self.positions[log] = seq
        return True

    def begin(self, log: int, seq: int) -> bool:
        """Begin a log, unless it has a position. Tell whether it had none."""
        if log in self.positions:
            return False
        self.positions[log] = seq
        return True

    def end(self, log: int) -> bool:
        """Forget a log, and tell whether it had a position."""
        self._seen.pop(log, None)
        return self.positions.pop(log, None) is not None

    def behind(self) -> list[int]:
        """Return the logs of which entries are missing."""
        self._seen = {log: seq for log, seq in self._seen.items() if self.positions.get(log, seq) < seq}
        return list(self._seen)

    def asked(self, logs: Iterable[int]) -> dict[str, Any]:
        """Return the positions in some logs, as `hello` and `sync` take them."""
        found = {log: self.positions[log] for log in logs}
        me = {"me": found.pop(OWN)} if OWN in found else {}
        return {"rooms": {str(room): seq for room, seq in found.items()}, **me}
