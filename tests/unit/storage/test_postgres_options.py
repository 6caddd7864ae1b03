"""Options in the address of a PostgreSQL database that its driver does not know."""

from __future__ import annotations

import logging

import psycopg
import pytest

from veche.storage.engines.engine import DatabaseError
from veche.storage.kinds.postgres_database import PostgresDatabase, parse
from veche.storage.kinds.postgres_options import without_unknown

SENTINEL = "Sentinel8b1f"


@pytest.mark.parametrize(
    ("url", "kept", "dropped"),
    [
        ("postgresql://db/chat", "postgresql://db/chat", []),
        ("postgres://db/chat?schema=public", "postgres://db/chat", ["schema"]),
        ("postgres://u:p@db/c?schema=a&sslmode=require&pgbouncer=true", "postgres://u:p@db/c?sslmode=require", None),
        ("postgres://u:p?x=y@db/c?connect_timeout=5&a=b", "postgres://u:p?x=y@db/c?connect_timeout=5", ["a"]),
        ("postgres://db/c?application_name=a@b", "postgres://db/c?application_name=a@b", []),
        ("postgres://db/c?ssl=true&%73chema=x", "postgres://db/c?ssl=true", ["schema"]),
        ("postgresql://?host=/run/postgresql&dbname=c&statement_cache_size=0", None, ["statement_cache_size"]),
    ],
)
def test_only_options_of_libpq_are_kept(url: str, kept: str | None, dropped: list[str] | None) -> None:
    found, names = without_unknown(url)
    assert kept is None or found == kept
    assert names == (["schema", "pgbouncer"] if dropped is None else dropped)
    assert psycopg.conninfo.conninfo_to_dict(found)


def test_what_is_ignored_is_in_the_log_without_its_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        conninfo, _ = parse(f"postgres://me:{SENTINEL}@db/chat?schema={SENTINEL}")
    assert psycopg.conninfo.conninfo_to_dict(conninfo)["host"] == "db"
    assert caplog.messages == ["the address of the database has options that are ignored: schema"]


@pytest.mark.parametrize("option", ["ssl=require", "ssl=false", "sslaccept=strict", "sslidentity=x"])
def test_an_option_about_tls_of_another_driver_is_refused(option: str) -> None:
    with pytest.raises(DatabaseError, match=r"one of another driver. Use sslmode instead") as refused:
        parse(f"postgresql+asyncpg://me:{SENTINEL}@db/chat?{option}")
    assert SENTINEL not in str(refused.value)


def test_an_address_as_prisma_writes_it_leads_to_the_database(postgres_url: str) -> None:
    mark = "&" if "?" in postgres_url else "?"
    url = postgres_url.replace("postgresql://", "postgres://") + f"{mark}schema=public&connection_limit=5"
    database = PostgresDatabase(url)
    try:
        with database.connected() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        database.close()
