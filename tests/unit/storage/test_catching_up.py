"""A snapshot and the events after it equal a fresh snapshot, whenever the parts of the snapshot were read.

The client here does what docs/native.md says, with the frames and pages of the native dialect.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from core import commands as c
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.values import Kind
from veche.dialects.native.encode import event_out
from veche.dialects.native.views import message_out, message_page, time_of
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.entries import read_entries
from veche.storage.log import head_seqs
from veche.storage.messages import history
from veche.storage.pins import pinned
from veche.storage.reactions import page_with_reactions

from .conftest import Counted

ANN, BOB, ROOM = 1, 2, 1
AT = 1_000_000
BEGINNING = [
    c.by(c.NOBODY_ID, c.Register("h", username="ann")),
    c.by(c.NOBODY_ID, c.Register("h", username="bob")),
    c.by(ANN, c.CreateRoom(Kind.GROUP, "Group", (BOB,))),
]
THUMB, HEART = "\U0001f44d", "\u2764\ufe0f"

who = st.sampled_from([ANN, BOB])
message_id = st.integers(1, 3)
commands = st.one_of(
    st.builds(c.by, who, st.builds(c.SendMessage, st.just(ROOM), st.just("hi"))),
    st.builds(c.by, who, st.builds(c.EditMessage, st.just(ROOM), message_id, st.sampled_from(["one", "two"]))),
    st.builds(c.by, who, st.builds(c.DeleteMessage, st.just(ROOM), message_id)),
    *[
        st.builds(
            c.by, who, st.builds(c.React, st.just(ROOM), message_id, st.sampled_from([THUMB, HEART]), st.booleans())
        )
    ]
    * 3,
    *[st.builds(c.by, who, st.builds(c.PinMessage, st.just(ROOM), message_id, st.booleans()))] * 2,
)
FETCH_HISTORY, FETCH_PINS = "history", "pins"
steps = st.lists(commands | st.integers(1, 5), max_size=30)  # a number: read and apply so many events


def messages_now(database: Database) -> dict[int, Any]:
    with database.reading() as tx:
        page = message_page(page_with_reactions(tx, ANN, history(tx, ROOM, 200)))
    return {item["id"]: item for item in msgspec.to_builtins(page)["items"]}


def pins_now(database: Database) -> list[dict[str, Any]]:
    with database.reading() as tx:
        found = pinned(tx, ROOM, ANN, 2**63 - 1, 200)
    return [
        {"message": message_out(view.message).id, "seq": view.seq, "by": view.by.id, "at": time_of(view.at)}
        for view in found
    ]


class Client:
    """The copy of a room that a client of ann keeps."""

    def __init__(self, database: Database, seq: int) -> None:
        self.database = database
        self.seq = seq
        self.messages: dict[int, Any] = {}
        self.pinned: dict[int, dict[str, Any]] = {}

    def fetch(self, what: str) -> None:
        if what == FETCH_HISTORY:
            self.messages = messages_now(self.database)
        else:
            self.pinned = {pin["message"]: pin for pin in pins_now(self.database)}

    def read(self, limit: int) -> bool:
        """Read and apply at most so many events; return whether there were some."""
        with self.database.reading() as tx:
            head = head_seqs(tx, [ROOM])[ROOM]
            found = read_entries(tx, ROOM, self.seq, head, limit)
        for event in found:
            assert event.seq == self.seq + 1
            self.seq = event.seq
            [(name, fields)] = msgspec.to_builtins(event_out(event)).items()
            getattr(self, f"on_{name}")(fields)
        return bool(found)

    def on_message(self, message: dict[str, Any]) -> None:
        assert "reactions" not in message
        have = self.messages.get(message["id"])
        if have is None:
            self.messages[message["id"]] = message
        elif message.get("revision", 0) > have.get("revision", 0):
            kept = {"reactions": have["reactions"]} if "reactions" in have and "deleted_by_id" not in message else {}
            self.messages[message["id"]] = message | kept

    def on_edited(self, edited: dict[str, Any]) -> None:
        if edited["message"]["id"] in self.messages:
            self.on_message(edited["message"])

    def on_deleted(self, deleted: dict[str, Any]) -> None:
        self.pinned.pop(deleted["message_id"], None)
        if (message := self.messages.get(deleted["message_id"])) is not None:
            message.pop("reactions", None)
            message |= {"text": "", "revision": deleted["revision"], "deleted_by_id": deleted["by_id"]}

    def on_reacted(self, reacted: dict[str, Any]) -> None:
        message, emoji = self.messages.get(reacted["message_id"]), reacted["emoji"]
        if message is None or "deleted_by_id" in message:
            return
        found = {reaction["emoji"]: reaction for reaction in message.pop("reactions", [])}
        before = found.pop(emoji, {"mine": False})
        mine = reacted["added"] if reacted["account"]["id"] == ANN else before["mine"]
        if reacted["count"]:
            found[emoji] = {"emoji": emoji, "count": reacted["count"], "mine": mine}
        if found:
            message["reactions"] = sorted(found.values(), key=lambda one: (-one["count"], one["emoji"]))

    def on_pinned(self, event: dict[str, Any]) -> None:
        self.pinned.pop(event["message_id"], None)
        if event["pinned"]:
            pin = {"message": event["message_id"], "seq": event["seq"], "by": event["account"]["id"], "at": event["at"]}
            self.pinned[event["message_id"]] = pin

    def on_joined(self, joined: dict[str, Any]) -> None:
        """Members are not compared here."""

    @property
    def pins(self) -> list[dict[str, Any]]:
        return sorted(self.pinned.values(), key=lambda pin: -pin["seq"])


@contextlib.contextmanager
def opened(template: Path) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        shutil.copy(template, path)
        database = Counted(f"sqlite:///{path}")
        commit(database, BEGINNING, AT)
        yield database
        database.close()


def run(database: Database, client: Client, step: Any) -> None:
    if isinstance(step, int):
        client.read(step)
    elif isinstance(step, str):
        client.fetch(step)
    else:
        commit(database, [step], AT)


def searched(most: int) -> settings:
    return settings(
        max_examples=examples(most),
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.mark.slow
@searched(60)
@given(before=st.lists(commands, max_size=15), parts=st.tuples(steps, steps, steps), history_first=st.booleans())
def test_a_snapshot_and_the_events_after_it_equal_a_fresh_snapshot(
    template: Path, before: list[c.Request], parts: tuple[list[Any], ...], history_first: bool
) -> None:
    fetches = [FETCH_HISTORY, FETCH_PINS] if history_first else [FETCH_PINS, FETCH_HISTORY]
    with opened(template) as database:
        if before:
            commit(database, before, AT)
        with database.reading() as tx:
            client = Client(database, head_seqs(tx, [ROOM])[ROOM])
        for step in [*parts[0], fetches[0], *parts[1], fetches[1], *parts[2]]:
            run(database, client, step)
        while client.read(3):
            pass
        assert client.messages == messages_now(database)
        assert client.pins == pins_now(database)


@pytest.mark.slow
@searched(30)
@given(script=st.lists(commands, min_size=1, max_size=40), limit=st.integers(1, 9))
def test_a_replay_from_the_beginning_equals_a_snapshot(template: Path, script: list[c.Request], limit: int) -> None:
    with opened(template) as database:
        commit(database, script, AT)
        client = Client(database, 0)
        while client.read(limit):
            pass
        assert client.messages == messages_now(database)
        assert client.pins == pins_now(database)
