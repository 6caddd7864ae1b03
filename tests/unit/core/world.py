"""A small town on one State that holds everything, and commands by those who live there."""

from __future__ import annotations

from typing import Any

from veche.core import commands as c
from veche.core.accounts import SYSTEM_ID, Account
from veche.core.decide import check, decide
from veche.core.errors import ChatError
from veche.core.events import Event, Message
from veche.core.rooms import LOBBY_ID, Head, Kind, Room
from veche.core.state import State


class Counts(dict[tuple[int, int], int]):
    """How many messages stand up to a seq, counted when it is asked for."""

    def __init__(self, messages: dict[int, Message]) -> None:
        super().__init__()
        self._messages = messages

    def get(self, key: tuple[int, int], default: Any = None) -> Any:
        room_id, seq = key
        return sum(m.log_id == room_id and m.seq <= seq and m.kind == "text" for m in self._messages.values())


class Everything(State):
    """A State to which every row there is has been loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counts(self.messages)
        self.rooms[LOBBY_ID] = Room(LOBBY_ID, Kind.LOBBY, "Lobby", 2**31 - 1, 0)
        self.heads[LOBBY_ID] = Head()
        self.accounts[SYSTEM_ID] = Account(SYSTEM_ID, "system", "system", "system", None, 0)
        self.handles.add("system")

    def record(self, event: Event) -> None:
        super().record(event)
        if isinstance(event, Message):
            self.messages[event.id] = event


class Town:
    """`do` gives the answer, `refuses` the refusal that left no trace; `news` is what was recorded last."""

    def __init__(self) -> None:
        self.state = Everything()
        self.now = 1_000_000
        self.news: list[Event] = []

    def do(self, command: c.Command) -> Any:
        self.now += 1
        start = len(self.state.events)
        check(command)
        answer = decide(self.state, command, self.now)
        self.news = self.state.events[start:]
        return answer

    def refuses(self, command: c.Command) -> ChatError:
        before = picture(self.state)
        try:
            answer = self.do(command)
        except ChatError as refusal:
            assert picture(self.state) == before, "a refusal left a trace"
            return refusal
        raise AssertionError(f"{command} was not refused but answered {answer}")

    def person(self, username: str, **more: Any) -> int:
        account: Account = self.do(c.Register("hash", username=username, **more))
        return account.id

    def room(self, by: int, kind: Kind = Kind.GROUP, *others: int, name: str = "Team") -> int:
        entered: c.Entered = self.do(c.CreateRoom(by, kind, name, others))
        return entered.room.id

    def say(self, by: int, room_id: int, text: str = "hi", client_id: str | None = None) -> c.Sent:
        sent: c.Sent = self.do(c.SendMessage(by, room_id, text, "native", client_id))
        return sent

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.news]


def picture(state: State) -> dict[str, Any]:
    return {name: value.copy() if hasattr(value, "copy") else value for name, value in vars(state).items()}
