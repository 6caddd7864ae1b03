"""A private PgBouncer in front of a PostgreSQL: `with PgBouncer(postgres.at) as bouncer: bouncer.url("db")`.

It pools transactions: two transactions of one client may run on two connections of the server.
"""

from __future__ import annotations

import os
from urllib.parse import quote

import psycopg

from tests.programs import program
from tests.services.postgres import USER, PostgresAddress
from tests.services.service import Service

POOL = 3  # connections to the server, fewer than a node opens to PgBouncer


class PgBouncer(Service):
    """Raises MissingError. `settings` are added to its file."""

    def __init__(self, to: PostgresAddress, settings: dict[str, str] | None = None) -> None:
        self._program, self._to = program("pgbouncer"), to
        super().__init__("pgbouncer", as_nobody=True)
        self._settings = settings or {}

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:{quote(self._to.password, safe='')}@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        to = f"host={self._to.host} port={self._to.port} user={USER} password={self._to.password}"
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": str(POOL),
            "server_round_robin": "1",
            "ignore_startup_parameters": "extra_float_digits",
        } | self._settings
        file = self.folder / "pgbouncer.ini"
        file.touch(mode=0o600)
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        file.write_text(f"[databases]\n* = {to}\n[pgbouncer]\n{lines}")
        os.chown(file, self.uid, self.gid)
        return [self._program, str(file)]

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True
