"""A small town in memory, and commands by those who live there.

Every command is given just the rows that its needs ask for, as from a database: what it forgets to ask for raises.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from veche.core.accounts import ACCOUNTS, CLOSED, HANDLES, PASSWORDS, SKELETONS, skeleton_key
from veche.core.errors import ChatError
from veche.core.event import Event
from veche.core.facts import Fact, Needs
from veche.core.invitations import INVITATION_COUNTS, INVITATIONS
from veche.core.messages import MESSAGES
from veche.core.ownership import ELDERS, NAMED, SUCCESSORS, Elder, Elders
from veche.core.reading import COUNTS
from veche.core.rooms import MEMBERS, ROOMS
from veche.core.rules import NO_RULES, Rules
from veche.core.sessions import SESSIONS, SessionsEnded
from veche.core.state import HEADS, State
from veche.core.values import LOBBY_ID, SYSTEM_ID, Account, Head, Kind, Room, account_log

from . import commands as c


class Everything:
    """All rows there are, by fact and key."""

    def __init__(self) -> None:
        self.rows: dict[Fact[Any, Any], dict[Any, Any]] = {
            ROOMS: {LOBBY_ID: Room(LOBBY_ID, Kind.LOBBY, "Lobby", 2**31 - 1, 0)},
            HEADS: {LOBBY_ID: Head()},
            ACCOUNTS: {SYSTEM_ID: Account(SYSTEM_ID, "system", "system", "system", None, 0)},
            HANDLES: {"system": SYSTEM_ID},
        }
        self.ids: Counter[str] = Counter()
        self.rules = NO_RULES

    def new_id(self, table: str) -> int:
        self.ids[table] += 1
        return self.ids[table]

    def get(self, fact: Fact[Any, Any], key: Any) -> Any:
        if fact is COUNTS:
            return self.count(*key)
        if fact is SKELETONS:
            return self.alike(key)
        if fact is INVITATION_COUNTS:
            return sum(account_id == key for _, account_id in self.rows.get(INVITATIONS, {}))
        if fact in (ELDERS, SUCCESSORS):
            return self.elders(key)
        return self.rows.get(fact, {}).get(key)

    def count(self, room_id: int, seq: int) -> int:
        messages = self.rows.get(MESSAGES, {}).values()
        return sum(m.log_id == room_id and m.seq <= seq and m.type == "text" for m in messages)

    def alike(self, key: Any) -> tuple[int, ...] | None:
        accounts = self.rows[ACCOUNTS].values()
        return tuple(account.id for account in accounts if skeleton_key(account.username) == key) or None

    def elders(self, room_id: int) -> Elders:
        found = [member for (room, _), member in self.rows.get(MEMBERS, {}).items() if room == room_id]
        found.sort(key=lambda member: (member.role.place, member.joined_at, member.account_id))
        accounts = self.rows[ACCOUNTS]
        named = tuple(Elder(one.role, one.joined_at, accounts[one.account_id].person) for one in found[:NAMED])
        return Elders(named, len(found) <= NAMED)

    def state(self, needs: Needs) -> State:
        """Load what is asked for, and what the rows found lead to."""
        return self.load(State(self.new_id, self.rules), needs)

    def load(self, state: State, needs: Needs) -> State:
        for fact, key in needs.pairs():
            if fact.then is not None and (row := self.get(fact.rows, key)) is not None:
                fact.then(needs, key, row)
        for fact, key in needs.pairs():
            if (row := self.get(fact.rows, key)) is not None:
                state.load(fact.rows, key, row)
        return state

    def keep(self, state: State) -> None:
        """Take over what changed."""
        for fact in list(state._tables):
            rows = self.rows.setdefault(fact, {})
            for key, _, row in state.changes(fact):
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        for event in state.events:
            if isinstance(event, SessionsEnded):  # storage deletes rows that no decision looked at
                self.end_sessions(event)

    def end_sessions(self, event: SessionsEnded) -> None:
        (end,) = event.effects()
        kept = self.rows.get(SESSIONS, {}).items()
        self.rows[SESSIONS] = {
            key: session for key, session in kept if session.account_id != end.account_id or not end.ends(key)
        }


def run(everything: Everything, request: c.Request, now: int) -> tuple[Any, list[Event]]:
    """Decide a request alone, and keep what it changed; a refusal changes nothing."""
    actor, command = request
    command.check()
    needs = Needs()
    command.needs(actor, needs)
    state = everything.state(needs)
    check_guarded(needs)
    state.begin(needs, now)
    ids = everything.ids.copy()
    try:
        answer = command.decide(actor, state)
    except ChatError:
        assert not state.events, "a refusal left a trace"
        assert ids == everything.ids, "a refusal took an id"
        raise
    everything.keep(state)
    return answer, state.events


def check_guarded(needs: Needs) -> None:
    """Check that memberships are read under the lock of their room, and what an account has under that of its log.

    Storage locks each log whose head is asked.
    """
    locked = {key for fact, key in needs.pairs() if fact is HEADS}
    rooms = {key[0] for fact, key in needs.pairs() if fact is MEMBERS}
    assert rooms <= locked, "a membership is read without the lock of its room"
    accounts = {account_log(key) for fact, key in needs.pairs() if fact in (PASSWORDS, CLOSED)}
    assert accounts <= locked, "whether a password is right or an account closed is read without the account's lock"


class Town:
    """`do` gives the answer, `refuses` the refusal that left no trace; `news` is what was recorded last."""

    def __init__(self) -> None:
        self.everything = Everything()
        self.now = 1_000_000
        self.news: list[Event] = []

    def rows(self, fact: Fact[Any, Any]) -> dict[Any, Any]:
        return self.everything.rows.get(fact, {})

    @property
    def rules(self) -> Rules:
        return self.everything.rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self.everything.rules = rules

    def do(self, request: c.Request) -> Any:
        self.now += 1
        answer, self.news = run(self.everything, request, self.now)
        return answer

    def refuses(self, request: c.Request) -> ChatError:
        try:
            answer = self.do(request)
        except ChatError as refusal:
            return refusal
        raise AssertionError(f"{request} was not refused but answered {answer}")

    def person(self, username: str, **more: Any) -> int:
        account: Account = self.do(c.by(c.NOBODY_ID, c.Register("hash", username=username, **more)))
        return account.id

    def refuses_or_id(self, username: str) -> int | None:
        """Register somebody; give the id, or None if the username is refused."""
        try:
            return self.person(username)
        except ChatError:
            return None

    def room(self, by: int, kind: Kind = Kind.GROUP, *others: int, name: str = "Team") -> int:
        entered: c.Entered = self.do(c.by(by, c.CreateRoom(kind, name, others)))
        return entered.room.id

    def say(self, by: int, room_id: int, text: str = "hi", client_id: str | None = None) -> c.Sent:
        sent: c.Sent = self.do(c.by(by, c.SendMessage(room_id, text, client_id)))
        return sent

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.news]
