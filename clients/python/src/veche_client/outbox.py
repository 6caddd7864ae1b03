"""The commands with a client id that are not answered yet: messages, and changes of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from .backoff import backoff
from .connection import Connection
from .errors import VecheError
from .values import Answered, Outgoing

NOT_REFUSED = ("lost", "offline", "unauthenticated")
"""The connection or the session ended; the command was not refused."""


class Outbox:
    """Sends each command again, with the same id, until it is answered or refused for good.

    Those of one room are sent one after the other: so they are stored in order, also if one is refused for now.
    `told` gets each command with its answer or its refusal.
    """

    def __init__(self, waiting: Iterable[Outgoing], told: Callable[[Outgoing, Answered | VecheError], None]) -> None:
        self.waiting = {outgoing["id"]: outgoing for outgoing in waiting}
        self._told = told
        self._link: Connection | None = None
        self._busy: set[int] = set()  # rooms with a command that is being sent over `_link`

    def add(self, outgoing: Outgoing) -> None:
        """Keep a command, and send it when it is its turn."""
        self.waiting[outgoing["id"]] = outgoing
        self._send_next(outgoing["fields"]["room_id"])

    def use(self, link: Connection | None) -> None:
        """Send what waits over a connection whose `hello` was answered. None: there is none."""
        self._link, self._busy = link, set()
        for room_id in {outgoing["fields"]["room_id"] for outgoing in self.waiting.values()}:
            self._send_next(room_id)

    def _send_next(self, room_id: int, tries: int = 0) -> None:
        link, busy = self._link, self._busy
        outgoing = next((each for each in self.waiting.values() if each["fields"]["room_id"] == room_id), None)
        if link is None or outgoing is None or room_id in busy:
            return
        busy.add(room_id)

        def again(tries: int = 0) -> None:
            busy.discard(room_id)
            if busy is self._busy:
                self._send_next(room_id, tries)

        def answered(answer: Any) -> None:
            if isinstance(answer, VecheError) and answer.code in NOT_REFUSED:
                return  # the room stays busy: the next connection sends the command again
            if isinstance(answer, VecheError) and answer.temporary:
                wait = answer.retry_after + backoff(tries)
                asyncio.get_running_loop().call_later(wait, again, tries + 1)
                return
            del self.waiting[outgoing["id"]]
            self._told(outgoing, answer)
            again()

        link.ask(outgoing["command"], outgoing["fields"], answered)
