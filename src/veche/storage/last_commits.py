"""The last commit of each process that writes to a database that several nodes may serve.

If the connection is lost during a COMMIT, this row says whether it is stored (`engines/postgres_outcome.py`). An SQLite
database has no rows: there the answer cannot be lost.
"""

from sqlalchemy import BigInteger, Column, String, Table

from veche.storage.tables import metadata

last_commits = Table(
    "last_commits",
    metadata,
    Column("writer", String(32), primary_key=True),  # random in each process
    Column("number", BigInteger, nullable=False),  # of the transaction, counted by the writer
    Column("at", BigInteger, nullable=False),  # by the clock of the database
)
