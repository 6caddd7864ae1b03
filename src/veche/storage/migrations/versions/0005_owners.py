"""Every group and channel that has members gets an owner: the member who joined first."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OWNERLESS = """
    SELECT m.room_id, m.account_id FROM members m JOIN rooms r ON r.id = m.room_id
    WHERE r.kind IN ('group', 'channel')
    AND NOT EXISTS (SELECT 1 FROM members o WHERE o.room_id = m.room_id AND o.role = 'owner')
    ORDER BY m.room_id, m.joined_at, m.account_id
"""
_STATEMENTS = (
    "UPDATE members SET role = 'owner' WHERE room_id = :room AND account_id = :account",
    "UPDATE logs SET last_seq = last_seq + 1 WHERE id = :room",
    "INSERT INTO events (log_id, seq, kind, created_at, account_id, data) "
    "SELECT id, last_seq, 'owner', :now, :account, :data FROM logs WHERE id = :room",
)


def upgrade() -> None:
    """Name the owners, in the members' rows and in the rooms' logs. Create the index that finds the first member."""
    op.create_index("ix_members_room_id_joined_at", "members", ["room_id", "joined_at", "account_id"])
    connection, now = op.get_bind(), time.time_ns() // 1000
    first: dict[int, int] = {}
    for room_id, account_id in connection.execute(sa.text(_OWNERLESS)).all():
        first.setdefault(room_id, account_id)
    for room_id, account_id in first.items():
        creator = connection.scalar(sa.text("SELECT creator_id FROM rooms WHERE id = :room"), {"room": room_id})
        values = {"room": room_id, "account": account_id, "now": now, "data": f'{{"by":{creator}}}'}
        for statement in _STATEMENTS:
            binds = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), binds)
