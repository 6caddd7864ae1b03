"""All commands, and `by`: a command with the account that asks for it."""

from __future__ import annotations

from typing import Any

from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.closing import DeleteAccount, DisableAccount, EnableAccount
from veche.core.command import Command
from veche.core.echo import AddEchoLines, CloseEcho, OpenEcho
from veche.core.membership import AddMember, Entered, JoinRoom, LeaveRoom, RemoveMember
from veche.core.messages import PostNotice, SendMessage, Sent
from veche.core.profile import ChangeProfile, RenameAccount
from veche.core.reading import MarkRead, ReadUpTo
from veche.core.room_creation import CreateRoom
from veche.core.room_renaming import RenameRoom
from veche.core.sessions import EndSession, EndSessions, ForgetSessions, OpenSession, SetPassword

__all__ = [
    "NOBODY_ID",
    "Actor",
    "AddEchoLines",
    "AddMember",
    "ChangeProfile",
    "CloseEcho",
    "Command",
    "CreateRoom",
    "DeleteAccount",
    "DisableAccount",
    "EnableAccount",
    "EndSession",
    "EndSessions",
    "Entered",
    "ForgetSessions",
    "JoinRoom",
    "LeaveRoom",
    "MarkRead",
    "OpenEcho",
    "OpenSession",
    "PostNotice",
    "ReadUpTo",
    "Register",
    "RemoveMember",
    "RenameAccount",
    "RenameRoom",
    "Request",
    "SendMessage",
    "Sent",
    "SetPassword",
    "by",
]

Request = tuple[Actor, Command[Any]]


def by(account_id: int, command: Command[Any]) -> Request:
    return Actor(account_id, "native"), command
