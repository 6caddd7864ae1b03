"""Fill a State with the rows that a batch of commands needs: one statement a table, whatever the batch's size.

What a message needs is here; what rarer commands need besides is in `storage.load_rare`.
"""

from sqlalchemy import Connection, and_, func, select

from veche.core.accounts import Account
from veche.core.needs import Needs
from veche.core.rooms import Head
from veche.core.state import State
from veche.storage import schema as t
from veche.storage.load_rare import load_rare
from veche.storage.rows import ACCOUNTS, HEADS, MEMBERS, MESSAGES, ROOMS, member_of, message_of, room_of, rows
from veche.storage.sqlite import by_key, keys, part

_keys = keys("keys")
_accounts = by_key(ACCOUNTS, t.accounts.c.id)
_rooms = by_key(ROOMS, t.rooms.c.id)
_heads = by_key(HEADS, t.logs.c.id)
_members = MEMBERS.where(and_(t.members.c.room_id == part(_keys, 0), t.members.c.account_id == part(_keys, 1)))
_sent = MESSAGES.where(and_(t.messages.c.sender_id == part(_keys, 0), t.messages.c.client_message_id == part(_keys, 1)))
_last_message = select(func.max(t.messages.c.id))


def load(connection: Connection, needs: Needs) -> State:
    """Read what is needed, inside the transaction that will write."""
    state = State()
    load_rare(connection, needs, state)
    for row in rows(connection, _rooms, needs.rooms):
        state.rooms[row[0]] = room_of(row)
    for row in rows(connection, _heads, needs.heads):
        state.heads[row[0]] = Head(row[1], row[2], row[3])
    for row in rows(connection, _accounts, needs.accounts):
        state.accounts[row[0]] = Account(*row)
    for row in rows(connection, _members, needs.members):
        state.members[row[0], row[1]] = member_of(row)
    for row in rows(connection, _sent, needs.sent):
        state.sent[row[3], row[7]] = message_of(row)
    if needs.message_ids:
        state.next_message_id = (connection.scalar(_last_message) or 0) + 1
    return state
