"""Why a connection is closed by us, and the close codes that most dialects have for it."""

from enum import Enum, auto
from typing import TypeAlias

CloseCode: TypeAlias = tuple[int | None, str]
"""The code and the reason of a close frame; without a code the frame is empty."""


class Ending(Enum):
    """What every connection may end with. A dialect's `CLOSE_CODES` in its `errors.py` has a line for each."""

    TEXT_ONLY = auto()  # the client sent a binary message
    NOT_ADMITTED = auto()  # the client may not connect, which was found only after the 101
    SESSION_ENDED = auto()  # signed out, or the password was changed
    REMOVED = auto()  # no longer a member of the room that the connection is for
    RESTART = auto()  # the server stops
    NO_PONG = auto()  # a heartbeat was not answered
    SLOW = auto()  # the client reads too slowly
    LOST = auto()  # the hub lost the client's place: it is to come back
    UNAVAILABLE = auto()  # the store cannot take it now
    INTERNAL = auto()  # a bug of ours


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
"""What a dialect says whose contract does not ask for other words."""
