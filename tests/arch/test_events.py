"""What each dialect shows of each event. A new event or dialect needs a cell here: to show nothing is a decision."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from veche.app import DIALECTS
from veche.core.bans import MemberBanned, MemberUnbanned
from veche.core.deletion import MessageDeleted
from veche.core.editing import MessageEdited
from veche.core.event import LogEvent
from veche.core.invitations import InvitationCame, InvitationEnded, InvitationGone, MemberInvited
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.messages import Message
from veche.core.notifications import LevelChanged
from veche.core.ownership import OwnerChanged
from veche.core.pins import MessagePinned
from veche.core.profile import AccountChanged
from veche.core.reactions import MessageReacted
from veche.core.reading import MessageRead, ReadMoved
from veche.core.roles import RoleChanged
from veche.core.room_renaming import RoomRenamed
from veche.core.room_settings import RoomChanged
from veche.core.sessions import SessionsEnded
from veche.core.threads import ThreadFollowed
from veche.core.values import Kind, Level, Person, Role, Room
from veche.gateway.socketio import Serializers
from veche.hub.serializer import Serializer

from .test_house import SOURCE, subclasses

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(dialect.name for dialect in DIALECTS)

TABLE = """\
| event            | native | dispatch | rooms   | socketio | channels | messenger |
|------------------|--------|----------|---------|----------|----------|-----------|
| Message, text    | frame  | frame    | frame   | frame    | frame    | frame     |
| Message, notice  | frame  | nothing  | frame   | nothing  | nothing  | frame     |
| Message, deleted | frame  | nothing  | nothing | nothing  | nothing  | frame     |
| MessageEdited    | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MessageDeleted   | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MessageReacted   | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MessagePinned    | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MemberJoined     | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MemberLeft       | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| OwnerChanged     | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| RoleChanged      | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MemberBanned     | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MemberUnbanned   | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MemberInvited    | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| InvitationEnded  | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| RoomRenamed      | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| RoomChanged      | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| RoomEntered      | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| RoomExited       | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| InvitationCame   | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| InvitationGone   | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| ReadMoved        | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| LevelChanged     | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| MessageRead      | frame  | nothing  | nothing | nothing  | nothing  | frame     |
| SessionsEnded    | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| AccountChanged   | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
| ThreadFollowed   | frame  | nothing  | nothing | nothing  | nothing  | nothing   |
"""

ANN, BOB = Person(1, "ann", "Ann"), Person(2, "bob", "Bob")
ROOM = Room(7, Kind.GROUP, "Team", ANN.id, 0)
MESSAGE = Message(ROOM.id, 3, 0, 1, ANN, "hi", None, "native", 1)
SAMPLES: dict[str, LogEvent] = {
    "Message, text": MESSAGE,
    "Message, notice": Message(ROOM.id, 3, 0, 1, ANN, "hi", None, "native", 1, "notice"),
    "Message, deleted": replace(MESSAGE, text="", revision=1, deleted_by=ANN.id),
    "MessageEdited": MessageEdited(ROOM.id, 4, 0, replace(MESSAGE, text="ho", revision=1, edited_at=0), 1),
    "MessageDeleted": MessageDeleted(ROOM.id, 4, 0, 1, 3, 1, ANN.id),
    "MessageReacted": MessageReacted(ROOM.id, 4, 0, ANN, 1, "\U0001f44d", True, 1),
    "MessagePinned": MessagePinned(ROOM.id, 4, 0, ANN, 1, True),
    "MemberJoined": MemberJoined(ROOM.id, 3, 0, ANN, Role.MEMBER, BOB.id),
    "MemberLeft": MemberLeft(ROOM.id, 3, 0, ANN, BOB.id),
    "OwnerChanged": OwnerChanged(ROOM.id, 3, 0, ANN, BOB.id),
    "MemberBanned": MemberBanned(ROOM.id, 3, 0, ANN, BOB.id),
    "MemberUnbanned": MemberUnbanned(ROOM.id, 3, 0, ANN, BOB.id),
    "MemberInvited": MemberInvited(ROOM.id, 3, 0, ANN, BOB.id),
    "InvitationEnded": InvitationEnded(ROOM.id, 3, 0, ANN, BOB.id),
    "InvitationCame": InvitationCame(-ANN.id, 3, 0, ROOM, BOB),
    "InvitationGone": InvitationGone(-ANN.id, 3, 0, ROOM.id),
    "RoleChanged": RoleChanged(ROOM.id, 3, 0, ANN, Role.MODERATOR, BOB.id),
    "RoomRenamed": RoomRenamed(ROOM.id, 3, 0, ANN, "Crew"),
    "RoomChanged": RoomChanged(ROOM.id, 3, 0, ANN, ROOM),
    "RoomEntered": RoomEntered(-ANN.id, 3, 0, ROOM, 5),
    "RoomExited": RoomExited(-ANN.id, 3, 0, ROOM.id, 5),
    "ReadMoved": ReadMoved(-ANN.id, 3, 0, ROOM.id, 5, 1),
    "LevelChanged": LevelChanged(-ANN.id, 3, 0, ROOM.id, Level.NONE),
    "MessageRead": MessageRead(-ANN.id, 3, 0, ROOM.id, 1, BOB.id),
    "ThreadFollowed": ThreadFollowed(-ANN.id, 3, 0, ROOM.id, 1, True),
    "SessionsEnded": SessionsEnded(-ANN.id, 3, 0, "one session"),
    "AccountChanged": AccountChanged(-ANN.id, 3, 0, ANN),
}
ARGUMENTS = {"serializer_of": "System", "read_serializer_of": ROOM.id}  # of functions that make a serializer


def read_table() -> dict[tuple[str, str], str]:
    """Read what TABLE says, by event and dialect."""
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines())
    cells = {(line[0], name): cell for line in lines for name, cell in zip(head[1:], line[1:], strict=True)}
    return {place: cell for place, cell in cells.items() if cell}


def serializers_of(dialect: str) -> list[Serializer]:
    """Find the serializers of a dialect: those in its modules, and those that its functions make."""
    found: dict[Serializer, None] = {}
    for path in sorted((SOURCE / "dialects" / dialect).glob("*.py")):
        module = importlib.import_module(f"veche.dialects.{dialect}.{path.stem}")
        for name, value in vars(module).items():
            if isinstance(value, Serializer):
                found[value] = None
            elif isinstance(value, Serializers):
                found |= {value.polling: None, value.websocket: None}
            elif makes_serializer(value):
                found[value(ARGUMENTS[name])] = None
    return list(found)


def makes_serializer(value: object) -> bool:
    """Tell whether a value is a function, cached or not, whose return type is Serializer."""
    function = inspect.unwrap(value) if callable(value) else None
    return inspect.isfunction(function) and inspect.signature(function, eval_str=True).return_annotation is Serializer


def shown(event: LogEvent, dialect: str) -> str:
    """Encode an event by all serializers of a dialect."""
    payloads = [serializer.encode(event) for serializer in serializers_of(dialect)]
    return "nothing" if all(payload is None for payload in payloads) else "frame"


def events() -> Iterator[str]:
    for kind in subclasses(LogEvent):
        rows = [name for name in SAMPLES if name.partition(",")[0] == kind.__name__]
        yield from rows or [kind.__name__]


def test_every_event_has_a_sample_of_its_type() -> None:
    kinds = {kind.__name__: kind for kind in subclasses(LogEvent)}
    missing = set(events()) - set(SAMPLES)
    assert not missing, f"give a sample of these in SAMPLES: {sorted(missing)}"
    for name, sample in SAMPLES.items():
        assert type(sample) is kinds[name.partition(",")[0]]


def test_every_event_and_dialect_has_a_cell() -> None:
    needed = {(event, dialect) for event in events() for dialect in NAMES}
    missing = needed - set(read_table())
    assert not missing, f"say in TABLE what these show, 'frame' or 'nothing': {sorted(missing)}"
    extra = set(read_table()) - needed
    assert not extra, f"there is no such event or dialect, take it out of TABLE: {sorted(extra)}"
    assert set(read_table().values()) <= {"frame", "nothing"}


@pytest.mark.parametrize("dialect", NAMES)
def test_a_dialect_shows_what_the_table_says(dialect: str) -> None:
    said = {event: cell for (event, name), cell in read_table().items() if name == dialect}
    assert {event: shown(sample, dialect) for event, sample in SAMPLES.items()} == said


@pytest.mark.parametrize("dialect", NAMES)
def test_a_dialect_has_a_serializer(dialect: str) -> None:
    assert serializers_of(dialect), f"dialects/{dialect}: no serializer was found"


def test_the_page_shows_the_table() -> None:
    page = (ROOT / "docs" / "feature.md").read_text(encoding="utf-8")
    assert f"\n{TABLE}\n" in page, "docs/feature.md: show TABLE of tests/arch/test_events.py as it is"
