"""The commands besides sending have a method each, and what they do is told by an event of its own name."""

from __future__ import annotations

from typing import Any

import pytest

from .driven import Driven, Refused, driven
from .people import Person

pytestmark = pytest.mark.slow


async def heard(listener: Driven, name: str, times: int) -> list[dict[str, Any]]:
    """Return the bodies of the events of a name, once there are so many."""
    await listener.until(lambda: listener.count(name) >= times, f"{times} times {name}")
    bodies: list[dict[str, Any]] = listener.all(name)
    assert bodies == [event["body"] for event in listener.all("event") if event["kind"] == name]
    return bodies


async def test_reactions_and_pins(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with driven(language, ann.base, ann.token) as client:
        await client.caught_up()
        message = (await client.do("send", room, "hello"))["message_id"]
        put = await client.do("react", room, message, "👍")
        assert (put["message_id"], put["emoji"], put["duplicate"]) == (message, "👍", False)
        await client.do("unreact", room, message, "👍")
        reacted = await heard(client, "reacted", 2)
        assert [(body["added"], body["count"]) for body in reacted] == [(True, 1), (False, 0)]
        assert reacted[0]["seq"] == put["seq"]
        assert {(body["account"]["id"], body["message_id"], body["emoji"]) for body in reacted} == {
            (ann.id, message, "👍")
        }

        assert (await client.do("pin", room, message))["message_id"] == message
        await client.do("unpin", room, message)
        pinned = await heard(client, "pinned", 2)
        assert [(body["message_id"], body["pinned"]) for body in pinned] == [(message, True), (message, False)]
        with pytest.raises(Refused, match="invalid"):
            await client.do("react", room, message, "no emoji")


async def test_threads(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with driven(language, ann.base, ann.token) as client:
        await client.caught_up()
        root = (await client.do("send", room, "hello"))["message_id"]
        await client.do("send", room, "in the thread", {"thread_id": root})
        await client.do("unfollow", room, root)
        assert (await client.do("follow", room, root))["thread_id"] == root
        threads = lambda: [own["thread"] for own in client.all("me") if "thread" in own]  # noqa: E731
        expected = [{"room_id": room, "thread_id": root, "follows": follows} for follows in (True, False, True)]
        await client.until(lambda: len(threads()) >= 3, "three changes of a thread")
        assert threads() == expected


async def test_roles_and_bans(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with driven(language, ann.base, ann.token) as client:
        await client.caught_up()
        given = await client.do("set_role", room, bob.id, "moderator")
        assert (given["account_id"], given["role"]) == (bob.id, "moderator")
        [role] = await heard(client, "role", 1)
        assert (role["account"]["id"], role["role"], role["by_id"]) == (bob.id, "moderator", ann.id)

        await client.do("ban", room, bob.id, 3600)
        await client.do("ban", room, bob.id)
        await client.do("unban", room, bob.id)
        [unbanned] = await heard(client, "unbanned", 1)
        first, second = await heard(client, "banned", 2)
        assert first["until"] is not None
        assert second["until"] is None
        assert {body["account"]["id"] for body in (first, second, unbanned)} == {bob.id}
        assert [body["account"]["id"] for body in await heard(client, "left", 1)] == [bob.id]


async def test_invitations(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room()
    async with driven(language, ann.base, ann.token) as client, driven(language, bob.base, bob.token) as other:
        await client.caught_up()
        await other.caught_up()
        invited = await client.do("invite", room, bob.id)
        assert invited["account_id"] == bob.id
        [seen] = await heard(client, "invited", 1)
        assert (seen["account"]["id"], seen["by_id"]) == (bob.id, ann.id)
        await other.do("uninvite", room, bob.id)
        [refused] = await heard(client, "uninvited", 1)
        assert (refused["account"]["id"], refused["by_id"]) == (bob.id, bob.id)


async def test_what_is_set_for_a_room(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with driven(language, ann.base, ann.token) as client:
        await client.caught_up()
        await client.do("enqueue", "update_room", {"room_id": room, "topic": "Tea", "slow_seconds": 5})
        [updated] = await heard(client, "updated", 1)
        assert (updated["topic"], updated["archived"], updated["slow_seconds"]) == ("Tea", False, 5)
        assert updated["account"]["id"] == ann.id
