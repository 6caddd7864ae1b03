"""The commit feed tells a consumer which logs have entries after its positions.

A consumer keeps a position for each log that it follows: the seq of the last entry that it handled. It asks for the
logs that are ahead, reads their entries, and moves its positions. So it misses no entry of these logs, even if the
consumer or the server restarts. It learns of a new log in another way, for example from the own log of an account.
Entries of different logs have no order (docs/decisions/0010).
"""

from collections.abc import Mapping
from itertools import islice

from veche.core.values import LogId
from veche.storage.log import heads_after
from veche.storage.reader import Reader

LOGS_PER_QUERY = 2000


class CommitFeed:
    """Reads from the database which logs are ahead of a consumer's positions."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def heads_ahead_of(self, positions: Mapping[LogId, int]) -> dict[LogId, int]:
        """Return the heads of those logs that have entries after their positions."""
        found: dict[LogId, int] = {}
        left = iter(positions.items())
        while part := dict(islice(left, LOGS_PER_QUERY)):
            found |= await self._reader.read(None, heads_after, part)
        return found
