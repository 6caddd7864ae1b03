"""Why the server closes a connection, and the close codes that most dialects use for it."""

from enum import Enum, auto
from typing import TypeAlias

CloseCode: TypeAlias = tuple[int | None, str]
"""The code and the reason of a close frame. If the code is None, the frame is empty."""


class Ending(Enum):
    """Why the server closes a connection. `CLOSE_CODES` in a dialect's `errors.py` has a close code for each."""

    TEXT_ONLY = auto()  # the client sent a binary message
    NOT_ADMITTED = auto()  # the client may not connect, but that was found only after the 101
    SESSION_ENDED = auto()  # the account signed out, or its password was changed
    REMOVED = auto()  # no longer a member of the room that the connection is for
    RESTART = auto()  # the server is stopping
    NO_PONG = auto()  # the client did not answer a heartbeat
    SLOW = auto()  # the client reads too slowly
    TOO_MANY = auto()  # the account has too many clients, and this one connected first
    LOST = auto()  # the hub cannot read a log that the client follows; the client has to reconnect
    UNAVAILABLE = auto()  # the database cannot store anything now, or there are too many who have not signed in
    INTERNAL = auto()  # a bug in the server


COMMON_CLOSE_CODES: dict[Ending, CloseCode] = {
    Ending.TEXT_ONLY: (1003, "text only"),
    Ending.NOT_ADMITTED: (1008, "session ended"),
    Ending.SESSION_ENDED: (1008, "session ended"),
    Ending.REMOVED: (1008, "removed"),
    Ending.RESTART: (1012, "restart"),
    Ending.NO_PONG: (1011, "keepalive ping timeout"),
    Ending.SLOW: (1013, "slow"),
    Ending.TOO_MANY: (1008, "too many connections"),
    Ending.LOST: (1013, "come back"),
    Ending.UNAVAILABLE: (1013, "try again later"),
    Ending.INTERNAL: (1011, "internal error"),
}
"""The close codes of dialects whose contracts do not prescribe others."""
