"""The actor: who submits a command, and from where."""

from typing import TypeAlias

import msgspec

from veche.core.values import SYSTEM_ID

Party: TypeAlias = int | str
"""Who shares the server with others, and takes turns with them: see `Actor.party`."""

NOBODY_ID = 0  # no account has this id


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who submits a command, and from where. Every command is submitted with an actor.

    `account_id` is NOBODY_ID if nobody is signed in. `address` is the IP address of the client, not of a trusted proxy.
    `connection_id` is set for anonymous people only: they share one account. A string is empty if its value is not
    known.
    """

    account_id: int
    dialect: str
    session_id: str = ""
    address: str = ""
    request_id: str = ""
    connection_id: str = ""

    @property
    def party(self) -> Party:
        """Who shares the server with others: an account, an anonymous person's connection, or a guest's address."""
        return self.connection_id or self.account_id or self.address


def server_actor(dialect: str) -> Actor:
    """Return the actor for commands that the server itself submits. `dialect` is the dialect that they are for."""
    return Actor(SYSTEM_ID, dialect)
