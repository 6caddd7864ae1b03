"""The bus over PostgreSQL's LISTEN and NOTIFY, for nodes that have no Redis. It carries bells and notes.

All nodes listen to one channel, and each ignores the logs that it does not follow. PostgreSQL lets transactions hand
over their notifications only one after the other. So this bus carries fewer than Redis does.
"""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from veche.bus.bus import BusError
from veche.bus.frames import Bell, EntryCodec, Sealer
from veche.bus.remote import RemoteBus
from veche.core.values import LogId

LOGS = 150  # in one bell; with the longest ids and seqs it has less than 7,500 bytes. PostgreSQL takes 7,999
NOTIFICATIONS = 100  # in one statement
FOLLOWED = 1000  # logs that are told to be followed at once
ASK_SECONDS = 2.0  # between two looks at whether the server is there, and that it may take to answer
TEST_SECONDS = 2.0  # after which a node that has not heard itself never will
TEST = "test "  # with this begins what a node sends to find out whether it hears itself; no frame begins so
CONNECTIONS = 2  # of one node: one hears, the other tells
NAME = "veche bus"  # as which PostgreSQL shows the connections
NOT_HEARD = (
    "Notifications of PostgreSQL do not come through. LISTEN does not work behind a pool of connections, such as "
    "pgbouncer with pool_mode=transaction. Set VECHE_BUS_URL to postgresql://USER:PASSWORD@HOST:PORT/NAME with the "
    "address of the server itself, or to a Redis."
)
_NOTIFY = "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload"

Connection: TypeAlias = psycopg.AsyncConnection[Any]


class PostgresBus(RemoteBus):
    """`conninfo` is a connection string of libpq, and `where` names the server without a password.

    Raises BusError if the server can be reached and does not hand over notifications.
    """

    def __init__(self, conninfo: str, where: str, sealer: Sealer, codec: EntryCodec) -> None:
        super().__init__(sealer, codec, entries=False)
        self._conninfo = conninfo
        self.where = where
        self._test = ""  # the notification that this node sends itself
        self._tested = asyncio.Event()
        check_notifications(conninfo)

    @property
    def _channel(self) -> str:
        return f"veche_{self._sealer.name}"

    async def _connection(self) -> None:
        async with self._open() as listener, self._open() as publisher:
            with _limited(listener):
                await listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._end_with_history())
                group.create_task(self._listen(listener))
                await self._hear_oneself(publisher)
                self._opened()
                self._tell_all_followed()
                group.create_task(self._send_news(publisher))

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[Connection]:
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            prepare_threshold=None,
            application_name=NAME,
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def _hear_oneself(self, publisher: Connection) -> None:
        """Find out whether notifications come through. Raises BusError."""
        self._test = f"{TEST}{secrets.token_hex(16)}"
        self._tested.clear()
        await self._notify(publisher, [self._test])
        try:
            async with asyncio.timeout(TEST_SECONDS):
                await self._tested.wait()
        except TimeoutError:
            raise BusError(NOT_HEARD) from None

    def _tell_all_followed(self) -> None:
        followed = iter(tuple(self._followed))
        while part := list(islice(followed, FOLLOWED)):
            self._tell_followed(part)

    async def _listen(self, connection: Connection) -> None:
        try:
            while True:
                async for notification in connection.notifies(timeout=ASK_SECONDS):
                    if notification.payload == self._test:
                        self._tested.set()
                    elif not notification.payload.startswith(TEST):
                        self._hear(notification.payload.encode())
                with _limited(connection):
                    await connection.execute("SELECT 1")
        finally:
            self._connected = False  # at once: to end a statement on the other connection can take seconds

    async def _send_news(self, connection: Connection) -> None:
        while True:
            await self._something_to_send()
            payloads = iter(
                (*self._take_notes(), *self._bells_of({new.log_id: new.head for new in self._outbox.take()}))
            )
            while part := list(islice(payloads, NOTIFICATIONS)):
                await self._notify(connection, [payload.decode() for payload in part])

    def _bells_of(self, heads: dict[LogId, int]) -> list[bytes]:
        left, bells = iter(heads.items()), []
        while part := dict(islice(left, LOGS)):
            bells.append(self._sealer.seal(Bell(self.node_id, part)))
        return bells

    async def _notify(self, connection: Connection, payloads: list[str]) -> None:
        with _limited(connection):
            await connection.execute(_NOTIFY, [self._channel, payloads])


@contextlib.contextmanager
def _limited(connection: Connection) -> Iterator[None]:
    """Break a connection if a statement takes too long. A timeout would ask the server to cancel it, and wait again."""

    def shut_down() -> None:
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(ASK_SECONDS, shut_down)
    try:
        yield
    finally:
        timer.cancel()


def check_notifications(conninfo: str) -> None:
    """Raise BusError if a server can be reached, and a connection to it does not get the notifications of another."""
    channel = f"veche_{secrets.token_hex(8)}"
    try:
        with (
            psycopg.connect(conninfo, autocommit=True, prepare_threshold=None, application_name=NAME) as listener,
            psycopg.connect(conninfo, autocommit=True, prepare_threshold=None, application_name=NAME) as publisher,
        ):
            listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            publisher.execute("SELECT pg_notify(%s, '')", [channel])
            if not list(listener.notifies(timeout=TEST_SECONDS, stop_after=1)):
                raise BusError(NOT_HEARD)
    except psycopg.Error:  # it cannot be reached now; it is tried again while the server runs
        return
