"""Slow mode: a room may set how long its members wait between two messages.

The owner and the moderators do not wait. Joining counts like a message: otherwise somebody could leave a channel and
join it again instead of waiting.
"""

from veche.core.errors import ChatError, Code
from veche.core.state import State
from veche.core.values import MICROSECONDS, Member, Role, Room

MAX_SLOW = 6 * 3600  # seconds
FREE = frozenset({Role.OWNER, Role.MODERATOR})


def check_turn(state: State, room: Room, member: Member | None) -> None:
    """Raise ChatError (RATE_LIMITED) if a member of a room in slow mode has to wait before its next message."""
    if member is None or member.role in FREE:
        return
    wait = max(member.spoke_at, member.joined_at) + room.slow_seconds * MICROSECONDS - state.now
    if wait > 0:
        sentence = f"In this room there are {room.slow_seconds} seconds between two messages of a member."
        raise ChatError(Code.RATE_LIMITED, sentence, reason="slow", retry_after=-(-wait // MICROSECONDS))
