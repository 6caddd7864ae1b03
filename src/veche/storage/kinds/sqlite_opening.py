"""Who may open which SQLite database: `veche serve` and `veche migrate` create and migrate it.

Other commands only find it.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from veche.storage.engines import sqlite_copy, sqlite_files, sqlite_identity, sqlite_lock, sqlite_restore
from veche.storage.engines.engine import DatabaseError, Failure
from veche.storage.engines.sqlite_lock import Purpose
from veche.storage.engines.sqlite_state import USABLE, State, Unusable, check
from veche.storage.kinds.sqlite_database import SqliteDatabase, lock, make_default_folder, sqlite_path
from veche.storage.migrate import check_version, schema_version

logger = logging.getLogger("veche.storage")

Say = Callable[[str], None]


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn the errors of the files of a database into sentences."""
    try:
        yield
    except (Unusable, sqlite_copy.NoSpace, sqlite_lock.DatabaseInUse) as error:
        raise DatabaseError(str(error)) from None
    except FileExistsError as error:
        raise DatabaseError(f"{error} exists already. Give another name, or --force to overwrite it.") from None
    except OSError as error:
        raise DatabaseError(f"{error.filename or path}: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: {error}.") from None


def files_beside(url: str) -> Path:
    """Return the folder beside a database for the files that people upload."""
    path = sqlite_path(url)
    return path.with_name(f"{path.stem}-files")


def open_to_serve(url: str) -> SqliteDatabase:
    """Open the database of a server: lock, create, copy and migrate it. Raises DatabaseError.

    A database that is a copy gets a new epoch.
    """
    database = _lock_to_serve(url)
    try:
        with sentences(database.path):
            _take_into_service(database, copy=True, say=logger.info)
    except BaseException:
        database.close()
        raise
    return database


def _lock_to_serve(url: str) -> SqliteDatabase:
    path = sqlite_path(url)
    with sentences(path):
        if path.parent.is_dir() and not path.exists():  # the lock creates the file, so look before
            check(path, {State.MISSING})
    return SqliteDatabase(url, serving=True)


def _take_into_service(database: SqliteDatabase, *, copy: bool, say: Say) -> None:
    state = check(database.path, USABLE | {State.MISSING})
    if state is State.COPY:  # first of all: what is in the log of an unknown copy is not trusted after a crash
        database.begin_serving(epoch=sqlite_identity.draw_epoch(), forget=True)
        logger.warning("%s is a restored copy: it has a new epoch, and clients load everything again", database.path)
    _migrate(database, copy=copy and state is not State.MISSING, say=say)
    if state is not State.COPY:
        try:
            database.begin_serving()
        except sqlite3.Error as error:
            if database.failure_of(error) is not Failure.UNAVAILABLE:
                raise
            logger.warning("%s cannot be written now: %s", database.path, error)


def _migrate(database: SqliteDatabase, *, copy: bool, say: Say) -> None:
    """Migrate a database to this version's schema. With `copy`, copy it first to `<name>.schema-<version>`."""
    version = _version(database.path) if copy else None
    if version is not None and version != schema_version():
        _check_version(version)
        target = database.path.with_name(f"{database.path.name}.schema-{version}")
        say(f"Copying {database.path} to {target} before the migration.")
        sqlite_copy.backup(database.path, target, overwrite=True, say=say)
        say(f"Migrating {database.path} from schema {version} to {schema_version()}.")
    database.migrate()


def migrate_database(url: str, *, copy: bool, say: Say) -> Path:
    """Create a database, or migrate it to this version's schema. Return its path. Raises DatabaseError.

    With `copy`, copy it first.
    """
    database = _lock_to_serve(url)
    try:
        with sentences(database.path):
            state = check(database.path, USABLE | {State.MISSING})
            if state is State.COPY:
                _claim(database.path)
            _migrate(database, copy=copy and state is not State.MISSING, say=say)
            database.settle()
    finally:
        database.close()
    return database.path


@contextlib.contextmanager
def open_existing(url: str, *, create: bool = False) -> Iterator[SqliteDatabase]:
    """Open a database that exists and has this version's schema. A server may run meanwhile.

    With `create`, a missing one is created. Raises DatabaseError.
    """
    path = sqlite_path(url)
    if create:
        make_default_folder(url)
    if not create:
        must_exist(path)
    held = lock(path, Purpose.USE)
    database = SqliteDatabase(url)
    try:
        with sentences(path):
            state = check(path, USABLE | ({State.MISSING} if create else frozenset()))
            if state is State.MISSING:
                database.migrate()
            else:
                must_have_this_schema(path)
            if state is State.COPY:
                _claim(path)
        yield database
    finally:
        database.close()
        held.release()


def must_have_this_schema(path: Path) -> None:
    """Raise DatabaseError if a database does not have this version's schema."""
    if (version := _version(path)) != schema_version():
        _check_version(version)
        raise DatabaseError(
            f"{path} has the schema {version}, and this Veche needs {schema_version()}. "
            "`veche serve` and `veche migrate` migrate it."
        )


def must_exist(path: Path) -> None:
    """Raise DatabaseError if there is no such file."""
    with sentences(path):
        if not path.exists():
            raise Unusable(State.MISSING.sentence(path))


def _claim(path: Path) -> None:
    """Remember a copy that is not served yet, so that what is written to its log is known to be of it."""
    with sqlite_files.reading(path) as connection:
        sqlite_identity.remember(path, {sqlite_identity.read(connection)})


def backup(url: str, target: Path, *, overwrite: bool, say: Say) -> Path:
    """Copy a database to `target`. Return its path. It is only read, and a server may run meanwhile.

    Raises DatabaseError.
    """
    path = sqlite_path(url)
    with sentences(path):
        if check(path, USABLE | {State.STRANGE}) is State.STRANGE and sqlite_lock.is_served(path):
            raise Unusable(
                f"A server runs with {path} by another name. Give that name: the last commits are beside it."
            )
        if target.is_dir():
            raise Unusable(f"{target} is a folder. Give the name of the new file.")
        if target.exists() and target.samefile(path):
            raise Unusable(f"{target} is the database itself. Give another name.")
        sqlite_copy.backup(path, target, overwrite=overwrite, say=say)
    return path


def restore(url: str, file: Path, *, end_sessions: bool, say: Say) -> tuple[Path, sqlite_restore.Restored]:
    """Put a copy of `file` in the place of a database. Return its path, and what was done. Raises DatabaseError."""
    path = sqlite_path(url)
    make_default_folder(url)
    held = lock(path, Purpose.REPLACE)
    try:
        with sentences(path):
            return path, sqlite_restore.restore(
                file.resolve(), path, check_schema=_check_version, end_sessions=end_sessions, say=say
            )
    finally:
        held.release()


def new_epoch(url: str) -> tuple[Path, str]:
    """Give a database a new epoch. Return its path and the epoch. Raises DatabaseError."""
    path = sqlite_path(url)
    must_exist(path)
    held = lock(path, Purpose.REPLACE)
    try:
        with sentences(path):
            check(path, USABLE | {State.STRANGE})
            database = SqliteDatabase(url)
            try:
                database.begin_serving(epoch=(epoch := sqlite_identity.draw_epoch()), forget=True)
            finally:
                database.close()
    finally:
        held.release()
    return path, epoch


def _version(path: Path) -> str | None:
    """Return the version of the schema. None: the file is empty, or a migration was interrupted before its end."""
    with sqlite_files.reading(path) as connection:
        return sqlite_files.version_of(connection) if sqlite_files.is_veche(connection) else None


def _check_version(version: str | None) -> None:
    try:
        check_version(version)
    except ValueError as error:
        raise DatabaseError(str(error)) from None
