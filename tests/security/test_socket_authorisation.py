"""Authorisation: who may send which command of the native socket about a private room."""

from __future__ import annotations

import json
from typing import Any

import pytest
from laws.town import Person, Server
from websockets.asyncio.client import connect

from veche.dialects.native.frames import NAMES

from .standings import STANDINGS, THUMB, stage, with_outsiders

FREE = {"hello", "sync", "refresh"}  # about the connection itself; `sync` leaves out rooms that one does not hear


class Command:
    """A command, and what each standing is answered: `ok`, or the code of the refusal (`with_outsiders`).

    The values of the fields are names of what is in the room, or are as they stand here.
    """

    def __init__(self, answers: str, fields: dict[str, object], **others: str) -> None:
        self.answers, self.fields = with_outsiders(f"unauthenticated {answers}", **others), fields


MESSAGE: dict[str, object] = {"room_id": "room_id", "message_id": "message_id"}
ACCOUNT: dict[str, object] = {"room_id": "room_id", "account_id": "account_id"}
ROOM: dict[str, object] = {"room_id": "room_id"}
COMMANDS = {
    "send": Command("not_found forbidden ok ok ok", {**ROOM, "text": "hi"}),
    "edit": Command("not_found forbidden forbidden forbidden ok", {**MESSAGE, "text": "ho"}),
    "delete": Command("not_found forbidden forbidden ok ok", MESSAGE),
    "react": Command("not_found forbidden ok ok ok", {**MESSAGE, "emoji": THUMB}),
    "unreact": Command("not_found forbidden ok ok ok", {**MESSAGE, "emoji": THUMB}),
    "pin": Command("not_found forbidden ok ok ok", MESSAGE),
    "unpin": Command("not_found forbidden ok ok ok", MESSAGE),
    "follow": Command("not_found ok ok ok ok", {**ROOM, "thread_id": "thread_id"}),
    "unfollow": Command("not_found ok ok ok ok", {**ROOM, "thread_id": "thread_id"}),
    "join": Command("not_found ok ok ok ok", ROOM, invited="ok"),
    "leave": Command("not_found ok ok ok ok", ROOM),
    "read": Command("not_found ok ok ok ok", {**ROOM, "seq": 1}),
    "notify": Command("not_found ok ok ok ok", {**ROOM, "level": "none"}),
    "who": Command("not_found ok ok ok ok", ROOM),
    "typing": Command("not_found ok ok ok ok", ROOM),
    "role": Command("not_found forbidden forbidden forbidden ok", {**ACCOUNT, "role": "reader"}),
    "ban": Command("not_found forbidden forbidden ok ok", ACCOUNT),
    "unban": Command("not_found forbidden forbidden ok ok", ACCOUNT),
    "invite": Command("not_found forbidden forbidden ok ok", {**ROOM, "account_id": "guest"}),
    "uninvite": Command("not_found forbidden forbidden ok ok", {**ROOM, "account_id": "guest"}),
    "link": Command("not_found forbidden forbidden ok ok", ROOM),
    "unlink": Command("not_found forbidden forbidden ok ok", {**ROOM, "code": "code"}),
    "join_link": Command("ok ok ok ok ok", {"code": "code"}, banned="forbidden"),
    "update_room": Command("not_found forbidden forbidden ok ok", {**ROOM, "topic": "Lunch"}),
}


def test_every_command_has_its_row() -> None:
    assert set(COMMANDS) | FREE == set(NAMES)


@pytest.mark.parametrize("name", COMMANDS)
async def test_who_may_send_what_about_a_private_room(server: Server, others: dict[str, Person], name: str) -> None:
    command, found = COMMANDS[name], stage(server, others)
    fields = {field: found.values.get(str(value), value) for field, value in command.fields.items()}
    answers = {standing: await answer_to(server, found.people[standing], name, fields) for standing in STANDINGS}
    assert answers == command.answers


async def answer_to(server: Server, person: Person | None, name: str, fields: dict[str, Any]) -> str:
    if person is not None:
        async with person.socket() as socket:
            return said(await socket.ask(name, **fields))
    async with connect(f"ws://127.0.0.1:{server.port}/v1/socket", ping_interval=None) as connection:
        await connection.send(json.dumps({"id": 1, name: fields}))
        return said(json.loads(await connection.recv()))


def said(answer: dict[str, Any]) -> str:
    return str(answer["error"]["code"]) if "error" in answer else "ok"
