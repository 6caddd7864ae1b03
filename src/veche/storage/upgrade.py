"""Runs the migrations with Alembic. Each one runs in its own transaction, which also stores the new version number."""

from collections.abc import Callable
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine


def upgrade(engine: Engine, migrations: Path, begin: Callable[[Connection], None]) -> None:
    """Run the migrations of a folder that the database does not have. Another process may do the same meanwhile."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transactional_ddl": False})
        for script in reversed(list(scripts.walk_revisions())):
            begin(connection)
            if (context.get_current_revision() or "") < script.revision:
                with Operations.context(context):
                    script.module.upgrade()
                context.stamp(scripts, script.revision)
            connection.exec_driver_sql("COMMIT")
