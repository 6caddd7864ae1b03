"""Which commands of a batch are refused because their session has ended.

A command is checked when it is received, and stored later. Meanwhile its session may have ended: by a command before it
in the same batch, in an earlier batch, or in another process. So it is decided again here, under the write lock.

The sessions of the last commands are kept between batches. For these, this costs a look into a dict.
"""

from collections.abc import Sequence

from veche.core.actor import Actor
from veche.core.effects import End
from veche.core.errors import ChatError, Code
from veche.core.sessions import SESSIONS
from veche.core.state import State
from veche.core.values import Session
from veche.storage.engines.engine import Transaction


class EndedSessions:
    """The sessions of a batch's actors that have ended so far: their ids are in `ids`.

    At first these are all that are not kept. They are read with the rows of the commands, and then `remove_found`.
    """

    __slots__ = ("_actors", "_tx", "ids")

    def __init__(self, tx: Transaction, actors: Sequence[Actor]) -> None:
        self._tx = tx
        self._actors = actors
        kept = tx.kept.rows(SESSIONS) if tx.kept is not None else {}
        self.ids = {id for actor in actors if (id := actor.session_id) and id not in kept}

    def remove_found(self, state: State) -> None:
        """Remove the sessions that were found."""
        if self.ids:
            self.ids = {id for id in self.ids if state.peek(SESSIONS, id) is None}

    def add(self, ends: list[End]) -> None:
        """Add the sessions that a command has just ended, and empty the list."""
        for end in ends:
            self._add(end)
        ends.clear()

    def _add(self, end: End) -> None:
        def is_ended(session: Session) -> bool:
            return session.account_id == end.account_id and end.ends(session.id)

        if self._tx.kept is not None:
            self._tx.kept.drop(SESSIONS, is_ended, key=end.session_id)
        for actor in self._actors:
            if actor.session_id and actor.account_id == end.account_id and end.ends(actor.session_id):
                self.ids.add(actor.session_id)


def refusal() -> ChatError:
    """Return the refusal of a command whose session has ended."""
    return ChatError(Code.UNAUTHENTICATED, "The session has ended.")
