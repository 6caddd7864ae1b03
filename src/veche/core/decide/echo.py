"""Conversations with the echo: written down as spoken, shown once they are over. They are nobody else's business."""

from veche.core.commands import CloseEcho, EchoBegun, OpenEcho, SpeakEcho
from veche.core.events import EchoClosed, EchoOpened, EchoSpoken
from veche.core.needs import Needs
from veche.core.state import State


def needs_echo(needs: Needs, command: OpenEcho | SpeakEcho | CloseEcho) -> None:
    """The next free ids."""
    needs.echo_ids = True


def open_echo(state: State, command: OpenEcho, at: int) -> EchoBegun:
    """Begin a conversation."""
    opened = EchoOpened(state.next_echo_id, command.by, at)
    state.record(opened)
    return EchoBegun(opened.id)


def speak_echo(state: State, command: SpeakEcho, at: int) -> None:
    """Write lines down; what they hold is not looked at."""
    for source, text in command.lines:
        state.record(EchoSpoken(state.next_echo_line_id, command.echo_id, source, text, at))


def close_echo(state: State, command: CloseEcho, at: int) -> None:
    """End a conversation."""
    state.record(EchoClosed(command.echo_id, at))
