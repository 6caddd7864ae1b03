"""Rooms that were joined or left while the answer to hello was read. The hub will do this: then this file goes.

Once `hub.begin` follows the account's own log from the head of the welcome, `joined` and `removed` are called for what
came after the welcome, and for nothing else. Delete this file and the lines of `socket.py` that name it.
"""

import msgspec

from veche.core.views import Welcome


class Meanwhile:
    """What the hub called between the attachment of the subscriber and the answer to hello."""

    def __init__(self) -> None:
        self._rooms: dict[int, int | None] = {}  # joined (its log goes on after this seq) or left (None)

    def joined(self, room_id: int, after: int) -> None:
        self._rooms[room_id] = after

    def removed(self, room_id: int) -> None:
        self._rooms[room_id] = None

    def without_left(self, welcome: Welcome) -> Welcome:
        """Leave out the rooms that were left."""
        rooms = [view for view in welcome.rooms if self._rooms.get(view.room.id, 0) is not None]
        return msgspec.structs.replace(welcome, rooms=rooms)

    def joined_rooms(self) -> list[tuple[int, int]]:
        """Return the rooms that were joined, and after which seq their logs go on."""
        return [(room_id, after) for room_id, after in self._rooms.items() if after is not None]
