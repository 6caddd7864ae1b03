"""The checks of `veche doctor` on a PostgreSQL database. Nodes may run meanwhile, and nothing is written."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg

from veche.core.values import RESERVED_IDS
from veche.storage.engines.engine import COPYING, READERS
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.finding import Finding, Serving
from veche.storage.kinds import postgres_identity as identity
from veche.storage.kinds.postgres_database import SECRET_KEY, PostgresDatabase, read_meta
from veche.storage.kinds.postgres_nodes import count
from veche.storage.kinds.postgres_opening import ENCODING, OLDEST, half_copied, losing_settings, version_of
from veche.storage.kinds.postgres_originals import originals
from veche.storage.migrate import schema_version
from veche.storage.usernames import not_allowed_today

OF_NODE = 1 + READERS + 1
"""How many connections a node holds: to write, to read, and for its lease. The bus may need more."""
FOR_A_MOMENT = 1
"""How many more are open at times while a node starts, or for a command such as this one."""
SLOW_ANSWER = 0.02  # seconds
LONG_MINUTES = 5  # while a transaction is open, PostgreSQL cleans up nothing that was replaced since it began

_SERVER = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
    current_setting('server_encoding')
"""
_CONNECTIONS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    (SELECT count(*) FROM pg_stat_activity
    WHERE application_name IN ('veche', 'veche bus') AND backend_type = 'client backend'
    AND datname = current_database() AND pid <> pg_backend_pid())
"""
_LONG = f"""
    SELECT pid, coalesce(usename, ''), coalesce(application_name, ''),
    (extract(epoch FROM now() - xact_start) / 60)::int FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND xact_start < now() - interval '{LONG_MINUTES} minutes' ORDER BY xact_start LIMIT 5
"""  # noqa: S608  # our own numbers and names, here and below
_REPLICAS = """
    SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')),
    count(*) FILTER (WHERE sync_state IS NULL), current_setting('synchronous_standby_names') <> ''
    FROM pg_stat_replication
"""
_SIZE = f"""
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{SCHEMA}' AND c.relkind = 'r'
"""  # noqa: S608
_USERNAMES = f"SELECT id, username FROM {SCHEMA}.accounts WHERE id < {RESERVED_IDS} ORDER BY id"  # noqa: S608

Connection = psycopg.Connection[tuple[Any, ...]]


def checks(url: str, serving: Serving) -> list[Callable[[], Iterator[Finding]]]:
    """Return the checks of a database, which is one, because they share a connection.

    It may raise DatabaseError, or what is a bug.
    """
    database = PostgresDatabase(url)
    parts: tuple[Callable[[Connection], Iterator[Finding]], ...] = (
        partial(_server, database),
        lambda connection: _connections(connection, serving),
        _transactions,
        _replicas,
        partial(_chat, database),
        lambda connection: _nodes(connection, serving),
    )

    def check() -> Iterator[Finding]:
        with database.connected() as connection:
            for part in parts:
                yield from _findings(part, connection)

    return [check]


def _findings(part: Callable[[Connection], Iterator[Finding]], connection: Connection) -> Iterator[Finding]:
    try:
        yield from part(connection)
    except psycopg.Error as error:
        if connection.closed:
            raise
        yield Finding(False, "database", str(error).partition("\n")[0])  # the other parts have to run too


def _server(database: PostgresDatabase, connection: Connection) -> Iterator[Finding]:
    number, version, encoding = connection.execute(_SERVER).fetchall()[0]
    advice = "" if number >= OLDEST else ": Veche needs 15 or newer"
    yield Finding(number >= OLDEST, "PostgreSQL", f"{version} at {database.name}{advice}")
    if encoding != ENCODING:
        yield Finding(False, "encoding", f"{encoding} cannot store every text: Veche needs a database in {ENCODING}")
    off = losing_settings(connection)
    yield Finding(
        not off,
        "durability",
        f"{' and '.join(off)} off: what was acknowledged may be lost"
        if off
        else "a commit is stored before its answer",
    )
    began = time.perf_counter()
    connection.execute("SELECT 1")
    milliseconds = (time.perf_counter() - began) * 1000
    yield Finding(milliseconds < SLOW_ANSWER * 1000, "distance", f"{milliseconds:.1f} ms to the server and back")


def _connections(connection: Connection, serving: Serving) -> Iterator[Finding]:
    """Find out whether these nodes can start, or one more beside those that run, as in a rolling restart."""
    most, used, ours = connection.execute(_CONNECTIONS).fetchall()[0]
    free, of_node = most - used, OF_NODE + serving.bus_connections
    needed = of_node * (1 if ours else serving.workers) + FOR_A_MOMENT
    yield Finding(
        free >= needed,
        "connections",
        f"{free} of {most} are free, and {ours} are of Veche; a node holds {of_node}, so {needed} have to be free"
        + ("" if free >= needed else ": raise max_connections, or put pgbouncer in front"),
    )


def _nodes(connection: Connection, serving: Serving) -> Iterator[Finding]:
    if one_value(connection, f"SELECT to_regclass('{SCHEMA}.nodes')") is None:  # no chat, or an older one
        return
    alive, ended, without_bus = count(connection)
    sentence = f"{alive} run" if alive != 1 else "1 runs"
    if ended:
        sentence += f"; the leases of {ended} ran out, and nodes that run or start remove them"
    if is_lone := alive == without_bus == 1 and not serving.has_bus:
        sentence += ", without a bus: no other one can start"
    elif without_bus:
        sentence += f"; {without_bus} without a bus, so no other one can start: set VECHE_BUS_URL there, too"
    elif alive and not serving.has_bus:
        sentence += "; one with these settings cannot start beside them: set VECHE_BUS_URL here, too"
    yield Finding(not alive or is_lone or (serving.has_bus and not without_bus), "nodes", sentence)


def _transactions(connection: Connection) -> Iterator[Finding]:
    found = connection.execute(_LONG).fetchall()
    for pid, user, program, minutes in found:
        yield Finding(
            False,
            "transactions",
            f"one of {user!a} ({program!a}, pid {pid}) is open for {minutes} minutes, so nothing that is deleted or "
            f"replaced meanwhile is cleaned up. Let it end, or run SELECT pg_terminate_backend({pid})",
        )
    if not found:
        yield Finding(True, "transactions", f"none is open for more than {LONG_MINUTES} minutes")


def _replicas(connection: Connection) -> Iterator[Finding]:
    """Find out whether commits wait for replicas. What an ordinary role may not see is not known."""
    count, waited_for, hidden, names_some = connection.execute(_REPLICAS).fetchall()[0]
    sentence = f"{count}, and a commit waits for {waited_for} of them"
    if names_some and not waited_for and not hidden:
        sentence = "none of those that synchronous_standby_names names is connected, so all commands wait for one"
    elif hidden:
        sentence = f"{count}; GRANT pg_read_all_stats to this role to see whether a commit waits for them"
    elif not count:
        sentence = "none is connected: if this server is lost, all since the last backup is"
    elif not waited_for:
        sentence = f"{count}; a commit waits for none, so one that takes over may lack the last messages"
    yield Finding(hidden > 0 or waited_for > 0 or not names_some, "replicas", sentence)


def _chat(database: PostgresDatabase, connection: Connection) -> Iterator[Finding]:
    for original in originals(connection):
        yield Finding(True, "original", original)
    version = version_of(connection)
    if version is None:
        yield Finding(True, "database", f"{database.name}: the chat will be created at the first start")
        return
    yield Finding(
        version <= schema_version(),
        "schema",
        f"{version}; this version of Veche knows versions up to {schema_version()}",
    )
    if read_meta(connection, COPYING) is not None:
        yield Finding(False, "database", half_copied(database))
        return
    size = one_value(connection, _SIZE) >> 20
    yield Finding(True, "database", f"{database.name}: {size:,} MiB in the schema {SCHEMA}")
    known = read_meta(connection, identity.KEY)
    if known not in (None, identity.read(connection)):
        yield Finding(True, "epoch", "the chat comes from another server; a new epoch is drawn at the next start")
    made = read_meta(connection, SECRET_KEY) is not None
    yield Finding(
        True, "secret", "stored in the database" if made else "will be created in the database if none is set"
    )
    yield not_allowed_today(connection.execute(_USERNAMES).fetchall())
