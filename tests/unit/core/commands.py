"""All commands, and `by`: a command with the account that asks for it."""

from __future__ import annotations

from typing import Any

from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.bans import BanMember, UnbanMember
from veche.core.blocks import BlockPerson, UnblockPerson
from veche.core.closing import DeleteAccount, DisableAccount, EnableAccount
from veche.core.command import Command
from veche.core.deletion import DeleteMessage
from veche.core.echo import AddEchoLines, CloseEcho, OpenEcho
from veche.core.editing import EditMessage
from veche.core.files import BeginUpload, DropFiles, FinishUpload, ForgetFiles, SendFiles
from veche.core.invitations import EndInvitation, InviteMember
from veche.core.links import JoinByLink, MakeLink, RevokeLink
from veche.core.membership import AddMember, Entered, JoinRoom, LeaveRoom, RemoveMember
from veche.core.messages import PostNotice, SendMessage, Sent
from veche.core.notifications import SetLevel
from veche.core.pins import PinMessage
from veche.core.profile import ChangeProfile, RenameAccount
from veche.core.reactions import React
from veche.core.reading import MarkRead, ReadUpTo
from veche.core.refreshing import OpenRefreshedSession, RefreshSession
from veche.core.roles import ChangeRole
from veche.core.room_creation import CreateRoom
from veche.core.room_settings import UpdateRoom
from veche.core.sessions import EndSession, EndSessions, ForgetSessions, OpenSession, RevokeSession, SetPassword
from veche.core.threads import FollowThread, SendReply

__all__ = [
    "NOBODY_ID",
    "Actor",
    "AddEchoLines",
    "AddMember",
    "BanMember",
    "BeginUpload",
    "BlockPerson",
    "ChangeProfile",
    "ChangeRole",
    "CloseEcho",
    "Command",
    "CreateRoom",
    "DeleteAccount",
    "DeleteMessage",
    "DisableAccount",
    "DropFiles",
    "EditMessage",
    "EnableAccount",
    "EndInvitation",
    "EndSession",
    "EndSessions",
    "Entered",
    "FinishUpload",
    "FollowThread",
    "ForgetFiles",
    "ForgetSessions",
    "InviteMember",
    "JoinByLink",
    "JoinRoom",
    "LeaveRoom",
    "MakeLink",
    "MarkRead",
    "OpenEcho",
    "OpenRefreshedSession",
    "OpenSession",
    "PinMessage",
    "PostNotice",
    "React",
    "ReadUpTo",
    "RefreshSession",
    "Register",
    "RemoveMember",
    "RenameAccount",
    "Request",
    "RevokeLink",
    "RevokeSession",
    "SendFiles",
    "SendMessage",
    "SendReply",
    "Sent",
    "SetLevel",
    "SetPassword",
    "UnbanMember",
    "UnblockPerson",
    "UpdateRoom",
    "by",
]

Request = tuple[Actor, Command[Any]]


def by(account_id: int, command: Command[Any]) -> Request:
    return Actor(account_id, "native"), command
