"""Pins: who may pin what, how many, and that a deleted message is pinned no more."""

from __future__ import annotations

import pytest

from veche.core.errors import Code
from veche.core.pins import MAX_PINS, PINS, MessagePinned, Pinned
from veche.core.values import LOBBY_ID, Kind, Person

from . import commands as c
from .conftest import People
from .world import Town


def pin(by: int, room: int, message: int, client_id: str | None = None) -> c.Request:
    return c.by(by, c.PinMessage(room, message, client_id=client_id))


def unpin(by: int, room: int, message: int, client_id: str | None = None) -> c.Request:
    return c.by(by, c.PinMessage(room, message, False, client_id=client_id))


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.DIRECT])
def test_every_member_pins_in_private_rooms(town: Town, people: People, kind: Kind) -> None:
    room = town.room(people.ann, kind, people.bob)
    message = town.say(people.ann, room).message
    assert town.do(pin(people.bob, room, message.id)) == Pinned(room, message.seq + 1, message.id)
    bob = Person(people.bob, "bob", "bob")
    assert town.news == [MessagePinned(room, message.seq + 1, town.now, bob, message.id, True)]
    assert town.rows(PINS)[room] == {message.id: message.seq + 1}
    town.do(unpin(people.ann, room, message.id))
    assert (town.rows(PINS)[room], town.kinds()) == ({}, ["MessagePinned"])


def test_the_owner_pins_in_a_channel(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL, people.bob)
    message = town.say(people.bob, room).message
    assert town.refuses(pin(people.bob, room, message.id)).code is Code.FORBIDDEN
    town.do(pin(people.ann, room, message.id))
    assert town.refuses(unpin(people.bob, room, message.id)).code is Code.FORBIDDEN


def test_nobody_pins_in_the_lobby(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID).message
    assert town.refuses(pin(people.ann, LOBBY_ID, message.id)).code is Code.FORBIDDEN


def test_strangers_learn_nothing(town: Town, people: People) -> None:
    room, channel = town.room(people.ann), town.room(people.ann, Kind.CHANNEL)
    assert town.refuses(pin(people.eve, room, town.say(people.ann, room).message.id)).code is Code.NOT_FOUND
    assert town.refuses(pin(people.eve, channel, town.say(people.ann, channel).message.id)).code is Code.NOT_MEMBER


def test_to_pin_again_changes_nothing(town: Town, people: People) -> None:
    room = town.room(people.ann)
    message = town.say(people.ann, room).message
    assert (town.do(unpin(people.ann, room, message.id)).seq, town.news) == (message.seq, [])
    first = town.do(pin(people.ann, room, message.id, "p-1"))
    assert (town.do(pin(people.ann, room, message.id)), town.news) == (first, [])
    town.do(unpin(people.ann, room, message.id))
    again = town.do(pin(people.ann, room, message.id, "p-1"))
    assert (again.duplicate, again.seq, town.news) == (True, first.seq, [])
    assert town.refuses(unpin(people.ann, room, message.id, "p-1")).code is Code.IDEMPOTENCY_MISMATCH


def test_a_deleted_message_is_pinned_no_more(town: Town, people: People) -> None:
    room = town.room(people.ann)
    message, other = town.say(people.ann, room).message, town.say(people.ann, room).message
    town.do(pin(people.ann, room, message.id))
    seq = town.do(pin(people.ann, room, other.id)).seq
    town.do(c.by(people.ann, c.DeleteMessage(room, message.id)))
    assert (town.rows(PINS)[room], town.kinds()) == ({other.id: seq}, ["MessageDeleted"])
    for request in (pin(people.ann, room, message.id), unpin(people.ann, room, message.id)):
        assert town.refuses(request).code is Code.NOT_FOUND


def test_only_a_message_of_the_room_is_pinned(town: Town, people: People) -> None:
    room = town.room(people.ann)
    for id in (town.say(people.ann, LOBBY_ID).message.id, 99):
        refusal = town.refuses(pin(people.ann, room, id))
        assert (refusal.code, refusal.data["what"]) == (Code.NOT_FOUND, "message")


def test_a_room_has_a_limit_of_pins(town: Town, people: People) -> None:
    room = town.room(people.ann)
    ids = [town.say(people.ann, room).message.id for _ in range(MAX_PINS + 2)]
    for id in ids[:MAX_PINS]:
        town.do(pin(people.ann, room, id))
    assert town.refuses(pin(people.ann, room, ids[-1])).code is Code.FORBIDDEN
    town.do(c.by(people.ann, c.DeleteMessage(room, ids[0])))
    town.do(pin(people.ann, room, ids[-1]))
    assert town.refuses(pin(people.ann, room, ids[-2])).code is Code.FORBIDDEN
    assert len(town.rows(PINS)[room]) == MAX_PINS
