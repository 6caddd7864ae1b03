"""A PostgreSQL that was copied from another one with pg_basebackup: a replica, or a restored backup."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.services.postgres import Postgres, _reachable, _run


class Replica(Postgres):
    """A replica of `primary`, which may stop later. `promote` makes it a primary."""

    def __init__(self, primary: Postgres) -> None:
        super().__init__(bin=primary.bin)
        self.password = primary.password
        self._primary = primary

    def _initdb(self) -> None:
        self.bin = _reachable(self.bin, self)
        words = ["--dbname", self._primary.url(), "--pgdata", self.data, "--write-recovery-conf", "--checkpoint=fast"]
        done = _run(self, [str(self.bin / "pg_basebackup"), *map(str, words)])
        assert done.returncode == 0, done.stdout

    def wait_for(self, primary: Postgres) -> None:
        """Wait until everything that the primary has committed is here."""
        [(position,)] = primary.psql("SELECT pg_current_wal_lsn()::text")
        while not self.psql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position)[0][0]:
            pass

    def promote(self) -> None:
        """Make it a primary. It may lack the last commits of the one before."""
        assert self.psql("SELECT pg_promote(true, 60)") == [(True,)]


class Restored(Postgres):
    """A PostgreSQL that has the data folder `data`, which a test has prepared."""

    def __init__(self, like: Postgres, data: Path) -> None:
        super().__init__(bin=like.bin)
        self.password = like.password
        shutil.copytree(data, self.data)
        for path in (self.data, *self.data.rglob("*")):
            shutil.chown(path, self.uid, self.gid)

    def _initdb(self) -> None:
        raise AssertionError("the data folder is missing")

    def answers(self) -> bool:
        """Whether it has read the archive, and can be written."""
        return super().answers() and self.psql("SELECT pg_is_in_recovery()") == [(False,)]
