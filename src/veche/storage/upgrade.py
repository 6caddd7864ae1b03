"""Runs Alembic's scripts: each revision in one transaction, together with its version number."""

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from veche.storage.engines.sqlite import Sqlite


def upgrade(engine: Engine, migrations: Path, current: str | None) -> None:
    """Bring the schema from `current` (None: an empty database) to the newest of a folder of migrations."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transactional_ddl": False})
        for script in reversed(list(scripts.iterate_revisions("heads", current or "base"))):
            connection.exec_driver_sql(Sqlite.begin_write)
            with Operations.context(context):
                script.module.upgrade()
            context.stamp(scripts, script.revision)
            connection.exec_driver_sql("COMMIT")
