"""The commit feed: which logs went on after the positions of a consumer.

A consumer keeps a position for each log that it follows: the seq of the last entry that it handled. It asks for the
logs that are ahead, reads their entries, and moves its positions. So it misses nothing, even if either side
restarts. There is no order between logs: with several writers, no global sequence would be a safe cursor.
"""

from collections.abc import Mapping
from itertools import islice

from veche.core.values import LogId
from veche.storage.log import heads_after
from veche.storage.reader import Reader

AT_ONCE = 2000  # logs in one query


class CommitFeed:
    """Answers consumers from the database."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def ahead(self, positions: Mapping[LogId, int]) -> dict[LogId, int]:
        """Return the heads of those logs that have entries after their positions."""
        found: dict[LogId, int] = {}
        left = iter(positions.items())
        while part := dict(islice(left, AT_ONCE)):
            found |= await self._reader.read(heads_after, part)
        return found
