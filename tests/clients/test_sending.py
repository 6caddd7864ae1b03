"""What a client sends is stored once and in order, whatever happens to the server, the network and the client."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from tests.chaos.network import Network
from tests.veche_process import VecheProcess, run_veche

from .driven import Driven, Refused, check_order, driven
from .people import Person
from .relay import Frame, relaying

pytestmark = pytest.mark.slow


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


def draw_epoch(server: VecheProcess) -> None:
    run_veche("epoch", "new", "--database-url", server.database_url, settings=server.settings).check_returncode()


async def all_stored(client: Driven, ids: list[str]) -> None:
    await client.until(lambda: client.count("stored") >= len(ids), f"the answer to all of {len(ids)} messages")
    assert sorted(stored["outgoing"]["id"] for stored in client.all("stored")) == sorted(ids)


async def check_heard(listener: Driven, room: int, texts: list[str]) -> None:
    """Check that somebody else heard these texts, each once, in this order, and no others."""
    await listener.until(lambda: len(listener.texts(room)) >= len(texts), "hearing all")
    assert listener.texts(room) == texts
    check_order(listener, room, listener.seqs(room)[0] - 1)


@pytest.mark.timeout(240)
async def test_a_server_that_is_killed_loses_and_repeats_nothing(language: str, server: VecheProcess) -> None:
    ann, bob = Person.new(server.base, "ann"), Person.new(server.base, "bob")
    rooms = [ann.make_room(bob), ann.make_room(bob)]
    async with driven(language, server.base, bob.token) as listener, driven(language, server.base, ann.token) as sender:
        await asyncio.gather(listener.caught_up(), sender.caught_up())
        said: dict[int, list[str]] = {room: [] for room in rooms}
        ids: list[str] = []

        async def send(number: int) -> None:
            for _ in range(number):
                room = rooms[len(ids) % 2]
                said[room].append(f"m{len(ids)}")
                ids.append(await sender.do("enqueue", "send", {"room_id": room, "text": said[room][-1]}))

        for how in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            answered = sender.count("stored")
            await send(60)
            await sender.until(lambda answered=answered: sender.count("stored") > answered + 5)
            await asyncio.gather(asyncio.to_thread(server.end, how), send(60))  # some are on their way as it ends
            await send(10)
            assert sender.count("stored") < len(ids), "those of a moment ago were to wait for the next server"
            await asyncio.to_thread(server.start)
        await all_stored(sender, ids)
        for room in rooms:
            await check_heard(listener, room, said[room])
            assert [message["text"] for message in ann.stored(room)] == said[room]
            check_order(sender, room, sender.seqs(room)[0] - 1)
        assert not sender.all("failed")
        assert not sender.all("reset")


async def test_a_connection_that_drops_costs_nothing(language: str, network: Network, ann: Person, bob: Person) -> None:
    wire = network.wire(int(ann.base.rpartition(":")[2]))
    room = ann.make_room(bob)
    url = f"http://127.0.0.1:{wire.port}"
    async with driven(language, url, bob.token) as listener, driven(language, url, ann.token) as sender:
        await asyncio.gather(listener.caught_up(), sender.caught_up())
        texts, ids = [], []
        for turn in range(4):
            answered = sender.count("stored")
            for n in range(30):
                texts.append(f"{turn}.{n}")
                ids.append(await sender.do("enqueue", "send", {"room_id": room, "text": texts[-1]}))
            await sender.until(lambda answered=answered: sender.count("stored") > answered)
            await asyncio.to_thread(wire.cut)
            await sender.until(lambda: sender.all("status")[-1] == "waiting")
            await asyncio.to_thread(wire.mend)
            await sender.do("wake")
        await all_stored(sender, ids)
        await check_heard(listener, room, texts)


async def test_a_connection_that_falls_silent_is_given_up(
    language: str, network: Network, ann: Person, bob: Person
) -> None:
    wire = network.wire(int(ann.base.rpartition(":")[2]))
    room = ann.make_room(bob)
    async with driven(language, f"http://127.0.0.1:{wire.port}", bob.token) as client:
        await client.caught_up()
        for _ in range(5):  # the client has asked before: by then it knows how often this server pings
            await client.do("rest", "limits")
        await asyncio.to_thread(wire.hold)
        start = asyncio.get_running_loop().time()
        await asyncio.to_thread(ann.say, room, "meanwhile")
        await client.until(lambda: client.all("status")[-1] == "waiting", "noticing the silence")
        assert asyncio.get_running_loop().time() - start < 20, "it was to be as long as this server says"
        id = await client.do("enqueue", "send", {"room_id": room, "text": "into the silence"})
        await asyncio.to_thread(wire.cut)
        await asyncio.to_thread(wire.mend)
        await all_stored(client, [id])
        await client.caught_up(2)
        await client.until(lambda: len(client.texts(room)) == 2)
    assert sorted(message["text"] for message in ann.stored(room)) == ["into the silence", "meanwhile"]


async def test_a_client_that_is_killed_sends_again_what_it_had_saved(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay:
        async with driven(language, relay.url, ann.token) as sender:
            await sender.caught_up()
            relay.down = lambda frame: [] if "send" in frame else [frame]  # the answers are lost
            ids = [
                await sender.do("enqueue", "send", {"room_id": room, "text": text}) for text in ("one", "two", "three")
            ]
            await sender.until(lambda: sender.texts(room) == ["one"])
            saved = await sender.do("saved")
            await sender.kill()
        assert [outgoing["id"] for outgoing in saved["outbox"]] == ids
        relay.down = lambda frame: [frame]
        async with driven(language, relay.url, ann.token, saved) as sender:
            await all_stored(sender, ids)
            assert [stored["answer"]["duplicate"] for stored in sender.all("stored")] == [True, False, False]
            await sender.until(lambda: sender.texts(room) == ["two", "three"])
            assert (await sender.do("saved"))["outbox"] == []
    assert [message["client_message_id"] for message in ann.stored(room)] == ids


async def test_changes_of_messages_are_sent_again_too(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, ann.token) as client:
        await client.caught_up()
        kept, lost = [(await client.do("send", room, text))["message_id"] for text in ("kept", "lost")]
        relay.down = lambda frame: [] if "edit" in frame else [frame]  # the answer is lost
        edit = await client.do("enqueue", "edit", {"room_id": room, "message_id": kept, "text": "changed"})
        delete = client.call("delete", room, lost)
        await client.until(lambda: client.all("event")[-1]["kind"] == "edited")
        relay.down = lambda frame: [frame]
        await relay.close_all(1012)
        assert (await delete)["revision"] == 1
        first = client.all("stored")[2]
        assert (first["outgoing"]["id"], first["answer"]["duplicate"]) == (edit, True)
        assert (await client.do("edit", room, kept, "changed again"))["revision"] == 2
        await client.until(lambda: len(client.seqs(room)) == 5)
        kinds = [event["kind"] for event in client.all("event") if event["room_id"] == room]
        assert kinds == ["message", "message", "edited", "deleted", "edited"]
        check_order(client, room, client.seqs(room)[0] - 1)
    assert [message["text"] for message in ann.stored(room)] == ["changed again", ""]


async def test_a_message_may_answer_another_and_be_in_a_thread(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with driven(language, ann.base, ann.token) as client:
        await client.caught_up()
        first = (await client.do("send", room, "first"))["message_id"]
        await client.do("send", room, "second", {"reply_to_id": first, "thread_id": first})
        await client.do("enqueue", "unfollow", {"room_id": room, "thread_id": first})
        await client.until(lambda: client.count("stored") == 3 and client.count("me"))
        assert client.all("stored")[2]["answer"] == {"room_id": room, "thread_id": first, "duplicate": False}
        second = client.all("message")[-1]
        assert (second["reply_to"]["id"], second["thread_id"], second["thread_seq"]) == (first, first, 1)


async def test_what_is_refused_for_now_is_sent_again_before_what_follows(
    language: str, ann: Person, bob: Person
) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, ann.token) as sender:
        await sender.caught_up()
        refused: list[str] = []

        def up(frame: Frame) -> list[Frame]:
            text = frame.get("send", {}).get("text")
            if text not in ("one", "two") or refused.count(text) == 2:
                return [frame]
            refused.append(text)
            error = {"code": "unavailable", "message": "Not now.", "temporary": True, "retry_after_ms": 20}
            asyncio.get_running_loop().create_task(relay.push({"id": frame["id"], "error": error}))
            return []

        relay.up = up
        texts = ["one", "two", "three"]
        ids = [await sender.do("enqueue", "send", {"room_id": room, "text": text}) for text in texts]
        await all_stored(sender, ids)
        assert refused == ["one", "one", "two", "two"]
    assert [message["text"] for message in ann.stored(room)] == texts


async def test_what_is_refused_because_the_session_has_ended_waits_for_the_next_one(
    language: str, ann: Person, bob: Person
) -> None:
    room = ann.make_room(bob)
    fresh = ann.sign_in()
    async with relaying(ann.base) as relay, driven(language, relay.url, ann.token, tokens=[fresh]) as client:
        await client.caught_up()

        def up(frame: Frame) -> list[Frame]:
            if "send" not in frame:
                return [frame]
            error = {"code": "unauthenticated", "message": "Your session has ended.", "temporary": False}
            asyncio.get_running_loop().create_task(relay.push({"id": frame["id"], "error": error}))
            return []

        relay.up = up
        ids = [await client.do("enqueue", "send", {"room_id": room, "text": text}) for text in ("one", "two")]
        await client.do("rest", "limits")
        relay.up = lambda frame: [frame]
        await relay.close_all(4004, {"code": 4004, "reason": "session_ended"})
        await all_stored(client, ids)
        assert not client.all("failed")
        assert len([frame for frame in relay.sent if "send" in frame]) == 3


async def test_what_is_refused_for_good_is_told_and_not_sent_again(language: str, ann: Person, bob: Person) -> None:
    room, lost = ann.make_room(bob), ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, bob.token) as client:
        await client.caught_up()
        await asyncio.to_thread(ann.call, "DELETE", f"rooms/{lost}/members/{bob.id}")
        with pytest.raises(Refused, match="not_found"):
            await client.do("send", lost, "too late")
        with pytest.raises(Refused, match="invalid"):
            await client.do("send", room, "x" * 20_000)
        with pytest.raises(Refused, match="too_large"):
            await client.do("send", room, "\n" * 40_000)  # it would close the connection
        assert (await client.do("send", room, "fits", {"client_message_id": "my-id"}))["client_message_id"] == "my-id"
        with pytest.raises(Refused, match="idempotency_mismatch"):
            await client.do("send", room, "another", {"client_message_id": "my-id"})
        assert (await client.do("send", room, "fits", {"client_message_id": "my-id"}))["duplicate"]
        await client.until(lambda: client.count("failed") == 4)
        codes = [failed["code"] for failed in client.all("failed")]
        assert codes == ["not_found", "invalid", "too_large", "idempotency_mismatch"]
        assert len(relay.hellos) == 1
        assert (await client.do("saved"))["outbox"] == []


async def test_a_restored_database_resets_the_logs_and_keeps_what_waits(language: str, server: VecheProcess) -> None:
    ann, bob = Person.new(server.base, "ann"), Person.new(server.base, "bob")
    room = ann.make_room(bob)
    async with driven(language, server.base, bob.token) as client:
        await client.caught_up()
        before = await client.do("saved")
        seq = await asyncio.to_thread(ann.say, room, "known")
        await client.until(lambda: client.texts(room))
        await asyncio.to_thread(server.end)
        id = await client.do("enqueue", "send", {"room_id": room, "text": "waits"})
        await asyncio.to_thread(draw_epoch, server)
        await asyncio.to_thread(server.start)
        await client.caught_up(2)
        await all_stored(client, [id])
        resets = {reset["room_id"]: reset for reset in client.all("reset")}
        assert {reset["reason"] for reset in resets.values()} == {"epoch"}
        assert set(resets) == {room, None}
        assert resets[room]["seq"] >= seq
        after = await client.do("saved")
        assert after["epoch"] != before["epoch"]
        await asyncio.to_thread(ann.say, room, "goes on")
        await client.until(lambda: client.texts(room)[-1] == "goes on")
        assert (await client.do("saved"))["rooms"] == {str(room): client.seqs(room)[-1]}
