"""`decide`: look at the state as it is now, and record what a command changes, or refuse it.

Each command has its functions in the file of its subject: a check of the command alone, what it needs to know, and
the decision, which bears its name. A decision looks first and records last, so that a refusal leaves no trace.
Gets: a state that holds what `needs_of` asked for. Gives: the answer; the events stand in `state.events`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from veche.core import commands as c
from veche.core.decide import accounts, echo, messages, rooms
from veche.core.needs import Needs
from veche.core.state import State

_DECIDE: dict[type, tuple[Callable[[Needs, Any], None], Callable[[State, Any, int], c.Answer]]] = {
    c.SendMessage: (messages.needs_send_message, messages.send_message),
    c.PostNotice: (messages.needs_post_notice, messages.post_notice),
    c.ReadUpTo: (messages.needs_read_up_to, messages.read_up_to),
    c.MarkRead: (messages.needs_mark_read, messages.mark_read),
    c.CreateRoom: (rooms.needs_create_room, rooms.create_room),
    c.JoinRoom: (rooms.needs_own_membership, rooms.join_room),
    c.LeaveRoom: (rooms.needs_own_membership, rooms.leave_room),
    c.AddMember: (rooms.needs_others_membership, rooms.add_member),
    c.RemoveMember: (rooms.needs_others_membership, rooms.remove_member),
    c.Register: (accounts.needs_register, accounts.register),
    c.RenameAccount: (accounts.needs_rename_account, accounts.rename_account),
    c.SetPassword: (accounts.needs_set_password, accounts.set_password),
    c.OpenSession: (accounts.needs_session, accounts.open_session),
    c.EndSession: (accounts.needs_session, accounts.end_session),
    c.OpenEcho: (echo.needs_echo, echo.open_echo),
    c.SpeakEcho: (echo.needs_echo, echo.speak_echo),
    c.CloseEcho: (echo.needs_echo, echo.close_echo),
}


_CHECK: dict[type, Callable[[Any], None]] = {
    c.SendMessage: messages.check_send_message,
    c.PostNotice: messages.check_post_notice,
    c.CreateRoom: rooms.check_create_room,
    c.Register: accounts.check_register,
    c.RenameAccount: accounts.check_rename_account,
}


def check(command: c.Command) -> None:
    """Look at a command alone, before anything is read for it; raises ChatError where no state could allow it."""
    if (look := _CHECK.get(type(command))) is not None:
        look(command)


def needs_of(commands: Iterable[c.Command]) -> Needs:
    """Gather what must be known before these commands can be decided."""
    needs = Needs()
    for command in commands:
        _DECIDE[type(command)][0](needs, command)
    return needs


def decide(state: State, command: c.Command, at: int) -> c.Answer:
    """Decide a checked command at a time given in microseconds since 1970; raises ChatError where it is refused."""
    return _DECIDE[type(command)][1](state, command, at)
