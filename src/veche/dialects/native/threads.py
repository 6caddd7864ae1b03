"""Replies and threads: the commands, the event and the routes (docs/native.md, Replies and threads)."""

from fastapi import Response

from veche.core.errors import ChatError, Code
from veche.core.threads import Following, FollowThread, ThreadFollowed
from veche.core.views import ThreadView
from veche.dialects.native import out
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import (
    Cursor,
    IdempotencyKey,
    Limit,
    LoginOf,
    PathId,
    Seq,
    id_after,
    new_router,
)
from veche.dialects.native.views import message_out, message_page, pages_end
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns

# The socket.


class Follow(Incoming):
    """Follows a thread."""

    room_id: Id
    thread_id: Id
    client_id: str | None = None

    def command(self) -> FollowThread:
        return FollowThread(self.room_id, self.thread_id, client_id=self.client_id)


class Unfollow(Follow):
    """Follows a thread no longer."""

    def command(self) -> FollowThread:
        return FollowThread(self.room_id, self.thread_id, follows=False, client_id=self.client_id)


class FollowResult(Outgoing):
    """`duplicate` is true if an earlier attempt was carried out."""

    room_id: int
    thread_id: int
    duplicate: bool


class FollowAnswer(Outgoing):
    """You follow the thread."""

    id: int
    follow: FollowResult


class UnfollowAnswer(Outgoing):
    """You do not follow the thread."""

    id: int
    unfollow: FollowResult


class ThreadRef(Outgoing):
    """A thread, and whether you follow it."""

    room_id: int
    thread_id: int
    follows: bool


class MeThread(Outgoing):
    """An entry of your own log."""

    seq: int
    thread: ThreadRef


class MeThreadEvent(Outgoing):
    """You follow a thread, or no longer do, here or on another device."""

    me: MeThread


def _followed(id: int, following: Following) -> FollowAnswer:
    return FollowAnswer(id, FollowResult(following.room_id, following.thread_id, following.duplicate))


def _unfollowed(id: int, following: Following) -> UnfollowAnswer:
    return UnfollowAnswer(id, FollowResult(following.room_id, following.thread_id, following.duplicate))


def _event(event: ThreadFollowed) -> MeThreadEvent:
    return MeThreadEvent(MeThread(event.seq, ThreadRef(event.room_id, event.thread_id, event.follows)))


# REST.


class Thread(Outgoing):
    """A thread that you follow. `root` is its first message.

    `unread` counts its messages after your read pointer in the room, up to 100. It is null in the lobby until you move
    your pointer there for the first time.
    """

    root: out.Message
    unread: int | None


class ThreadPage(Outgoing):
    """Threads that you follow, the newest first. `cursor` fetches the next page; it is null on the last one."""

    items: list[Thread]
    cursor: str | None


router = new_router()


@router.get("/rooms/{room_id}/threads/{thread_id}", responses=returns(out.MessagePage))
async def thread(
    room_id: PathId,
    thread_id: PathId,
    login: LoginOf,
    chat: ChatOf,
    before_seq: Seq = None,
    after_seq: Seq = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Get a page of the messages of a thread, oldest first, without its first message."""
    if before_seq is not None and after_seq is not None:
        raise ChatError(Code.INVALID, "Give one of before_seq, after_seq.", field="before_seq")
    page = await chat.thread(login.account.id, room_id, thread_id, limit, before=before_seq, after=after_seq)
    return reply(message_page(page))


@router.put("/rooms/{room_id}/threads/{thread_id}/follow", status_code=204)
async def follow(
    room_id: PathId, thread_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Follow a thread."""
    await chat.do(login.actor, FollowThread(room_id, thread_id, client_id=idempotency_key))
    return Response(status_code=204)


@router.delete("/rooms/{room_id}/threads/{thread_id}/follow", status_code=204)
async def unfollow(
    room_id: PathId, thread_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Follow a thread no longer."""
    await chat.do(login.actor, FollowThread(room_id, thread_id, follows=False, client_id=idempotency_key))
    return Response(status_code=204)


@router.get("/threads", responses=returns(ThreadPage))
async def threads(login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List the threads that you follow, in the rooms that you are in, with the number of unread messages."""
    before = id_after(cursor) if cursor is not None else 2**63 - 1
    found = await chat.followed_threads(login.account.id, before, limit + 1)
    end = pages_end([view.root for view in found[:limit]])
    items = [_thread(view) for view in found[:end]]
    return reply(ThreadPage(items, str(items[-1].root.id) if len(found) > len(items) else None))


def _thread(view: ThreadView) -> Thread:
    return Thread(message_out(view.root), view.unread)


FEATURE = Feature(
    commands={"follow": SocketCommand(Follow, _followed), "unfollow": SocketCommand(Unfollow, _unfollowed)},
    events={ThreadFollowed: _event},
    router=router,
    bodies=(ThreadPage,),
)
