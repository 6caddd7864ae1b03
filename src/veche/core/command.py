"""What an actor asks for: the base class of commands. Each command is declared in the file of its subject."""

from typing import Generic, TypeVar

import msgspec

from veche.core.actor import Actor
from veche.core.facts import Needs
from veche.core.state import State

T = TypeVar("T", covariant=True)


class Command(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A request for a change; T is the type of its answer.

    A command is checked alone, asks for what it has to know, and is decided inside the transaction that stores it.
    """

    def check(self) -> None:
        """Refuse what no state could allow, before anything is read; raises ChatError."""

    def needs(self, actor: Actor, needs: Needs) -> None:
        """Ask for every row that `decide` reads."""

    def decide(self, actor: Actor, state: State) -> T:
        """Refuse with ChatError, or record events and return the answer.

        Look first and record last, so that a refusal leaves no trace.
        """
        raise NotImplementedError

    @property
    def size(self) -> int:
        """About how many bytes of text it holds while it waits to be stored."""
        return 0
