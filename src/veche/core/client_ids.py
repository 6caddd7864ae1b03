"""Client ids: a client may send a command again, and it is carried out once.

A client makes an id for each command that changes something, and sends the same id with each retry. All commands of an
account share their ids: a client message id is one too. The first use of an id is kept as a keyed hash of the request,
and the answer without text. So a retry gets the first answer, also if the message has been edited or deleted since.

The first use of a client message id is not kept here as long as the message is as it was sent: the message shows what
was asked. The first change of the message keeps it (`messages.keep_first_use`).
"""

import hmac
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from veche.core.event import Event
from veche.core.facts import Fact, Rows
from veche.core.rules import Rules

_to_json = msgspec.json.Encoder().encode


class FirstUse(msgspec.Struct, frozen=True, gc=False):
    """The first use of a client id: a keyed hash of the request, and its answer as JSON."""

    digest: str
    answer: str


FIRST_USES: Fact[tuple[int, str], FirstUse] = Fact("first uses")  # by (account, client id)


class ClientIdUsed(Event, frozen=True, gc=False):
    """An account used a client id for the first time. `at` is the time in microseconds since 1970."""

    account_id: int
    client_id: str
    use: FirstUse
    at: int

    def apply(self, rows: Rows) -> None:
        rows.put(FIRST_USES, (self.account_id, self.client_id), self.use)


class Request(NamedTuple):
    """A request: the name of its command, and its fields by name.

    A field that is None or False counts as left out, so a command may get more fields later.
    """

    name: str
    fields: Mapping[str, object]

    def digest(self, key: bytes) -> str:
        """Return the keyed hash of the request, as 32 hexadecimal digits of HMAC-SHA256 (RFC 2104).

        Without the key, nobody can find out by trying which text a deleted message had.
        """
        given = {name: value for name, value in self.fields.items() if value is not None and value is not False}
        return hmac.digest(key, _to_json((self.name, given)), "sha256")[:16].hex()

    def is_that_of(self, use: FirstUse, rules: Rules) -> bool:
        """Return whether the first use of a client id was this request."""
        return any(self.digest(key) == use.digest for key in rules.keys)
