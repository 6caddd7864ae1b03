"""The rows about files, on both databases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core import commands as c

from veche.core.errors import ChatError, Code
from veche.core.files import FILES, USAGES, FileState
from veche.core.messages import References
from veche.core.rules import Rules
from veche.core.values import LOBBY_ID, FileInfo
from veche.storage import files, messages, opening
from veche.storage.commit import commit
from veche.storage.database import Database

from .conftest import ON_BOTH

SIZE = 10_000
RULES = Rules(file_quota=100 * SIZE)
ONE, TWO, THREE = (FileInfo(f"{n:032x}", "имя.png", SIZE, "image/png", 3, 4) for n in (1, 2, 3))


@pytest.fixture(params=ON_BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with contextlib.closing(opening.open_to_serve(url)) as database:
        do(database, c.by(c.NOBODY_ID, c.Register("hash", username="ann")))
        yield database


def do(database: Database, *requests: c.Request, at: int = 1) -> list[Any]:
    outcomes, _ = commit(database, list(requests), at, rules=RULES)
    return outcomes


def upload(database: Database, *infos: FileInfo, at: int = 1) -> None:
    for info in infos:
        do(database, c.by(1, c.BeginUpload(info)), c.by(1, c.FinishUpload(info)), at=at)


def send(*infos: FileInfo) -> c.Request:
    return c.by(1, c.SendFiles(LOBBY_ID, "", file_ids=tuple(info.id for info in infos)))


def states(database: Database) -> dict[str, FileState]:
    load = files.SUBJECT.loads[FILES]
    with database.reading() as tx:
        return {id: file.state for id, file in load(tx, [ONE.id, TWO.id, THREE.id])}


def usage(database: Database) -> dict[int, int]:
    with database.reading() as tx:
        return dict(files.SUBJECT.loads[USAGES](tx, [1]))


def test_a_message_is_read_with_its_files(database: Database) -> None:
    upload(database, ONE, TWO)
    [sent] = do(database, send(TWO, ONE))
    with database.reading() as tx:
        message = messages.message(tx, sent.message.id)
        file, view = files.file_with_room(tx, ONE.id, 1)
        assert files.file_with_room(tx, THREE.id, 1) == (None, None)
    assert message == sent.message
    assert message is not None
    assert message.references == References(files=(TWO, ONE))
    assert file is not None
    assert (file.info, file.room_id, file.message_id) == (ONE, LOBBY_ID, message.id)
    assert view is not None
    assert view.room.id == LOBBY_ID


def test_of_two_messages_in_one_batch_the_first_gets_the_file(database: Database) -> None:
    upload(database, ONE)
    first, second = do(database, send(ONE), send(ONE))
    assert first.message.references.files == (ONE,)
    assert isinstance(second, ChatError)
    assert second.code is Code.INVALID


def test_a_deletion_lets_the_files_go(database: Database) -> None:
    upload(database, ONE, TWO)
    [sent] = do(database, send(ONE))
    do(database, send(TWO))
    do(database, c.by(1, c.DeleteMessage(LOBBY_ID, sent.message.id)))
    assert states(database) == {ONE.id: FileState.GONE, TWO.id: FileState.USED}
    with database.reading() as tx:
        left = messages.message(tx, sent.message.id)
        assert files.gone_files(tx, "", 10) == [(1, ONE.id)]
        assert files.gone_files(tx, ONE.id, 10) == []
    assert left is not None
    assert left.references is None
    assert usage(database) == {1: 2 * SIZE}
    do(database, c.by(c.NOBODY_ID, c.ForgetFiles(((1, ONE.id), (1, TWO.id)))))
    assert (states(database), usage(database)) == ({TWO.id: FileState.USED}, {1: SIZE})


def test_uploads_that_no_message_has_are_found_the_oldest_first(database: Database) -> None:
    upload(database, TWO, at=5)
    upload(database, ONE, at=6)
    do(database, c.by(1, c.BeginUpload(THREE)), at=7)
    with database.reading() as tx:
        assert files.unused_files(tx, 7, 10) == [(1, TWO.id), (1, ONE.id)]
        assert files.unused_files(tx, 8, 1) == [(1, TWO.id)]
    do(database, c.by(c.NOBODY_ID, c.DropFiles(((1, TWO.id), (1, ONE.id), (1, THREE.id)), 7)))
    assert states(database) == {ONE.id: FileState.GONE, TWO.id: FileState.GONE, THREE.id: FileState.UPLOADING}
    with database.reading() as tx:
        assert files.unused_files(tx, 99, 10) == [(1, THREE.id)]
    do(database, c.by(c.NOBODY_ID, c.DropFiles(((1, THREE.id),), 99)))
    do(database, c.by(c.NOBODY_ID, c.ForgetFiles(tuple((1, info.id) for info in (ONE, TWO, THREE)))))
    assert (states(database), usage(database)) == ({}, {})
