"""What all tables share: the metadata, the names of constraints, and the type of ids. Declares the table `meta`.

Each subject declares its tables in its own file. Times are microseconds since 1970 in UTC.
"""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text, select

from veche.storage.engines.engine import Transaction

GIVEN = "given"  # marks a column
PAGE_BYTES = 131_072  # a page ends once it has more bytes of text than this

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")  # in SQLite only an INTEGER column can be the row id


def id_column() -> Column[int]:
    """Return a column for ids that the server gives (`Transaction.new_id`)."""
    return Column("id", Id, primary_key=True, autoincrement=False, info={GIVEN: True})


def tables_with_given_ids() -> list[str]:
    """Return the names of the tables that have an `id_column`."""
    return [name for name, table in metadata.tables.items() if any(GIVEN in column.info for column in table.columns)]


meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

_EPOCH = select(meta.c.value).where(meta.c.key == "epoch")


def epoch(tx: Transaction) -> str:
    """Return the epoch of the database. It changes when a backup is restored, because the logs may be shorter then."""
    return str(tx.first(_EPOCH).value)
