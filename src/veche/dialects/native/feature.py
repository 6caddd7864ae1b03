"""A feature of the native dialect: the commands, events and routes of one subject. Each feature has one file.

`features.py` lists all features. `out.py`, `answers.py`, `frames.py` and `rest.py` have what is older than features.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, get_type_hints

from fastapi import APIRouter
from msgspec import Meta, Struct

from veche.core.command import Command
from veche.core.event import Ephemeral, LogEvent
from veche.dialects.native.out import Outgoing
from veche.gateway.client import Client

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Incoming(Struct, forbid_unknown_fields=True, gc=False):
    """The fields of a command on the socket."""

    def command(self) -> Command[Any]:
        """Make the command that is submitted. Raises ChatError if a field is invalid."""
        raise NotImplementedError


class SocketCommand(NamedTuple):
    """A command on the socket that the writer decides.

    `fields` is the type of its fields. `answer` makes the answer's frame from the frame's id and the answer of the
    command.
    """

    fields: type[Incoming]
    answer: Callable[[int, Any], Outgoing]


class InstantFields(Struct, forbid_unknown_fields=True, gc=False):
    """The fields of a command on the socket that changes nothing that is stored."""


class InstantCommand(NamedTuple):
    """A command on the socket that is answered at once.

    `act` does what is asked, and makes the answer's frame from the frame's id. It raises ChatError to refuse.
    """

    fields: type[InstantFields]
    act: Callable[[int, Any, Client], Outgoing]


class Feature(NamedTuple):
    """What one file adds to the dialect.

    `commands` and `instant`: by their names on the socket. `events` and `ephemeral`: for each type of event, what makes
    its frame. `router`: the routes. `bodies`: the types of what the routes answer, apart from those of other files.
    """

    commands: Mapping[str, SocketCommand] = {}
    instant: Mapping[str, InstantCommand] = {}
    events: Mapping[type[LogEvent], Callable[[Any], Outgoing]] = {}
    ephemeral: Mapping[type[Ephemeral], Callable[[Any], Outgoing]] = {}
    router: APIRouter | None = None
    bodies: tuple[type[Outgoing], ...] = ()


def made_by(make: Callable[..., Outgoing]) -> type[Outgoing]:
    """Return the type of the frames that a function makes: it says so in its annotation."""
    found: type[Outgoing] = get_type_hints(make)["return"]
    return found
