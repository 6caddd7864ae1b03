"""Converts events to rows of the table `events`, and rows back to events.

The name of an event's field decides where it is stored:

- `log_id`, `seq` and `at` have their own columns (`at` is in `created_at`).
- The field `person` is stored as an id in the column `account_id`. The field `room` or `room_id` is stored as an id in
  the column `room_id`. The person and the room are looked up when the entry is read, so a renamed account appears with
  its current name.
- The field `message` is stored as the id of the message, in `data`. The message is looked up, too: it is as it is now.
- `peer` is not stored. It is worked out from the room when the entry is read.
- All other fields are stored in the JSON column `data`, under the name that `stored_as` gives, or under their own name.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.values import Person, Room

_COLUMNS = frozenset({"log_id", "seq", "at", "person", "room", "room_id", "peer"})
_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(dict[str, Any]).decode


class Form(NamedTuple):
    """How one kind of event is stored.

    `type` is the event class. `data` has a pair (field name, stored name) for each field that is stored in `data`.
    `fields` has the names of all fields.
    """

    type: type[LogEvent]
    data: tuple[tuple[str, str], ...]
    fields: frozenset[str]


def form_of(event: type[LogEvent]) -> Form:
    """Work out how a kind of event is stored."""
    # msgspec examines a class when it first decodes one, and keeps the result with the class. Two threads that examine
    # the same class at once crash the process. So all classes are examined here, before there are threads.
    msgspec.json.Decoder(event)
    names = event.__struct_fields__
    data = tuple((name, event.stored_as.get(name, name)) for name in names if name not in _COLUMNS)
    return Form(event, data, frozenset(names))


class Codec:
    """Encodes and decodes the kinds of events that it was made for."""

    def __init__(self, events: Iterable[type[LogEvent]]) -> None:
        self._forms: dict[str, Form] = {}
        for event in events:
            if (other := self._forms.get(event.kind)) is not None:
                names = f"{other.type.__name__} and {event.__name__}"
                raise TypeError(f"{names} are both stored as {event.kind!r}: give one of them another kind")
            self._forms[event.kind] = form_of(event)

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
            "data": _to_json({stored: _stored(event, name) for name, stored in form.data}).decode(),
        }

    def message_id_of(self, row: Any) -> int | None:
        """Return the id of the message that the event in a row has, or None."""
        form = self._forms.get(row.kind)
        return _from_json(row.data)["message"] if form is not None and "message" in form.fields else None

    def decode(
        self, row: Any, people: Mapping[int, Person], rooms: Mapping[int, Room], messages: Mapping[int, Message]
    ) -> LogEvent:
        """Make the event from a row of `events`.

        `people`, `rooms` and `messages` must contain those whose ids are in the row. `peer` is set to None if the other
        person of a direct room is not in `people`.
        """
        form = self._forms.get(row.kind)
        if form is None:
            raise ValueError(f"entry {row.seq} of log {row.log_id} has an unknown kind {row.kind!r}")
        stored = _from_json(row.data)
        values: dict[str, Any] = {name: stored[key] for name, key in form.data if key in stored}
        if "message" in form.fields:
            values["message"] = messages[stored["message"]]
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


def _stored(event: LogEvent, name: str) -> Any:
    value = getattr(event, name)
    return value.id if name == "message" else value
