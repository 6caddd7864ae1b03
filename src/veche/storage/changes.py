"""Changes of rows that are rare enough to be written event by event: people, sessions, rooms, read marks."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from veche.core import events as e
from veche.storage import schema as t


def _account(connection: Connection, event: e.AccountRegistered) -> None:
    account = event.account
    connection.execute(
        insert(t.accounts).values(
            id=account.id,
            username=account.username,
            handle=account.handle,
            name=account.name,
            email=account.email,
            email_key=account.email.casefold() if account.email is not None else None,
            password_hash=event.password_hash,
            created_at=account.created_at,
        )
    )
    connection.execute(insert(t.logs).values(id=-account.id, last_seq=0, message_count=0))


def _room(connection: Connection, event: e.RoomCreated) -> None:
    room = event.room
    connection.execute(
        insert(t.rooms).values(
            id=room.id,
            kind=room.kind,
            name=room.name,
            creator_id=room.creator_id,
            created_at=room.created_at,
            direct_key=room.direct_key,
            unique_name=room.unique_name,
        )
    )
    connection.execute(insert(t.logs).values(id=room.id, last_seq=0, message_count=0))


def _password(connection: Connection, event: e.PasswordChanged) -> None:
    change = update(t.accounts).where(t.accounts.c.id == event.account_id)
    connection.execute(change.values(password_hash=event.password_hash))


def _session(connection: Connection, event: e.SessionOpened) -> None:
    session = event.session
    connection.execute(
        insert(t.sessions).values(
            id=session.id,
            account_id=session.account_id,
            origin=session.origin,
            created_at=session.created_at,
            expires_at=session.expires_at,
        )
    )


def _end_sessions(connection: Connection, event: e.SessionsEnded) -> None:
    ended = delete(t.sessions).where(t.sessions.c.account_id == -event.log_id)
    if event.session_id is not None:
        ended = ended.where(t.sessions.c.id == event.session_id)
    elif event.kept is not None:
        ended = ended.where(t.sessions.c.id != event.kept)
    connection.execute(ended)


def _read(connection: Connection, event: e.MessageRead) -> None:
    read = update(t.messages).where(t.messages.c.id == event.message_id)
    connection.execute(read.values(reader_id=event.reader_id))


def _rename(connection: Connection, event: e.AccountRenamed) -> None:
    account = event.account
    renamed = update(t.accounts).where(t.accounts.c.id == account.id)
    connection.execute(renamed.values(username=account.username, handle=account.handle, name=account.name))


def _echo_opened(connection: Connection, event: e.EchoOpened) -> None:
    connection.execute(insert(t.echoes).values(id=event.id, account_id=event.account_id, opened_at=event.at))


def _echo_spoken(connection: Connection, event: e.EchoSpoken) -> None:
    line = {"id": event.id, "echo_id": event.echo_id, "source": event.source, "text": event.text}
    connection.execute(insert(t.echo_lines).values(**line, created_at=event.at))


def _echo_closed(connection: Connection, event: e.EchoClosed) -> None:
    closed = update(t.echoes).where(t.echoes.c.id == event.id, t.echoes.c.closed_at.is_(None))
    connection.execute(closed.values(closed_at=event.at))


WRITE: dict[type, Callable[[Connection, Any], None]] = {
    e.AccountRegistered: _account,
    e.AccountRenamed: _rename,
    e.RoomCreated: _room,
    e.EchoOpened: _echo_opened,
    e.EchoSpoken: _echo_spoken,
    e.EchoClosed: _echo_closed,
    e.PasswordChanged: _password,
    e.SessionOpened: _session,
    e.SessionsEnded: _end_sessions,
    e.MessageRead: _read,
}
