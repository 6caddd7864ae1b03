"""Mentions: `@name` in a text means a person in the room, `@room` everybody in it.

A mention is found when the message is stored, in every dialect. It stays what it was when somebody changes their name.
"""

import re
from collections.abc import Iterator

import msgspec

from veche.core.access import Right, Verdict, verdict_for
from veche.core.accounts import HANDLES
from veche.core.actor import Actor
from veche.core.facts import Fact, Needs
from veche.core.names import handle_of
from veche.core.rooms import MEMBERS, ROOMS, hears
from veche.core.state import State
from veche.core.values import Room

MAX_MENTIONS = 50  # names that are looked up for one message
EVERYBODY = "room"
_NAME = re.compile(r"(?<![\w@.-])@([\w.-]{1,64})")


class Mentions(msgspec.Struct, frozen=True, gc=False):
    """Whom a message mentions: accounts by id, and perhaps everybody in the room."""

    ids: tuple[int, ...] = ()
    room: bool = False


NO_MENTIONS = Mentions()


def _ask_member(needs: Needs, handle: str, account_id: int) -> None:
    """Ask whether the account is a member of the room that the command is about."""
    for fact, room_id in list(needs.pairs()):
        if fact is ROOMS:
            needs.ask(MEMBERS, (room_id, account_id))


_MENTIONED: Fact[str, int] = Fact("mentioned", _ask_member, of=HANDLES)


def handles_in(text: str) -> Iterator[str]:
    """Yield the handles that a text may mention, the first MAX_MENTIONS. One name may give two handles.

    A name may end with a dot or a hyphen, and so may a sentence.
    """
    for _, found in zip(range(MAX_MENTIONS), _NAME.finditer(text), strict=False):
        yield handle_of(found[1])
        if found[1][-1] in ".-" and (name := found[1].rstrip(".-")):
            yield handle_of(name)


def ask_mentioned(needs: Needs, text: str) -> None:
    """Ask for those whom a text may mention. The command must ask for one room."""
    for handle in set(handles_in(text)) - {EVERYBODY}:
        needs.ask(_MENTIONED, handle)


def mentions_in(text: str, actor: Actor, room: Room, state: State) -> Mentions:
    """Return whom a text mentions. The command must have called `ask_mentioned`.

    Nobody mentions themselves. Everybody can be mentioned by those who have Right.MENTION_ALL; from others, `@room` is
    plain text.
    """
    handles = list(dict.fromkeys(handles_in(text)))
    ids = (state.get(HANDLES, handle) for handle in handles if handle != EVERYBODY)
    found = tuple(id for id in ids if id is not None and id != actor.account_id and hears(state, room, id))
    return Mentions(found, EVERYBODY in handles and _may_mention_all(actor, room, state))


def _may_mention_all(actor: Actor, room: Room, state: State) -> bool:
    member = state.get(MEMBERS, (room.id, actor.account_id))
    return verdict_for(Right.MENTION_ALL, room, member) is Verdict.YES
