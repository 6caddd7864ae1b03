"""People: an account, the public face of it, and its sessions."""

import msgspec

SYSTEM_ID = 2**31 - 1  # says what the server says: notices
ANONYMOUS_ID = 2**31 - 2  # who came without an account, where an operator lets them
RESERVED_IDS = 2**31 - 1024  # ids from here up are built in; people, rooms and messages count up from 1


class Person(msgspec.Struct, frozen=True, gc=False):
    """What everybody may see of an account."""

    id: int
    username: str
    name: str


class Account(msgspec.Struct, frozen=True, gc=False):
    """One account. `handle` is the unique form of `username`; times are microseconds since 1970 in UTC."""

    id: int
    username: str
    handle: str
    name: str
    email: str | None
    created_at: int

    @property
    def person(self) -> Person:
        """Its public face."""
        return Person(self.id, self.username, self.name)


class Session(msgspec.Struct, frozen=True, gc=False):
    """One login. A token is good while its session stands."""

    id: str
    account_id: int
    origin: str
    created_at: int
    expires_at: int
