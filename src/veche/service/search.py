"""Search in the messages that somebody may read."""

import asyncio
from functools import partial
from typing import Final

from veche.bus.bus import Bus
from veche.core.access import Right, check_access
from veche.core.search import FoundPage, Wanted
from veche.service.chat import Chat
from veche.service.indexing import Indexing
from veche.storage import rooms
from veche.storage import search as storage
from veche.storage.database import Database

ROWS_OF_A_SEARCH: Final = 200
"""A search counts as reading so many rows, and those that it finds."""


class Search:
    """Finds messages of the rooms that the asker is a member of, and of the lobby. Indexes what the bus announces."""

    def __init__(self, chat: Chat, database: Database, bus: Bus) -> None:
        self._chat = chat
        self._index = database.index()
        self._indexing = Indexing(database, self._index)
        bus.subscribe(self._indexing.hear)

    def start(self) -> None:
        """Begin to index."""
        self._indexing.start()

    async def stop(self) -> None:
        """End the indexing, and close the index. Nobody may search any more."""
        await asyncio.to_thread(self._indexing.stop)
        self._index.close()

    async def find(self, by: int, wanted: Wanted) -> FoundPage:
        """Return a page of what is found. Raises ChatError if the account may not read the room that it names."""
        query = partial(storage.search, index=self._index, account_id=by, wanted=wanted)
        if wanted.room_id is None:
            page = await self._chat.read(by, query)
        else:
            view, page = await self._chat.read(by, rooms.beside_room, wanted.room_id, by, query)
            check_access(Right.READ, view.room if view is not None else None, view.member if view is not None else None)
        self._chat.charge(by, ROWS_OF_A_SEARCH + len(page.found))
        return page
