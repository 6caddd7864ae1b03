"""What all tables share: the metadata, how constraints are named, the type of ids; and `meta`.

Each subject declares its tables in its own file. Times are microseconds since 1970 in UTC.
"""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text, select

from veche.storage.transaction import Transaction

PAGE_BYTES = 131_072  # of text, after which a page ends

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite's row id is spelled INTEGER

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))


def epoch(tx: Transaction) -> str:
    """Name this history. Another name means that a restore may have shortened the logs."""
    return str(tx.scalars(select(meta.c.value).where(meta.c.key == "epoch")).one())
