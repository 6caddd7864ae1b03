"""Conversations with the echo WebSocket of the channels dialect.

Every line is stored. The history shows only conversations that are closed.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.event import Event
from veche.core.state import State

ECHO_IDS = "echoes"
ECHO_LINE_IDS = "echo_lines"


class EchoOpened(Event, frozen=True, gc=False):
    """A conversation with the echo began."""

    id: int
    account_id: int
    at: int
    node_id: str = ""


class EchoLineAdded(Event, frozen=True, gc=False):
    """A line was added to a conversation. `source` is "client" or "server"."""

    id: int
    echo_id: int
    source: str
    text: str
    at: int


class EchoClosed(Event, frozen=True, gc=False):
    """A conversation ended."""

    id: int
    at: int


class OpenEcho(Command[int], frozen=True, gc=False):
    """Begin a conversation with the node `node_id`. The answer is its id."""

    node_id: str = ""

    def decide(self, actor: Actor, state: State) -> int:
        opened = EchoOpened(state.new_id(ECHO_IDS), actor.account_id, state.now, self.node_id)
        state.record(opened)
        return opened.id


class AddEchoLines(Command[None], frozen=True):
    """Store lines of a conversation. Each line is a source ("client" or "server") and a text."""

    echo_id: int
    lines: tuple[tuple[str, str], ...]

    def decide(self, actor: Actor, state: State) -> None:
        for source, text in self.lines:
            state.record(EchoLineAdded(state.new_id(ECHO_LINE_IDS), self.echo_id, source, text, state.now))

    @property
    def takes_ids(self) -> Sequence[str]:
        return (ECHO_LINE_IDS,) * len(self.lines)

    @property
    def size(self) -> int:
        return sum(len(text) for _, text in self.lines)


class CloseEcho(Command[None], frozen=True, gc=False):
    """End a conversation. It also ends if the session has."""

    needs_session: ClassVar[bool] = False
    echo_id: int

    def decide(self, actor: Actor, state: State) -> None:
        state.record(EchoClosed(self.echo_id, state.now))


class EchoLine(msgspec.Struct, frozen=True, gc=False):
    """A line in the history of conversations."""

    source: str
    text: str
    at: int
