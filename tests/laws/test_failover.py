"""A replica that lacks the last commits takes over while a node runs: clients come back, and load everything again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import MissingError, Postgres
from tests.services.fixtures import skip
from tests.services.replica import Replica

from .town import Person, serving

COME_BACK = 4202


@pytest.fixture
def primary() -> Iterator[Postgres]:
    try:
        with Postgres() as postgres:
            yield postgres
    except MissingError as missing:
        skip(missing)


def both(primary: Postgres, replica: Postgres, database: str) -> str:
    """Return the address of whichever of the two can be written."""
    before, _, host = primary.url(database).rpartition("@")
    return f"{before}@{host.partition('/')[0]},127.0.0.1:{replica.port}/{database}"


@pytest.mark.parametrize("idle", [True, False], ids=["nobody writes", "somebody writes"])
async def test_a_replica_that_takes_over_sends_every_client_back(primary: Postgres, tmp_path: Path, idle: bool) -> None:
    primary.new_database("chat")
    with Replica(primary) as replica, serving(tmp_path, url=both(primary, replica, "chat")) as server:
        ann, bob = server.person(), server.person()
        room = ann.make_room(bob)
        kept = ann.say(room, "on both")
        replica.wait_for(primary)
        replica.stop()
        lost = ann.say(room, "only on the primary", "c-lost")
        async with bob.socket() as socket:
            epoch = socket.welcome["epoch"]
            held = bob.history(room)
            assert held[-1]["seq"] == lost["seq"]

            primary.kill()
            replica.start()
            replica.promote()
            if not idle:
                with contextlib.suppress(AssertionError):  # it may be refused for a moment
                    ann.say(room, "new", "c-new")
            assert await socket.ended() == COME_BACK

        texts = ["on both"] + (["new"] if sent(ann, room, "c-new", idle=idle) else [])
        assert [one["text"] for one in bob.history(room)] == texts
        async with bob.socket(epoch=epoch, rooms={str(room): lost["seq"]}, me=0) as socket:
            assert socket.welcome["epoch"] != epoch
            assert {frame["reset"]["reason"] for frame in socket.frames if "reset" in frame} == {"epoch"}
        # The number of the message that was lost is given again, and its retry stores it: it was never there.
        again = ann.say(room, "only on the primary", "c-lost")
        assert again["seq"] == kept["seq"] + len(texts)
        assert "it has a new epoch, and clients load again" in server.log


def sent(person: Person, room: int, client_id: str, *, idle: bool) -> bool:
    """Send again until it is answered."""
    return not idle and "seq" in person.say(room, "new", client_id)
