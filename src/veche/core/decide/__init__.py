"""`decide`: look at the state as it is now, and record what a command changes, or refuse it.

Each command has a function of its own name. It checks first and records last, so that a refusal leaves no trace.
Gets: a state that holds what `core.needs` asked for. Gives: the answer; the events stand in `state.events`.
"""

from collections.abc import Callable
from typing import Any

from veche.core import commands as c
from veche.core.decide import accounts, echo, messages, rooms
from veche.core.state import State

_DECIDE: dict[type, Callable[[State, Any, int], c.Answer]] = {
    c.SendMessage: messages.send_message,
    c.ReadUpTo: messages.read_up_to,
    c.MarkRead: messages.mark_read,
    c.CreateRoom: rooms.create_room,
    c.JoinRoom: rooms.join_room,
    c.LeaveRoom: rooms.leave_room,
    c.AddMember: rooms.add_member,
    c.RemoveMember: rooms.remove_member,
    c.PostNotice: messages.post_notice,
    c.Register: accounts.register,
    c.RenameAccount: accounts.rename_account,
    c.OpenEcho: echo.open_echo,
    c.SpeakEcho: echo.speak_echo,
    c.CloseEcho: echo.close_echo,
    c.SetPassword: accounts.set_password,
    c.OpenSession: accounts.open_session,
    c.EndSession: accounts.end_session,
}


def decide(state: State, command: c.Command, at: int) -> c.Answer:
    """Decide one command at a time given in microseconds since 1970; raises ChatError where it is refused."""
    return _DECIDE[type(command)](state, command, at)
