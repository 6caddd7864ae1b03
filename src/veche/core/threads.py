"""Threads and replies. A reply answers a message. A thread is a view of a room: the messages that follow one of them.

A message in a thread is a message of the room like any other: it has a seq in the room, and is unread like any other.
"""

from typing import ClassVar

from veche.core.access import Right
from veche.core.actor import Actor
from veche.core.client_ids import Request
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.messages import AUTHORS, MESSAGES, NOTHING, Message, References, SendMessage, Sent, of_room, request_of
from veche.core.once import Done, OnceCommand
from veche.core.rooms import ROOMS, ask_room, check_room_access, hears
from veche.core.state import HEADS, State
from veche.core.values import RESERVED_IDS, Room, account_log

FOLLOWERS: Fact[tuple[int, int], bool] = Fact("followers")  # by (first message of a thread, account): follows it


class ThreadFollowed(LogEvent, frozen=True, gc=False):
    """The account follows a thread, or no longer does. The event is in the account's own log."""

    kind: ClassVar[str] = "followed"
    room_id: int
    thread_id: int
    follows: bool

    def apply(self, rows: Rows) -> None:
        rows.put(FOLLOWERS, (self.thread_id, -self.log_id), self.follows)


class SendReply(SendMessage, frozen=True, gc=False):
    """Send a message that answers another one of the room, or that is in a thread, or both.

    Whoever writes in a thread follows it from then on, unless they have said that they do not want to. So does the
    author of its first message when the thread begins.
    """

    reply_to_id: int | None = None
    thread_id: int | None = None

    def needs(self, actor: Actor, needs: Needs) -> None:
        super().needs(actor, needs)
        if self.reply_to_id is not None:
            needs.ask(MESSAGES, self.reply_to_id)
        if self.thread_id is not None:
            needs.ask(AUTHORS, self.thread_id)
            needs.ask(HEADS, account_log(actor.account_id))
            needs.ask(FOLLOWERS, (self.thread_id, actor.account_id))

    def decide(self, actor: Actor, state: State) -> Sent:
        sent = super().decide(actor, state)
        if not sent.duplicate and self.thread_id is not None:
            self._follow(actor, state, self.thread_id)
        return sent

    def _follow(self, actor: Actor, state: State, thread_id: int) -> None:
        root = state.get(MESSAGES, thread_id)
        if actor.account_id < RESERVED_IDS and state.get(FOLLOWERS, (thread_id, actor.account_id)) is None:
            follow(state, actor.account_id, self.room_id, thread_id)
        room = state.get(ROOMS, self.room_id)
        if room is None or root is None or root.replies > 1 or root.sender.id == actor.account_id:
            return
        if hears(state, room, root.sender.id):
            follow(state, root.sender.id, self.room_id, thread_id)

    def references_in(self, room: Room, actor: Actor, state: State) -> References | None:
        references = super().references_in(room, actor, state)
        if self.reply_to_id is None and self.thread_id is None:
            return references
        to = root = None
        if self.reply_to_id is not None:
            to = of_room(state.get(MESSAGES, self.reply_to_id), room.id, field="reply_to_id")
            if to.deleted_by is not None:
                raise ChatError(Code.NOT_FOUND, "The message is deleted.", what="message")
        if self.thread_id is not None:
            root = of_room(state.get(MESSAGES, self.thread_id), room.id, field="thread_id")
            check_can_begin_thread(root)
        return References(
            to.id if to is not None else None,
            to.seq if to is not None else None,
            root.id if root is not None else None,
            root.replies + 1 if root is not None else None,
            (references or NOTHING).mentions,
        )

    @property
    def request(self) -> Request:
        return request_of(self.room_id, self.text, self.reply_to_id, self.thread_id)


class Following(Done, frozen=True, gc=False):
    """The answer to FollowThread: whether the account follows the thread, as asked."""

    room_id: int
    thread_id: int
    follows: bool


class FollowThread(OnceCommand[Following], frozen=True, gc=False):
    """Follow a thread, or follow it no longer."""

    name: ClassVar[str] = "follow"
    answer: ClassVar[type[Done]] = Following
    room_id: int
    thread_id: int
    follows: bool = True

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(HEADS, account_log(actor.account_id))
        needs.ask(MESSAGES, self.thread_id)
        needs.ask(FOLLOWERS, (self.thread_id, actor.account_id))

    def change(self, actor: Actor, state: State) -> Following:
        room, _ = check_room_access(state, Right.READ, self.room_id, actor.account_id)
        root = of_room(state.get(MESSAGES, self.thread_id), room.id, field="thread_id")
        check_can_begin_thread(root)
        now = state.get(FOLLOWERS, (root.id, actor.account_id))
        if bool(now) != self.follows:
            follow(state, actor.account_id, room.id, root.id, follows=self.follows)
        return Following(room.id, root.id, self.follows)


def check_can_begin_thread(root: Message) -> None:
    """Raise ChatError if a message has no thread and cannot begin one. A thread outlives its first message."""
    if root.type != "text" or (root.references or NOTHING).thread_id is not None:
        raise ChatError(Code.INVALID, "A thread begins with a message that is in no thread.", field="thread_id")
    if root.deleted_by is not None and not root.replies:
        raise ChatError(Code.NOT_FOUND, "The message is deleted.", what="message")


def follow(state: State, account_id: int, room_id: int, thread_id: int, *, follows: bool = True) -> None:
    """Record that an account follows a thread, or no longer does."""
    log_id = account_log(account_id)
    state.record(ThreadFollowed(log_id, state.next_seq(log_id), state.now, room_id, thread_id, follows))
