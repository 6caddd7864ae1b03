"""The sessions of an account, with what is known only now: which of them have an open connection."""

from typing import NamedTuple

from veche.core.views import SessionView
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.storage import refreshing

NEWEST = (2**63 - 1, "")  # before this time and id are all sessions


class OwnSession(NamedTuple):
    """A session of the asker. `current`: it is the one that asks. `connected` is None if another node did not answer.

    A session that has expired is listed until it is removed: in some dialects its connections go on.
    """

    view: SessionView
    current: bool
    connected: bool | None


async def own_sessions(chat: Chat, login: Login, before: tuple[int, str], limit: int) -> list[OwnSession]:
    """Return up to `limit` sessions of an account, the newest first: those before this time and id.

    Raises ChatError (OVERLOADED).
    """
    by = login.account.id
    views = await chat.read(by, refreshing.session_page, by, before, limit)
    chat.charge(by, len(views))
    here = {subscriber.session_id for subscriber in chat.hub.subscribers(by)}
    elsewhere = await chat.elsewhere.connected_sessions(
        [view.session.id for view in views if view.session.id not in here], by
    )
    return [
        OwnSession(
            view,
            view.session.id == login.session_id,
            True if view.session.id in here else None if elsewhere is None else view.session.id in elsewhere,
        )
        for view in views
    ]
