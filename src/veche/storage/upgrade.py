"""Runs the migrations with Alembic. Each one runs in its own transaction, which also stores the new version number."""

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Engine


def upgrade(engine: Engine, migrations: Path, current: str | None) -> None:
    """Run the migrations of a folder that come after the version `current`. None means an empty database."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transactional_ddl": False})
        for script in reversed(list(scripts.iterate_revisions("heads", current or "base"))):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            with Operations.context(context):
                script.module.upgrade()
            context.stamp(scripts, script.revision)
            connection.exec_driver_sql("COMMIT")
