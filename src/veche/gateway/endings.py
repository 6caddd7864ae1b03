"""Why the server closes a connection, and the close codes that most dialects use for it."""

from enum import Enum, auto
from typing import TypeAlias

CloseCode: TypeAlias = tuple[int | None, str]
"""The code and the reason of a close frame. None as the code: the frame is empty."""


class Ending(Enum):
    """Why the server closes a connection. `CLOSE_CODES` in a dialect's `errors.py` has a close code for each."""

    TEXT_ONLY = auto()  # the client sent a binary message
    NOT_ADMITTED = auto()  # the client may not connect, but the 101 had been sent already
    SESSION_ENDED = auto()  # signed out, or the password was changed
    REMOVED = auto()  # no longer a member of the room that the connection is for
    RESTART = auto()  # the server stops
    NO_PONG = auto()  # the client did not answer a heartbeat
    SLOW = auto()  # the client reads too slowly
    LOST = auto()  # the hub lost the client's position: the client has to reconnect
    UNAVAILABLE = auto()  # the database cannot store anything now
    INTERNAL = auto()  # a bug in the server


COMMON_CLOSE_CODES: dict[Ending, CloseCode] = {
    Ending.TEXT_ONLY: (1003, "text only"),
    Ending.NOT_ADMITTED: (1008, "session ended"),
    Ending.SESSION_ENDED: (1008, "session ended"),
    Ending.REMOVED: (1008, "removed"),
    Ending.RESTART: (1012, "restart"),
    Ending.NO_PONG: (1011, "keepalive ping timeout"),
    Ending.SLOW: (1013, "slow"),
    Ending.LOST: (1013, "come back"),
    Ending.UNAVAILABLE: (1013, "try again later"),
    Ending.INTERNAL: (1011, "internal error"),
}
"""The close codes of dialects whose contracts do not prescribe others."""
