"""What one transaction knows: the rows that its commands need, kept current while they are decided one by one."""

from collections.abc import Callable
from typing import Any

import msgspec

from veche.core.accounts import RESERVED_IDS, Account, Session
from veche.core.errors import ChatError, Code
from veche.core.events import (
    LOGGED,
    AccountRegistered,
    AccountRenamed,
    EchoOpened,
    EchoSpoken,
    Event,
    MemberJoined,
    MemberLeft,
    Message,
    MessageRead,
    ReadMoved,
    RoomCreated,
    SessionOpened,
    SessionsEnded,
)
from veche.core.rooms import Head, LogId, Member, Role, Room, account_log


class State:
    """Rows by key, the next free ids, and the events recorded so far.

    A missing key means that the row does not exist: whoever fills a State must have looked (`core.decide.needs_of`).
    """

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.handles: set[str] = set()
        self.emails: set[str] = set()
        self.sessions: dict[str, Session] = {}
        self.rooms: dict[int, Room] = {}
        self.directs: dict[str, int] = {}
        self.unique_names: set[str] = set()
        self.heads: dict[LogId, Head] = {}
        self.members: dict[tuple[int, int], Member] = {}  # by (room, account)
        self.sent: dict[tuple[int, str], Message] = {}  # by (sender, client_message_id)
        self.messages: dict[int, Message] = {}
        self.read_messages: set[int] = set()
        self.counts: dict[tuple[int, int], int] = {}  # by (room, seq): messages up to there
        self.next_account_id = 1
        self.next_room_id = 1
        self.next_message_id = 1
        self.next_echo_id = 1
        self.next_echo_line_id = 1
        self.events: list[Event] = []

    def account(self, account_id: int) -> Account:
        """Return somebody's account, or refuse as not found; the built-in ones are nobody's."""
        if account_id >= RESERVED_IDS:
            raise ChatError(Code.NOT_FOUND, "No such account.", what="account")
        return self.sender(account_id)

    def sender(self, account_id: int) -> Account:
        """Return an account that may speak, a built-in one too, or refuse as not found."""
        if (account := self.accounts.get(account_id)) is None:
            raise ChatError(Code.NOT_FOUND, "No such account.", what="account")
        return account

    def room(self, room_id: int) -> Room:
        """Return a room, or refuse as not found."""
        if (room := self.rooms.get(room_id)) is None:
            raise ChatError(Code.NOT_FOUND, "No such room.", what="room")
        return room

    def next_seq(self, log_id: LogId) -> int:
        """Return the number that the next entry of a log takes."""
        return self.heads[log_id].last_seq + 1

    def count_upto(self, room_id: int, seq: int) -> int:
        """Count a room's messages up to a seq: those recorded here, or else those stored before."""
        for event in reversed(self.events):
            if type(event) is Message and event.log_id == room_id and event.seq <= seq:
                return event.number
        return self.counts.get((room_id, seq), 0)

    def record(self, event: Event) -> None:
        """Take an event as happened: later commands of the transaction see it."""
        self.events.append(event)
        if (apply := _APPLY.get(type(event))) is not None:
            apply(self, event)
        if isinstance(event, LOGGED) and type(event) is not Message:
            self.heads[event.log_id] = msgspec.structs.replace(self.heads[event.log_id], last_seq=event.seq)


_EMPTY = Head()


def _message(state: State, event: Message) -> None:
    state.heads[event.log_id] = Head(event.seq, event.number, event.id)
    state.next_message_id = event.id + 1
    state.messages[event.id] = event
    if event.client_message_id is not None:
        state.sent[event.sender.id, event.client_message_id] = event
    key = (event.log_id, event.sender.id)
    if (member := state.members.get(key)) is not None:
        state.members[key] = Member(*key, member.role, member.joined_at, event.seq, event.number)


def _account_registered(state: State, event: AccountRegistered) -> None:
    account = event.account
    state.accounts[account.id] = account
    state.heads[account_log(account.id)] = _EMPTY
    state.handles.add(account.handle)
    if account.email:
        state.emails.add(account.email.casefold())
    state.next_account_id = account.id + 1


def _account_renamed(state: State, event: AccountRenamed) -> None:
    account = event.account
    state.handles.discard(state.accounts[account.id].handle)
    state.accounts[account.id] = account
    state.handles.add(account.handle)


def _echo_opened(state: State, event: EchoOpened) -> None:
    state.next_echo_id = event.id + 1


def _echo_spoken(state: State, event: EchoSpoken) -> None:
    state.next_echo_line_id = event.id + 1


def _room_created(state: State, event: RoomCreated) -> None:
    room = event.room
    state.rooms[room.id] = room
    state.heads[room.id] = _EMPTY
    if room.direct_key:
        state.directs[room.direct_key] = room.id
    if room.unique_name:
        state.unique_names.add(room.unique_name)
    state.next_room_id = room.id + 1


def _member_joined(state: State, event: MemberJoined) -> None:
    key = (event.log_id, event.person.id)
    state.members[key] = Member(*key, event.role, event.at, event.seq, event.read_count)


def _member_left(state: State, event: MemberLeft) -> None:
    del state.members[event.log_id, event.person.id]


def _read_moved(state: State, event: ReadMoved) -> None:
    key = (event.room_id, -event.log_id)
    member = state.members.get(key) or Member(*key, Role.MEMBER, event.at)  # the lobby's rows begin so
    state.members[key] = Member(*key, member.role, member.joined_at, event.read_seq, event.read_count)


def _message_read(state: State, event: MessageRead) -> None:
    state.read_messages.add(event.message_id)


def _session_opened(state: State, event: SessionOpened) -> None:
    state.sessions[event.session.id] = event.session


def _sessions_ended(state: State, event: SessionsEnded) -> None:
    for session_id in [key for key in state.sessions if event.ends(key)]:
        if state.sessions[session_id].account_id == -event.log_id:
            del state.sessions[session_id]


_APPLY: dict[type, Callable[[State, Any], None]] = {
    Message: _message,
    AccountRegistered: _account_registered,
    AccountRenamed: _account_renamed,
    EchoOpened: _echo_opened,
    EchoSpoken: _echo_spoken,
    SessionOpened: _session_opened,
    SessionsEnded: _sessions_ended,
    RoomCreated: _room_created,
    MemberJoined: _member_joined,
    MemberLeft: _member_left,
    ReadMoved: _read_moved,
    MessageRead: _message_read,
}
