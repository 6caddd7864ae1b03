"""Who is writing a message at this moment."""

from veche.core.event import Ephemeral


class Typing(Ephemeral, frozen=True, gc=False):
    """The person is writing a message in the room."""
