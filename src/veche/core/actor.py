"""Who asks for a command, and by which connection or request."""

import msgspec

from veche.core.values import SYSTEM_ID

NOBODY_ID = 0  # no account has this id


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Goes with every command. A field that is not known is empty.

    `account_id` is NOBODY_ID before somebody is signed in. `address` is the client's, behind trusted proxies.
    """

    account_id: int
    dialect: str
    session_id: str = ""
    address: str = ""
    request_id: str = ""


def server_actor(dialect: str) -> Actor:
    """The server itself, in the name of a dialect."""
    return Actor(SYSTEM_ID, dialect)
