"""Which rows must be known before commands can be decided, gathered for a whole batch: each table is read once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from veche.core import commands as c
from veche.core.accounts import SYSTEM_ID
from veche.core.rooms import LOBBY_ID, LogId, account_log, direct_key
from veche.core.text import handle_of


@dataclass(slots=True)
class Needs:
    """Keys to look up; `*_ids` flags ask for the next free id."""

    accounts: set[int] = field(default_factory=set)
    handles: set[str] = field(default_factory=set)  # exact, and as a prefix followed by digits
    emails: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    rooms: set[int] = field(default_factory=set)
    directs: set[str] = field(default_factory=set)
    unique_names: set[str] = field(default_factory=set)
    heads: set[LogId] = field(default_factory=set)
    members: set[tuple[int, int]] = field(default_factory=set)
    sent: set[tuple[int, str]] = field(default_factory=set)
    messages: set[int] = field(default_factory=set)
    counts: set[tuple[int, int]] = field(default_factory=set)  # (room, seq): how many messages up to there
    account_ids: bool = False
    room_ids: bool = False
    message_ids: bool = False
    echo_ids: bool = False


def needs_of(commands: Iterable[c.Command]) -> Needs:
    """Gather what these commands need."""
    needs = Needs()
    for command in commands:
        _NEEDS[type(command)](needs, command)
    return needs


def handle_base(username: str | None, email: str | None) -> str:
    """Make the handle that a new account asks for: its username's, else one of the e-mail's local part."""
    return handle_of(username if username is not None else (email or "").rpartition("@")[0])


def _send_message(needs: Needs, command: c.SendMessage) -> None:
    room_id, by = command.room_id, command.by
    needs.rooms.add(room_id)
    needs.heads.add(room_id)
    needs.accounts.add(by)
    if room_id != LOBBY_ID:
        needs.members.add((room_id, by))
    if command.client_message_id is not None:
        needs.sent.add((by, command.client_message_id))
    needs.message_ids = True


def _membership(needs: Needs, room_id: int, *account_ids: int) -> None:
    needs.rooms.add(room_id)
    needs.heads.add(room_id)
    for account_id in account_ids:
        needs.accounts.add(account_id)
        needs.members.add((room_id, account_id))
        needs.heads.add(account_log(account_id))


def _own_membership(needs: Needs, command: c.JoinRoom | c.LeaveRoom) -> None:
    _membership(needs, command.room_id, command.by)


def _others_membership(needs: Needs, command: c.AddMember | c.RemoveMember) -> None:
    _membership(needs, command.room_id, command.by, command.account_id)


def _create_room(needs: Needs, command: c.CreateRoom) -> None:
    needs.room_ids = True
    if command.unique:
        needs.unique_names.add(command.name)
    for account_id in (command.by, *command.member_ids):
        needs.accounts.add(account_id)
        needs.heads.add(account_log(account_id))
        needs.directs.add(direct_key(command.by, account_id))


def _read_up_to(needs: Needs, command: c.ReadUpTo) -> None:
    _membership(needs, command.room_id, command.by)
    needs.counts.add((command.room_id, command.seq))


def _mark_read(needs: Needs, command: c.MarkRead) -> None:
    _membership(needs, command.room_id, command.by)
    needs.messages.add(command.message_id)


def _rename_account(needs: Needs, command: c.RenameAccount) -> None:
    needs.accounts.add(command.by)
    needs.handles.add(handle_of(command.username))


def _post_notice(needs: Needs, command: c.PostNotice) -> None:
    needs.rooms.add(command.room_id)
    needs.heads.add(command.room_id)
    needs.accounts.add(SYSTEM_ID)
    needs.message_ids = True


def _echo(needs: Needs, command: c.OpenEcho | c.SpeakEcho | c.CloseEcho) -> None:
    needs.echo_ids = True


def _register(needs: Needs, command: c.Register) -> None:
    needs.handles.add(handle_base(command.username, command.email))
    if command.email is not None:
        needs.emails.add(command.email.casefold())
    needs.account_ids = True


def _session(needs: Needs, command: c.OpenSession | c.EndSession) -> None:
    needs.accounts.add(command.by)
    needs.heads.add(account_log(command.by))
    needs.sessions.add(command.session_id)


def _set_password(needs: Needs, command: c.SetPassword) -> None:
    needs.accounts.add(command.by)
    needs.heads.add(account_log(command.by))


_NEEDS: dict[type, Callable[[Needs, Any], None]] = {
    c.SendMessage: _send_message,
    c.JoinRoom: _own_membership,
    c.LeaveRoom: _own_membership,
    c.AddMember: _others_membership,
    c.RemoveMember: _others_membership,
    c.CreateRoom: _create_room,
    c.ReadUpTo: _read_up_to,
    c.MarkRead: _mark_read,
    c.Register: _register,
    c.RenameAccount: _rename_account,
    c.PostNotice: _post_notice,
    c.OpenEcho: _echo,
    c.SpeakEcho: _echo,
    c.CloseEcho: _echo,
    c.OpenSession: _session,
    c.EndSession: _session,
    c.SetPassword: _set_password,
}
