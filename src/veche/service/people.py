"""Finding people: by the username that one knows, or by the beginning of a name, so often and so many an hour."""

from veche.core.errors import ChatError, Code
from veche.core.people import prefix_of
from veche.core.text import can_be_stored
from veche.core.values import RESERVED_IDS, Person
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat
from veche.service.limits import Limit, Rate
from veche.storage import people

MIN_PREFIX = 2  # characters
MAX_FOUND = 20


class People:
    """Finds people for those who are signed in.

    `lookups_per_minute`: how often one account may look. `per_hour`: how many people it may be shown that it has found
    by the beginning of a name. An unused hour can be used at once. So nobody gets a list of all people.
    """

    def __init__(self, chat: Chat, accounts: Accounts, lookups_per_minute: int = 60, per_hour: int = 600) -> None:
        self._chat = chat
        self._accounts = accounts
        sentence = "You have looked for many people. Wait a while."
        self._lookups = Limit(Rate(lookups_per_minute, lookups_per_minute), sentence, shown_as="lookups")
        self._shown = Limit(Rate(per_hour, per_hour / 60), sentence, shown_as="people")
        self.limits = {"lookups": self._lookups, "people": self._shown}

    async def by_username(self, login: Login, username: str) -> Person | None:
        """Return the person with this username, where case and width do not count, or None.

        Raises ChatError (RATE_LIMITED) if the account has looked for many people.
        """
        self._lookups.take(login.account.id)
        found = await self._accounts.by_name(login.actor.party, username)
        return found.person if found is not None and found.id < RESERVED_IDS else None

    async def by_prefix(self, login: Login, typed: str, limit: int) -> list[Person]:
        """Return up to `limit` people whose username, or a word of whose name, begins so.

        Raises ChatError: INVALID if that is too short, or RATE_LIMITED if the account has looked for many people, or
        was shown many.
        """
        if len(prefix := prefix_of(typed)) < MIN_PREFIX:
            raise ChatError(Code.INVALID, f"Give {MIN_PREFIX} characters or more.", field="prefix")
        by = login.account.id
        self._lookups.check(by, 1)
        self._shown.check(by, 1)
        self._lookups.add(by)
        if not can_be_stored(prefix):  # nobody has it, and PostgreSQL takes no question for it
            return []
        found = await self._chat.read(by, people.people_by_prefix, by, prefix, min(limit, MAX_FOUND))
        self._chat.charge(by, len(found))
        self._shown.add(by, len(found))
        return found
