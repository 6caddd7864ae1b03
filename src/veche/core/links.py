"""Links: whoever has the code of a link joins its room. A link ends after a time, after some uses, or when revoked.

Whoever holds the log of the room decides alone about its links, so a link is never used once too often.
"""

import base64
import hmac
import re
from typing import ClassVar

from msgspec.structs import replace

from veche.core.access import Right
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Fact, Needs, Rows
from veche.core.invitations import INVITATIONS
from veche.core.membership import Entered, ask_to_join, join
from veche.core.once import Done, OnceCommand
from veche.core.rooms import MEMBERS, ROOMS, ask_room, check_room_access
from veche.core.state import State
from veche.core.values import MICROSECONDS, Link

MAX_LINKS = 100  # of one room
MAX_LINK_SECONDS = 366 * 86_400
MAX_USES = 100_000
CODE_BYTES = 15  # 24 characters
MAX_CODE = 64  # characters
CODE = r"([1-9][0-9]{0,18})-[a-z2-7]{24}"  # the id of the room, and the secret

LINKS: Fact[int, tuple[Link, ...]] = Fact("links")  # by room: its links in the order in which they were made


class LinkMade(Event, frozen=True, gc=False):
    """A link was made."""

    link: Link

    def apply(self, rows: Rows) -> None:
        _put(rows, self.link.room_id, self.link.code, self.link)


class LinkUsed(Event, frozen=True, gc=False):
    """An account joined by a link. `link` is the link after that."""

    link: Link

    def apply(self, rows: Rows) -> None:
        _put(rows, self.link.room_id, self.link.code, self.link)


class LinkEnded(Event, frozen=True, gc=False):
    """A link is gone: it was revoked, or it had expired or was used up when another one was made."""

    room_id: int
    code: str

    def apply(self, rows: Rows) -> None:
        _put(rows, self.room_id, self.code, None)


def _put(rows: Rows, room_id: int, code: str, link: Link | None) -> None:
    """Put a link in its place among those of the room. None: take it away."""
    links = rows.peek(LINKS, room_id) or ()
    if link is None:
        links = tuple(one for one in links if one.code != code)
    elif any(one.code == code for one in links):
        links = tuple(link if one.code == code else one for one in links)
    else:
        links = (*links, link)
    rows.put(LINKS, room_id, links)


class Linked(Done, frozen=True, gc=False):
    """The answer to MakeLink."""

    link: Link


class Unlinked(Done, frozen=True, gc=False):
    """The answer to RevokeLink."""

    room_id: int
    code: str


class MakeLink(OnceCommand[Linked], frozen=True, gc=False):
    """Make a link into a room, for some seconds and some uses, or without an end. The owner and the moderators may.

    Links of the room that are over are forgotten.
    """

    name: ClassVar[str] = "link"
    answer: ClassVar[type[Done]] = Linked
    room_id: int
    seconds: int | None = None
    uses: int | None = None

    def check(self) -> None:
        super().check()
        if self.seconds is not None and not 1 <= self.seconds <= MAX_LINK_SECONDS:
            raise ChatError(Code.INVALID, f"A link has 1 to {MAX_LINK_SECONDS} seconds, or no end.", field="seconds")
        if self.uses is not None and not 1 <= self.uses <= MAX_USES:
            raise ChatError(Code.INVALID, f"A link has 1 to {MAX_USES} uses, or no limit.", field="uses")

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(LINKS, self.room_id)

    def change(self, actor: Actor, state: State) -> Linked:
        room, _ = check_room_access(state, Right.INVITE, self.room_id, actor.account_id)
        links = state.get(LINKS, room.id) or ()
        over = [link for link in links if is_over(link, state.now)]
        if len(links) - len(over) >= MAX_LINKS:
            raise ChatError(Code.FORBIDDEN, f"A room has at most {MAX_LINKS} links. Revoke one.")
        at = max(state.now, *(link.created_at + 1 for link in links)) if links else state.now
        until = None if self.seconds is None else at + self.seconds * MICROSECONDS
        link = Link(code_of(state.rules.keys[0], room.id, at), room.id, actor.account_id, at, until, self.uses)
        for one in over:
            state.record(LinkEnded(room.id, one.code))
        state.record(LinkMade(link))
        return Linked(link)


class RevokeLink(OnceCommand[Unlinked], frozen=True, gc=False):
    """Revoke a link. The owner and the moderators may do this. If there is no such link, nothing changes."""

    name: ClassVar[str] = "unlink"
    answer: ClassVar[type[Done]] = Unlinked
    room_id: int
    code: str

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(LINKS, self.room_id)

    def change(self, actor: Actor, state: State) -> Unlinked:
        room, _ = check_room_access(state, Right.INVITE, self.room_id, actor.account_id)
        if any(link.code == self.code for link in state.get(LINKS, room.id) or ()):
            state.record(LinkEnded(room.id, self.code))
        return Unlinked(room.id, self.code)


class JoinByLink(Command[Entered], frozen=True, gc=False):
    """Join the room of a link. If the account is already a member, nothing changes, and no use is counted."""

    code: str

    def needs(self, actor: Actor, needs: Needs) -> None:
        if (room_id := room_of(self.code)) is not None:
            ask_to_join(needs, room_id, actor.account_id)
            needs.ask(INVITATIONS, (room_id, actor.account_id))
            needs.ask(LINKS, room_id)

    def decide(self, actor: Actor, state: State) -> Entered:
        room_id = room_of(self.code)
        room = None if room_id is None else state.get(ROOMS, room_id)
        if room is None:
            raise no_such_link()
        link = next((one for one in state.get(LINKS, room.id) or () if one.code == self.code), None)
        is_member = state.get(MEMBERS, (room.id, actor.account_id)) is not None
        if link is None or (is_over(link, state.now) and not is_member):
            raise no_such_link()
        entered = join(state, actor, room)
        if entered.new and link.uses_left is not None:
            state.record(LinkUsed(replace(link, uses_left=link.uses_left - 1)))
        return entered


def is_over(link: Link, now: int) -> bool:
    """Return whether nobody joins by a link any more."""
    return (link.until is not None and link.until <= now) or link.uses_left == 0


def no_such_link() -> ChatError:
    """Make the refusal of a code that no link has, or whose link is over: nobody learns which."""
    return ChatError(Code.NOT_FOUND, "This link is not valid, or not any more.", what="link")


def code_of(key: bytes, room_id: int, at: int) -> str:
    """Return the code of a link: the id of its room, and 24 characters that nobody can guess who has not the key.

    These are in base32, from HMAC-SHA256 (RFC 2104). No two links of a room have the same time, or the same code.
    """
    digest = hmac.digest(key, b"link %d %d" % (room_id, at), "sha256")
    return f"{room_id}-{base64.b32encode(digest[:CODE_BYTES]).decode().lower()}"


def room_of(code: str) -> int | None:
    """Return the id of the room that a code names, or None if it names none."""
    found = re.fullmatch(CODE, code)
    return None if found is None else int(found[1])
