"""Slow mode holds in the database, whichever process decides."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from core import commands as c

from veche.core.values import Kind
from veche.storage.commit import commit
from veche.storage.database import Database

from .conftest import codes

SECOND = 1_000_000


def test_of_many_messages_at_once_one_is_stored_each_time(processes: list[Database]) -> None:
    people = [c.by(c.NOBODY_ID, c.Register("hash", username=name)) for name in ("ann", "bob")]
    commit(processes[0], people, at=SECOND)
    made = [c.by(1, c.CreateRoom(Kind.GROUP, "Team", (2,))), c.by(1, c.UpdateRoom(1, slow_seconds=5))]
    assert codes(commit(processes[1], made, at=SECOND)[0]) == ["ok", "ok"]

    def say(number: int) -> list[str]:
        at = (1 + 5 * (1 + number // 20)) * SECOND
        return codes(commit(processes[number % 2], [c.by(2, c.SendMessage(1, "hi"))], at=at)[0])

    for time in range(3):  # each time when he may speak again
        with ThreadPoolExecutor(8) as pool:
            outcomes = Counter(code for found in pool.map(say, range(20 * time, 20 * time + 20)) for code in found)
        assert outcomes == {"ok": 1, "rate_limited": 19}
