"""Entries of the table `events`: an event to its row, and a row back to the event.

The columns and `data` are filled by the names of the event's fields: `log_id`, `seq` and `at` have columns of their
own. A person (the field `person`) and a room (`room`, or its id, `room_id`) have columns too; they are stored by id
and resolved when read, so that a renamed account shows under its present name. `peer` is not stored: the room says
who it is. The other fields go into `data`, under their names or what `stored_as` has for them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from veche.core.event import LogEvent
from veche.core.values import Person, Room

_COLUMNS = frozenset({"log_id", "seq", "at", "person", "room", "room_id", "peer"})
_to_json = msgspec.json.Encoder().encode
_of_json = msgspec.json.Decoder(dict[str, Any]).decode


class Form(NamedTuple):
    """How one kind of event is stored: its type, and the fields that go into `data` with their names there."""

    type: type[LogEvent]
    data: tuple[tuple[str, str], ...]
    fields: frozenset[str]


def form_of(event: type[LogEvent]) -> Form:
    """Work out how a kind of event is stored."""
    names = event.__struct_fields__
    data = tuple((name, event.stored_as.get(name, name)) for name in names if name not in _COLUMNS)
    return Form(event, data, frozenset(names))


class Codec:
    """Encodes and decodes the kinds of events that it was made for."""

    def __init__(self, events: Iterable[type[LogEvent]]) -> None:
        self._forms = {event.kind: form_of(event) for event in events}

    def encode(self, event: LogEvent) -> dict[str, Any]:
        """Make the row of an event."""
        form = self._forms[event.kind]
        fields = form.fields
        room_id = event.room.id if "room" in fields else event.room_id if "room_id" in fields else None  # type: ignore[attr-defined]
        return {
            "log_id": event.log_id,
            "seq": event.seq,
            "kind": event.kind,
            "created_at": event.at,
            "account_id": event.person.id if "person" in fields else None,  # type: ignore[attr-defined]
            "room_id": room_id,
            "data": _to_json({stored: getattr(event, name) for name, stored in form.data}).decode(),
        }

    def decode(self, row: Any, people: Mapping[int, Person], rooms: Mapping[int, Room]) -> LogEvent:
        """Make the event of a row of `events`. `people` and `rooms` have those that the row names."""
        form = self._forms.get(row.kind)
        if form is None:
            raise ValueError(f"entry {row.seq} of log {row.log_id} has an unknown kind {row.kind!r}")
        stored = _of_json(row.data)
        values: dict[str, Any] = {name: stored[key] for name, key in form.data if key in stored}
        if "person" in form.fields:
            values["person"] = people[row.account_id]
        if "room" in form.fields:
            values["room"] = room = rooms[row.room_id]
            if "peer" in form.fields and (peer := room.peer_of(-row.log_id)) is not None:
                values["peer"] = people.get(peer)
        if "room_id" in form.fields:
            values["room_id"] = row.room_id
        values |= {"log_id": row.log_id, "seq": row.seq, "at": row.created_at}
        return msgspec.convert(values, form.type)
