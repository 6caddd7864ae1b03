"""The base class of commands that a client may send again with the same client id."""

from typing import Any, ClassVar, TypeVar, cast

import msgspec
from msgspec.structs import asdict, replace

from veche.core.actor import Actor
from veche.core.client_ids import FIRST_USES, ClientIdUsed, FirstUse, Request
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.facts import Needs
from veche.core.messages import SENT
from veche.core.state import State
from veche.core.text import check_client_id


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The base of answers to these commands. `duplicate` is true if an earlier attempt was carried out."""

    duplicate: bool = False


D = TypeVar("D", bound=Done, covariant=True)


class OnceCommand(Command[D], frozen=True, gc=False, kw_only=True):
    """A command that is carried out once for each client id. Without one, it is carried out each time.

    A subclass has `needs_of_change` and `change` instead of `needs` and `decide`. `name` is stored in the hash of the
    request, so it never changes. `answer` is the type of the answer.
    """

    name: ClassVar[str]
    answer: ClassVar[type[Done]]
    client_id: str | None = None

    def check(self) -> None:
        check_client_id(self.client_id)

    def needs(self, actor: Actor, needs: Needs) -> None:
        if self.client_id is not None:
            needs.ask(FIRST_USES, (actor.account_id, self.client_id))
            needs.ask(SENT, (actor.account_id, self.client_id))
        self.needs_of_change(actor, needs)

    def decide(self, actor: Actor, state: State) -> D:
        if self.client_id is None:
            return self.change(actor, state)
        key = (actor.account_id, self.client_id)
        request = Request(self.name, asdict(self))
        if (first := state.get(FIRST_USES, key)) is not None:
            if not request.is_that_of(first, state.rules):
                raise _mismatch()
            found: Any = msgspec.json.decode(first.answer, type=self.answer)
            return cast("D", replace(found, duplicate=True))
        if state.get(SENT, key) is not None:
            raise _mismatch()
        done = self.change(actor, state)
        use = FirstUse(request.digest(state.rules.keys[0]), msgspec.json.encode(done).decode())
        state.record(ClientIdUsed(*key, use, state.now))
        return done

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        """Ask for every row that `change` reads."""

    def change(self, actor: Actor, state: State) -> D:
        """Record events and return the answer, or raise ChatError, as `Command.decide` does."""
        raise NotImplementedError


def _mismatch() -> ChatError:
    return ChatError(Code.IDEMPOTENCY_MISMATCH, "This client_id was used for another command.")
