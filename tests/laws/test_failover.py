"""A replica that lacks the last commits takes over while a node runs: clients come back, and load everything again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as driver

from tests.services import MissingError, Postgres
from tests.services.fixtures import skip
from tests.services.redis import RedisAddress
from tests.services.redis_groups import wait_until
from tests.services.replica import Replica
from tests.unit.storage.relay import Relay

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


def listen(redis: RedisAddress) -> driver.client.PubSub:
    """Hear all that the nodes publish."""
    spy = driver.Redis.from_url(redis.url()).pubsub()  # type: ignore[no-untyped-call]
    spy.psubscribe("veche:*")
    assert spy.get_message(timeout=5)
    return spy


def entry_heard(spy: driver.client.PubSub, text: str) -> tuple[bytes, bytes]:
    """Wait for a message. Return its channel and its frame."""
    while True:
        message = spy.get_message(timeout=10)
        assert message is not None, "nothing was published"
        if text.encode() in message["data"]:
            return message["channel"], message["data"]


async def test_frames_of_the_history_before_a_failover_are_not_taken_after_it(
    primary: Postgres, redis: RedisAddress, tmp_path: Path
) -> None:
    """A node that stood still meanwhile would send them, and so would somebody who has recorded them."""
    primary.new_database("chat")
    with (
        Replica(primary) as replica,
        contextlib.closing(listen(redis)) as spy,
        serving(tmp_path, url=both(primary, replica, "chat"), VECHE_BUS_URL=redis.url()) as server,
    ):
        ann, bob = server.person(), server.person()
        room = ann.make_room(bob)
        replica.wait_for(primary)
        replica.stop()
        async with bob.socket() as socket:
            seq = ann.say(room, "only on the primary")["seq"]
            _, frame = entry_heard(spy, "only on the primary")
            primary.kill()
            replica.start()
            replica.promote()
            assert await socket.ended() == COME_BACK
        async with bob.socket() as socket:
            assert ann.say(room, "new")["seq"] == seq
            channel, _ = entry_heard(spy, "new")
            driver.Redis.from_url(redis.url()).publish(channel, frame)
            ann.say(room, "newer")
            await socket.until(lambda one: one.get("message", {}).get("text") == "newer")
            assert [one["message"]["text"] for one in socket.frames if "message" in one] == ["new", "newer"]
        wait_until(lambda: "frames of the bus were dropped" in server.log, "it was taken")


async def test_a_copy_of_the_database_on_the_same_redis_disturbs_nobody(
    primary: Postgres, redis: RedisAddress, tmp_path: Path
) -> None:
    """It has the same secret, the same identifier of the server and the same name."""
    primary.new_database("chat")
    for name in ("here", "copy"):
        (tmp_path / name).mkdir()
    bus = {"VECHE_BUS_URL": redis.url()}
    with serving(tmp_path / "here", url=primary.url("chat"), **bus) as server, Replica(primary) as replica:
        ann, bob = server.person(), server.person()
        room = ann.make_room(bob)
        replica.wait_for(primary)
        replica.promote()
        with serving(tmp_path / "copy", url=replica.url("chat"), **bus) as copy:
            async with bob.socket() as socket:
                ann.server = copy
                seq = ann.say(room, "tried on the copy")["seq"]
                ann.server = server
                assert ann.say(room, "here")["seq"] == seq
                await socket.until(lambda one: "message" in one)
                assert [one["message"]["text"] for one in socket.frames if "message" in one] == ["here"]


async def test_a_node_stops_although_it_does_not_know_what_is_stored(primary: Postgres, tmp_path: Path) -> None:
    """PostgreSQL has gone in the middle of a commit, and does not come back."""
    with Relay(primary.new_database("chat")) as relay, serving(tmp_path, url=relay.url) as server:
        ann = server.person()
        room = ann.make_room(kind="channel")
        async with ann.socket() as socket:
            relay.refuses_after_cut = True
            relay.cut_at(b"COMMIT", forward=True, after=b"in doubt")
            id = await socket.say("send", room_id=room, text="in doubt")
            wait_until(lambda: relay.cuts, "nothing was committed")
            code = await asyncio.to_thread(server.stop)
            await socket.ended()
            assert [frame for frame in socket.frames if frame.get("id") == id] == []
        assert code == 0
        assert "1 requests are not answered: they may be stored" in server.log
    assert primary.psql("SELECT text FROM veche.messages", database="chat") == [("in doubt",)]


def sent(person: Person, room: int, client_id: str, *, idle: bool) -> bool:
    """Send again until it is answered."""
    return not idle and "seq" in person.say(room, "new", client_id)
