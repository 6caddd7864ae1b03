"""The handles of deleted accounts, which nobody else gets."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the column and its index. Of accounts that were deleted before, the handle is not known any more."""
    op.add_column("closed_accounts", sa.Column("gone", sa.Text))
    op.create_index("ix_closed_accounts_gone", "closed_accounts", ["gone"])
