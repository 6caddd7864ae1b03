"""Asks the other nodes who is connected to them, and tells them who has come.

Nothing is kept here about the people of other nodes: it would be wrong after each note that is lost. A question is a
note to all nodes, and each answers with a note. This node knows only which nodes there are: each tells that it is here.
On a server with one node, nobody is asked and nothing waits.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Sequence, Set
from typing import Any, NamedTuple

from veche.bus.bus import Bus
from veche.core.actor import Party
from veche.core.errors import ChatError, Code
from veche.core.values import LogId
from veche.hub.hub import Hub
from veche.hub.listener import call
from veche.service.unheard import Unheard

BEAT = 1.0  # seconds between two notes that say that this node is here
LEASE = 3.5  # seconds after its last note, in which a node is taken to be there
ANSWER_WITHIN = 0.5  # seconds that an answer is waited for
MAX_ASKED = 1000  # questions that wait for answers; a further one is refused
MAX_ASKED_BY_ONE = 100  # the same for one account
SESSIONS_ASKED = 25  # session ids in one note
PEOPLE_ANSWERED = 101  # ids in one note
SAME_TIME = 1_000_000  # microseconds in which two clients of an account came at about the same time


class Answers(NamedTuple):
    """What other nodes answered. `complete`: every node that is there has answered, and the bus is not away.

    A node that has a lease of the database and is not heard is there, too.
    """

    values: list[Any]
    complete: bool


class _Asked:
    """One question: the nodes that have not answered yet, and the answers of the others."""

    def __init__(self, waiting: set[str], enough: Callable[[Any], bool], *, waits_for_unknown: bool) -> None:
        self.waiting = waiting
        self.values: list[Any] = []
        self.answered: set[str] = set()
        self.done = asyncio.Event()
        self._enough = enough
        self._waits_for_unknown = waits_for_unknown

    def take(self, node_id: str, value: Any) -> None:
        self.values.append(value)
        self.answered.add(node_id)
        self.waiting.discard(node_id)
        if self._enough(value) or not (self.waiting or self._waits_for_unknown):
            self.done.set()


def _never(value: Any) -> bool:
    return False


class Elsewhere:
    """The other nodes of the server, and the people who are connected to them."""

    def __init__(self, bus: Bus, hub: Hub) -> None:
        self._bus = bus
        self._hub = hub
        self._heard_at: dict[str, float] = {}  # by node, in the loop's time
        self._knows_all_at = 0.0  # in the loop's time: from then on, all nodes that are there have been heard
        self._asked: dict[int, _Asked] = {}
        self._asked_by: Counter[Party | None] = Counter()
        self._numbers = itertools.count(1)
        self._unheard = Unheard()
        self.leased: Callable[[], Set[str]] = frozenset
        """Returns the other nodes that have a lease of the database."""
        bus.on_note("here", self._on_here)
        bus.on_note("gone", self._on_gone)
        bus.on_note("ask", self._on_ask)
        bus.on_note("answer", self._on_answer)
        bus.on_note("came", self._on_came)
        bus.on_connected(self._on_connected)

    async def run(self) -> None:
        """Run until cancelled: tell the other nodes every second that this one is here."""
        try:
            while True:
                self._bus.tell("here", False)
                missing = self._missing()  # it also forgets the nodes that are gone
                if self._bus.connected:
                    self._unheard.look(missing, self._now())
                else:
                    self._unheard.forget()
                await asyncio.sleep(BEAT)
        finally:
            self._bus.tell("gone", None)

    def is_alone(self) -> bool:
        """Return whether there is nobody to ask: there is no other node, or the bus is away."""
        return not self._bus.connected or (self._knows_all() and not self._others())

    async def is_connected(self, account_id: int, dialect: str) -> bool:
        """Return whether an account has a connection to another node in a dialect. False if the bus is away.

        Raises ChatError (OVERLOADED) if too many questions wait. So do all questions below.
        """
        found = await self._ask(None, "connected", [account_id, dialect], enough=bool)
        return any(found.values)

    async def online(self, by: Party, log_id: LogId, after: int, limit: int) -> set[int]:
        """Return accounts that are subscribed to a log on other nodes: of each node the first `limit` above `after`.

        `by` is who asks. A note may have room for fewer than `limit`. Then each node is asked again.
        """
        people: set[int] = set()
        while True:
            pages = (await self._ask(by, "online", [log_id, after, min(limit, PEOPLE_ANSWERED)])).values
            people.update(id for ids in pages for id in ids)
            cut = [ids[-1] for ids in pages if len(ids) >= PEOPLE_ANSWERED]
            if not cut or sum(id <= min(cut) for id in people) >= limit:
                return people
            after = min(cut)

    async def connected_sessions(self, session_ids: Sequence[str], by: Party | None = None) -> set[str] | None:
        """Return those of these sessions that are connected to other nodes. None if not all nodes have answered.

        `by` is who asks, or None for the server itself.
        """
        connected: set[str] = set()
        for start in range(0, len(session_ids), SESSIONS_ASKED):
            found = await self._ask(by, "sessions", list(session_ids[start : start + SESSIONS_ASKED]))
            if not found.complete:
                return None
            connected.update(id for ids in found.values for id in ids)
        return connected

    def tell_came(self, account_id: int, dialect: str, attached_at: int) -> None:
        """Let other nodes call `replaced` on the listeners of an account in a dialect: it has a new client here.

        `attached_at`: when the new client was attached to the hub, in microseconds since 1970.
        """
        self._bus.tell("came", [account_id, dialect, attached_at])

    # Which nodes there are.

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _knows_all(self) -> bool:
        return self._now() >= self._knows_all_at

    def _others(self) -> set[str]:
        oldest = self._now() - LEASE
        for node_id in [id for id, heard_at in self._heard_at.items() if heard_at < oldest]:
            del self._heard_at[node_id]
        return set(self._heard_at)

    def _missing(self) -> Set[str]:
        return self.leased() - self._others()

    def _on_connected(self) -> None:
        """Ask which nodes there are. Until they have answered, questions wait for those that are not known yet."""
        self._knows_all_at = self._now() + ANSWER_WITHIN
        self._bus.tell("here", True)

    def _on_here(self, node_id: str, wants_answer: Any) -> None:
        self._heard_at[node_id] = self._now()
        if wants_answer:
            self._bus.tell("here", False)

    def _on_gone(self, node_id: str, _: Any) -> None:
        self._heard_at.pop(node_id, None)

    # Questions.

    async def _ask(
        self, by: Party | None, question: str, about: list[Any], enough: Callable[[Any], bool] = _never
    ) -> Answers:
        """Ask all other nodes. Wait until all have answered or one answer is `enough`, but not for long."""
        if self.is_alone():
            return Answers([], self._bus.connected and not self._missing())
        if len(self._asked) >= MAX_ASKED or (by is not None and self._asked_by[by] >= MAX_ASKED_BY_ONE):
            raise ChatError(Code.OVERLOADED, "Too many questions to other nodes wait. Try again.")
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(self._others(), enough, waits_for_unknown=not self._knows_all())
        self._asked_by[by] += 1
        try:
            self._bus.tell("ask", [number, question, about])
            async with asyncio.timeout(ANSWER_WITHIN):
                await asked.done.wait()
        except TimeoutError:
            pass
        finally:
            del self._asked[number]
            self._asked_by[by] -= 1
            if not self._asked_by[by]:
                del self._asked_by[by]
        there = self._others() | self.leased()
        return Answers(asked.values, self._bus.connected and there <= asked.answered)

    def _on_ask(self, node_id: str, payload: Any) -> None:
        number, question, about = payload
        match question:
            case "connected":
                account_id, dialect = about
                value: Any = self._hub.is_connected(account_id, dialect)
            case "online":
                log_id, after, limit = about
                value = [person.id for person in self._hub.online(log_id, after, min(limit, PEOPLE_ANSWERED))]
            case "sessions":
                here = self._hub.session_ids()
                value = [id for id in about if id in here]
            case _:  # of a later version: no answer, so that nobody takes it for one
                return
        self._bus.tell("answer", [node_id, number, value])

    def _on_answer(self, node_id: str, payload: Any) -> None:
        asker, number, value = payload
        if asker == self._bus.node_id and (asked := self._asked.get(number)) is not None:
            asked.take(node_id, value)

    # Who has come.

    def _on_came(self, node_id: str, payload: Any) -> None:
        """Call `replaced` on the account's clients here, except on one that came at the same time, but later.

        Clocks of nodes may differ, so they are compared only if both came just now. Then the later one stays, and not
        none of them. A client that came earlier has to go.
        """
        account_id, dialect, attached_at = payload
        just_now = self._hub.now() - SAME_TIME
        for subscriber in self._hub.subscribers(account_id):
            if subscriber.dialect != dialect:
                continue
            is_older = (subscriber.attached_at, self._bus.node_id) < (attached_at, node_id)
            if is_older or subscriber.attached_at < just_now:
                call(subscriber.listener.replaced)
