"""Files: the rows about them, and how many bytes those of each account take. `blobs` has the bytes."""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Select,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from veche.core.deletion import MessageDeleted
from veche.core.files import FILES, USAGES, FileChanged, FileForgotten, FileState, OwnFile, StoredFile
from veche.core.messages import MessageRefers
from veche.core.values import FileInfo
from veche.core.views import RoomView
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.messages import messages
from veche.storage.rooms import room
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

files = Table(
    "files",
    metadata,
    Column("id", String(32), primary_key=True, autoincrement=False),
    Column("owner_id", Id, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("width", BigInteger),
    Column("height", BigInteger),
    Column("room_id", Id),
    Column("message_id", Id, index=True),
    Index("ix_files_state_created_at", "state", "created_at"),
)
usages = Table(
    "usages",
    metadata,
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("bytes", BigInteger, nullable=False),
)
c = files.c
u = usages.c

_insert = insert(files)
_delete = delete(files).where(c.id == bindparam("file"))
_insert_usage = insert(usages)
_delete_usage = delete(usages).where(u.account_id == bindparam("account"))
_show = update(messages).where(messages.c.id == bindparam("message")).values(files=bindparam("stored"))
_let_go = update(files).where(c.message_id == bindparam("message")).values(state=FileState.GONE.value)
_BY_ID = select(files).where(c.id == bindparam("file"))
_LIMIT = bindparam("limit", type_=Id)
_UNUSED = (
    select(c.owner_id, c.id)
    .where(
        or_(c.state == FileState.UPLOADING.value, c.state == FileState.UNUSED.value),
        c.created_at < bindparam("before"),
    )
    .order_by(c.created_at)
    .limit(_LIMIT)
)
_GONE = (
    select(c.owner_id, c.id)
    .where(c.state == FileState.GONE.value, c.id > bindparam("after", type_=Text))
    .order_by(c.id)
    .limit(_LIMIT)
)


def _file(row: Any) -> StoredFile:
    info = FileInfo(row.id, row.name, row.size, row.type, row.width, row.height)
    return StoredFile(info, row.owner_id, FileState(row.state), row.created_at, row.room_id, row.message_id)


def _by_ids(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(files), c.id)


def _usages(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(usages), u.account_id)


def _load(tx: Transaction, ids: Collection[str]) -> Iterator[tuple[str, StoredFile]]:
    return ((row.id, _file(row)) for row in tx.read_by_keys(_by_ids, ids))


def _load_usages(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, int]]:
    return ((row.account_id, row.bytes) for row in tx.read_by_keys(_usages, ids))


def _write(tx: Transaction, events: list[FileChanged | FileForgotten]) -> None:
    """Write the last row of each file, and the last usage of each account."""
    last: dict[str, StoredFile | None] = {}
    usage: dict[int, int] = {}
    for event in events:
        if isinstance(event, FileChanged):
            last[event.file.info.id] = event.file
            usage[event.file.owner_id] = event.usage
        else:
            last[event.id] = None
            usage[event.owner_id] = event.usage
    tx.write_each(_delete, [{"file": id} for id in last])
    tx.write_each(_insert, [_row_of(file) for file in last.values() if file is not None])
    tx.write_each(_delete_usage, [{"account": account_id} for account_id in usage])
    tx.write_each(_insert_usage, [{"account_id": id, "bytes": size} for id, size in usage.items() if size])


def _row_of(file: StoredFile) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(file.info),
        "owner_id": file.owner_id,
        "state": file.state.value,
        "created_at": file.created_at,
        "room_id": file.room_id,
        "message_id": file.message_id,
    }


def _write_messages(tx: Transaction, events: list[MessageRefers]) -> None:
    """Write with each message which files it has, so that whoever reads it reads no other table."""
    found = [(event.message_id, event.references.files) for event in events if event.references.files]
    tx.write_each(_show, [{"message": id, "stored": msgspec.json.encode(infos).decode()} for id, infos in found])


def _let_files_go(tx: Transaction, events: list[MessageDeleted]) -> None:
    tx.write_each(_let_go, [{"message": event.message_id} for event in events])


SUBJECT = Subject(
    loads={FILES: _load, USAGES: _load_usages},
    writes={
        (FileChanged, FileForgotten): _write,
        (MessageRefers,): _write_messages,
        (MessageDeleted,): _let_files_go,
    },
)


# Queries.


def file_with_room(tx: Transaction, id: str, account_id: int) -> tuple[StoredFile | None, RoomView | None]:
    """Read a file, and the room of its message as an account sees it. The caller has to check the access."""
    if (row := tx.first(_BY_ID, file=id)) is None:
        return None, None
    return _file(row), None if row.room_id is None else room(tx, row.room_id, account_id)


def unused_files(tx: Transaction, before: int, limit: int) -> list[OwnFile]:
    """Read which files were made before a time, in microseconds, and no message has them. The oldest first."""
    return [(row.owner_id, row.id) for row in tx.read(_UNUSED, before=before, limit=limit)]


def gone_files(tx: Transaction, after: str, limit: int) -> list[OwnFile]:
    """Read which files have to be removed, those with an id above `after`."""
    return [(row.owner_id, row.id) for row in tx.read(_GONE, after=after, limit=limit)]
