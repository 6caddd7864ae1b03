"""Bring a database to this version's schema with Alembic, at every start."""

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(engine: Engine) -> None:
    """Apply what is missing, each step in a transaction of its own with its mark.

    Raises ValueError where the database was made by a newer Veche: old code must not touch it.
    """
    scripts = ScriptDirectory.from_config(_config())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transactional_ddl": False})
        current = context.get_current_revision()
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise ValueError(
                f"This database was made by a newer Veche (schema {current}); this one knows up to "
                f"{scripts.get_current_head()}. "
                "Start the newer version, or restore a backup."
            )
        for script in reversed(list(scripts.iterate_revisions("heads", current or "base"))):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            with Operations.context(context):
                script.module.upgrade()
            if current is None:
                context._ensure_version_table()  # Alembic offers no public spelling of its own first step
            context.stamp(scripts, script.revision)
            connection.exec_driver_sql("COMMIT")
            current = script.revision


def schema_version() -> str:
    """Name the newest schema that this version knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
