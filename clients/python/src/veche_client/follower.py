"""Follows the logs of an account: hello, sync, the pages of rooms, and each entry once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

from .connection import Connection, Fields
from .errors import VecheError
from .events import ROOM_EVENTS, ClientEvent, Gone, OtherEvent, OwnEvent, Push, Reset, Rooms
from .logs import OWN, Logs
from .rest import Rest
from .values import LOBBY, Account, Room

Answer = TypeVar("Answer")
MAX_SYNC = 1_000
PAGE = 200


class Listener(Protocol):
    """What a follower tells. `moved` are the positions that change with an event; None: the log has none now."""

    def tell(self, event: ClientEvent | None, moved: dict[int, int | None], epoch: str | None = None) -> None: ...
    def greeted(self) -> None: ...
    def refused(self, error: VecheError) -> None: ...
    def behind(self) -> None: ...
    def caught_up(self) -> None: ...


class Follower:
    """Follows over one connection after the other."""

    def __init__(self, logs: Logs, rest: Rest, listener: Listener) -> None:
        self.logs = logs
        self.account: Account | None = None
        self._rest = rest
        self._listener = listener
        self._link: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = 0  # hello, syncs and questions for rooms that are not done
        self._asked: list[int] = []  # the logs with a gap in the last sync
        self._past = 0  # the head of your own log in the last answer: up to it, its entries are replayed
        self._synced = False  # whether that was an answer to `sync`, which does not have all your rooms
        self._moves = 0  # how often you have joined or left while this client listened

    def greet(self, link: Connection) -> None:
        """Say hello over a new connection."""
        rooms = self.logs.rooms
        own = [OWN] if OWN in self.logs.positions else []
        hello: Fields = {"token": self._rest.token, **self.logs.asked([*own, *rooms[:MAX_SYNC]])}
        if self.logs.epoch is not None:
            hello["epoch"] = self.logs.epoch
        self._link, self._pending, self._asked = link, 1, []  # pending until `caught_up`

        def answered(answer: Any) -> None:
            if self._link is not link:  # it ended before `hello` was answered
                return
            if isinstance(answer, VecheError):
                self._listener.refused(answer)
            else:
                self._greeted(link, answer, rooms[MAX_SYNC:])

        link.ask("hello", hello, answered)

    async def drop(self) -> None:
        """Forget the connection."""
        self._link = self.account = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _greeted(self, link: Connection, answer: Fields, unlisted: list[int]) -> None:
        account = dict(answer["me"])
        seq = account.pop("seq")
        restored = self.logs.epoch not in (None, answer["epoch"])
        self.logs.epoch = answer["epoch"]
        self.account = account  # type: ignore[assignment]  # it has the keys of one
        self._past, self._synced = seq, False
        moved: dict[int, int | None] = {OWN: seq} if self.logs.begin(OWN, seq) else {}
        self._listener.tell(None, moved, answer["epoch"])
        if restored:
            self.end(unlisted)
            unlisted = []
        for first in range(0, len(unlisted), MAX_SYNC):
            self._sync(link, unlisted[first : first + MAX_SYNC])
        if (cursor := answer.get("rooms_cursor")) is not None:
            self._start(self._load_rooms(link, cursor))
        self._take(answer["rooms"])
        self._listener.greeted()

    def _sync(self, link: Connection, logs: list[int]) -> None:
        self._pending += 1

        def answered(answer: Any) -> None:
            if isinstance(answer, VecheError):
                link.lose()
            else:
                self._past, self._synced = answer["me"], True

        link.ask("sync", self.logs.asked(logs), answered)

    def _settle(self, link: Connection) -> None:
        """Note that one of what was pending is done. If nothing is, and there is no gap, the client has caught up."""
        self._pending -= 1
        if self._pending > 0:
            return
        behind = self.logs.behind()
        if not behind:
            self._asked = []
            self._listener.caught_up()
        elif set(behind) & set(self._asked):
            link.lose()  # a sync did not help
        else:
            self._listener.behind()
            self._asked = behind[:MAX_SYNC]
            self._sync(link, self._asked)

    # Rooms.

    def _take(self, rooms: list[Room]) -> None:
        moved: dict[int, int | None] = {
            room["id"]: room["head_seq"] for room in rooms if self.logs.begin(room["id"], room["head_seq"])
        }
        if rooms:
            self._listener.tell(Rooms(rooms), moved)

    def end(self, rooms: list[int]) -> None:
        """End to follow rooms."""
        gone = [room_id for room_id in rooms if self.logs.end(room_id)]
        if gone:
            self._listener.tell(Gone(gone), dict.fromkeys(gone))

    async def join(self, link: Connection, room_id: int) -> int:
        """Join a channel or the lobby, and return its head. Its position is there before the next frame is read."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(answer: Any) -> None:
            if not isinstance(answer, VecheError) and self.logs.begin(room_id, answer["head_seq"]):
                self._listener.tell(None, {room_id: answer["head_seq"]})
            if not future.done():
                future.set_result(answer)

        link.ask("join", {"room_id": room_id}, answered)
        answer = await future
        if isinstance(answer, VecheError):
            raise answer
        return int(answer["head_seq"])

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the reading. It is pending from now on, and until it is done."""
        self._pending += 1
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._link is not None and not task.cancelled() and (bug := task.exception()) is not None:
            self._link.lose(bug)

    async def _load_rooms(self, link: Connection, cursor: str | None, every: bool = False) -> None:
        """Load rooms page by page. `every`: those that are in no page are gone."""
        unlisted = set(self.logs.rooms) - {LOBBY} if every else set()
        moves = self._moves
        more = True
        while more:
            page = await self._steady(link, partial(self._rest.rooms, cursor=cursor, limit=PAGE))
            if page is None:
                return
            unlisted -= {room["id"] for room in page["items"]}
            self._take([*page["items"]])
            cursor = page["cursor"]
            more = cursor is not None
        if every and moves != self._moves:
            self._start(self._load_rooms(link, None, every=True))
        else:
            self.end(sorted(unlisted))
        self._settle(link)

    async def _check(self, link: Connection, room_id: int) -> None:
        """Look whether you are in a room, after a replayed entry has said that you joined or left it."""

        async def ask() -> list[Room]:
            try:
                return [await self._rest.room(room_id)]
            except VecheError as error:
                if error.code != "not_found":
                    raise
                return []

        found = await self._steady(link, ask)
        if found is None:
            return
        if any(room["role"] is not None or room_id == LOBBY for room in found):
            self._take(found)
        else:
            self.end([room_id])
        self._settle(link)

    async def _steady(self, link: Connection, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Ask, and ask again if you have joined or left a room meanwhile: the answer may be older than that.

        Without an answer, the connection is given up, and None returned.
        """
        while True:
            moves = self._moves
            try:
                answer = await ask()
            except VecheError:
                link.lose()
                return None
            if moves == self._moves:
                return answer

    # What the server pushes.

    def pushed(self, kind: str, body: Fields) -> None:
        """Take a frame that answers no command."""
        link = self._link
        assert link is not None
        seq, room_id = body.get("seq"), body.get("room_id")
        if kind == "caught_up":
            self._settle(link)
        elif kind == "gone":
            self.end(body["room_ids"])
        elif kind == "reset":
            self._reset(link, Reset(room_id, body["seq"], body["reason"]))
        elif isinstance(seq, int) and kind == "me":
            self._own(link, seq, body)
        elif isinstance(seq, int) and isinstance(room_id, int):
            if self._is_next(link, room_id, seq):
                event = ROOM_EVENTS.get(kind, OtherEvent)(kind, room_id, seq, body)
                self._listener.tell(event, {room_id: seq})  # type: ignore[arg-type]  # it is one of ClientEvent
        else:
            self._listener.tell(Push(kind, body), {})

    def _reset(self, link: Connection, reset: Reset) -> None:
        log = OWN if reset.room_id is None else reset.room_id
        self.logs.end(log)
        self.logs.begin(log, reset.seq)
        self._listener.tell(reset, {log: reset.seq})
        if log == OWN:
            self._start(self._load_rooms(link, None, every=True))

    def _is_next(self, link: Connection, log: int, seq: int) -> bool:
        """Tell whether an entry is the next of its log. What comes after a gap is held: `sync` brings it again."""
        if self.logs.take(log, seq):
            return True
        if not self._pending and self.logs.behind():
            self._pending = 1
            self._settle(link)
        return False

    def _own(self, link: Connection, seq: int, body: Fields) -> None:
        if not self._is_next(link, OWN, seq):
            return
        replayed = seq <= self._past
        joined, left = body.get("joined"), body.get("left")
        room_id: int | None = joined["room"]["id"] if joined else left["room_id"] if left else None
        moved: dict[int, int | None] = {OWN: seq}
        if room_id is not None and not replayed:
            self._moves += 1
            if joined and self.logs.begin(room_id, joined["room"]["head_seq"]):
                moved[room_id] = joined["room"]["head_seq"]
        self._listener.tell(OwnEvent("me", None, seq, body, replayed), moved)  # type: ignore[arg-type]
        if room_id is not None and replayed and self._synced:
            self._start(self._check(link, room_id))
        elif room_id is not None and not replayed and left:
            self.end([room_id])
