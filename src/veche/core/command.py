"""The base class of commands. Each command is declared in the file of its subject."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

import msgspec

from veche.core.actor import Actor
from veche.core.facts import Needs
from veche.core.state import State

T = TypeVar("T", covariant=True)


class Command(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A request for a change. T is the type of its answer.

    The writer calls `check` first, then `needs`, and then `decide`, in the transaction that stores the events. If the
    actor's session has ended by then, the command is refused, unless `needs_session` is False.
    """

    needs_session: ClassVar[bool] = True

    def check(self) -> None:
        """Raise ChatError if the command is not valid, whatever the database contains."""

    def needs(self, actor: Actor, needs: Needs) -> None:
        """Ask for every row that `decide` reads."""

    def decide(self, actor: Actor, state: State) -> T:
        """Record events and return the answer, or raise ChatError to refuse the command.

        Raise before the first event is recorded: a refusal does not remove recorded events.
        """
        raise NotImplementedError

    @property
    def takes_ids(self) -> Sequence[str]:
        """The tables of which `decide` nearly always takes new ids, so that the database can have them ready."""
        return ()

    @property
    def size(self) -> int:
        """About how many bytes of text the command has. Used to limit what one client may have waiting."""
        return 0
