"""The setting of a run: makes accounts and rooms over REST, and reads the histories at the end."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.services import Postgres

from .client import Account
from .evidence import Stored, StoredChange, StoredTurn
from .switches import TURNS, stored_turn

PAGE = 200
COLUMNS = "room_id, seq, id, sender_id, client_message_id, text, kind, revision, deleted_by"
CHANGES = "SELECT log_id, seq, kind, data FROM {} WHERE kind IN ('edited', 'deleted') AND log_id > 0"


def api(base: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=base, timeout=10.0)


def _authorised(account: Account) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {account.token}"}


async def register(http: httpx.AsyncClient, name: str) -> Account:
    answer = await http.post("/v1/register", json={"username": name, "password": secrets.token_urlsafe(16)})
    body = _body(answer)
    return Account(name, body["me"]["id"], body["token"])


async def create_room(http: httpx.AsyncClient, owner: Account, name: str, others: Sequence[Account]) -> int:
    """Create a group room of `owner`, which all `others` join by a link; return its id.

    They are not invited, because each invitation in the log must be one that a client has asked for.
    """
    answer = await http.post("/v1/rooms", json={"kind": "group", "name": name}, headers=_authorised(owner))
    number: int = _body(answer)["id"]
    link = _body(await http.post(f"/v1/rooms/{number}/links", json={}, headers=_authorised(owner)))
    for other in others:
        _body(await http.post(f"/v1/links/{link['code']}/join", headers=_authorised(other)))
    return number


async def head_of(http: httpx.AsyncClient, reader: Account, room: int) -> int:
    answer = await http.get(f"/v1/rooms/{room}", headers=_authorised(reader))
    head: int = _body(answer)["head_seq"]
    return head


async def served_history(http: httpx.AsyncClient, reader: Account, room: int) -> list[Stored]:
    """Read all messages of a room from the public API, page by page."""
    history: list[Stored] = []
    more = True
    while more:
        after = history[-1].seq if history else 0
        answer = await http.get(
            f"/v1/rooms/{room}/messages", params={"after_seq": after, "limit": PAGE}, headers=_authorised(reader)
        )
        page = _body(answer)
        history += [_stored(item) for item in page["items"]]
        more = page["has_more_after"]
        if more and not page["items"]:
            raise RuntimeError(f"room {room} promises more after {after}, but the page is empty")
    return history


def _stored(item: Mapping[str, Any]) -> Stored:
    sender, cid = item["sender"]["id"], item["client_message_id"]
    revision, deleted = item.get("revision", 0), "deleted_by_id" in item
    return Stored(item["room_id"], item["seq"], item["id"], sender, cid, item["text"], item["kind"], revision, deleted)


def _body(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}")
    return answer.json()


def database_rows(database: Path, rooms: Sequence[int]) -> list[Stored]:
    """Read all messages of `rooms` from the database file."""
    with closing(_opened(database)) as connection:
        query = f"SELECT {COLUMNS} FROM messages WHERE room_id IN ({_marks(rooms)})"
        return [stored_row(row) for row in connection.execute(query, rooms)]


def stored_row(row: Sequence[Any]) -> Stored:
    """Make a message of a row with these COLUMNS."""
    *columns, deleted_by = row
    return Stored(*columns, deleted_by is not None)


def stored_change(row: Sequence[Any]) -> StoredChange:
    """Make a change of a row of CHANGES."""
    room, seq, kind, data = row
    found = json.loads(data)
    return StoredChange(room, seq, kind, found["message"], found["revision"])


def database_changes(database: Path) -> list[StoredChange]:
    """Read all changes of messages from the database file."""
    with closing(_opened(database)) as connection:
        return [stored_change(row) for row in connection.execute(CHANGES.format("events"))]


def postgres_changes(postgres: Postgres, url: str) -> list[StoredChange]:
    """Read all changes of messages from PostgreSQL."""
    return [stored_change(row) for row in postgres.psql(CHANGES.format("veche.events"), url=url)]


def database_turns(database: Path) -> list[StoredTurn]:
    """Read from the database file all entries that switched something on or off."""
    with closing(_opened(database)) as connection:
        return [stored_turn(row) for row in connection.execute(TURNS.format("events"))]


def postgres_turns(postgres: Postgres, url: str) -> list[StoredTurn]:
    """Read from PostgreSQL all entries that switched something on or off."""
    return [stored_turn(row) for row in postgres.psql(TURNS.format("veche.events"), url=url)]


def database_events(database: Path, logs: Sequence[int]) -> list[tuple[int, int]]:
    """Read the (log, seq) of all events of `logs` from the database file."""
    with closing(_opened(database)) as connection:
        query = f"SELECT log_id, seq FROM events WHERE log_id IN ({_marks(logs)})"
        return [(log, seq) for log, seq in connection.execute(query, logs)]


def postgres_rows(postgres: Postgres, url: str, rooms: Sequence[int]) -> list[Stored]:
    """Read all messages of `rooms` from PostgreSQL."""
    query = f"SELECT {COLUMNS} FROM veche.messages WHERE room_id = ANY(%s)"
    return [stored_row(row) for row in postgres.psql(query, list(rooms), url=url)]


def postgres_events(postgres: Postgres, url: str, logs: Sequence[int]) -> list[tuple[int, int]]:
    """Read the (log, seq) of all events of `logs` from PostgreSQL."""
    query = "SELECT log_id, seq FROM veche.events WHERE log_id = ANY(%s)"
    return [(log, seq) for log, seq in postgres.psql(query, list(logs), url=url)]


def _opened(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True)


def _marks(values: Sequence[int]) -> str:
    return ",".join("?" * len(values))
