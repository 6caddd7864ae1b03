"""The other workers of this machine, which share the listening sockets: any of them may get any request.

The sid of a session ends with the number of the worker that has it. A poll that reaches another worker is passed on to
it, over a Unix socket in a private folder. A WebSocket for an upgrade moves there itself: the kernel passes open
sockets between processes (unix(7), SCM_RIGHTS).

One connection carries one request. A frame is 4 bytes of length and one ASGI message in MessagePack: first the scope,
then what the application receives; back comes what it sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from veche.wire.handshake import Upgrade, UpgradeMoved, UpgradeRefused

MAX_FRAME: Final = 4_000_000
MAX_UPGRADE: Final = 100_000
"""Limit of the head of an upgrade, in bytes."""
SEPARATOR: Final = "."
_LENGTH: Final = 4

logger = logging.getLogger("veche.wire")

Message = MutableMapping[str, Any]
Adopt = Callable[[socket.socket, bytes], Awaitable[object]]
"""Takes an open socket and the bytes that were already read from it."""


class UnknownWorkerError(Exception):
    """No worker has this number any more."""


class _Head(NamedTuple):
    """What the application gets of the scope of a request."""

    method: str
    path: str
    query_string: bytes
    headers: list[tuple[bytes, bytes]]
    client: tuple[str, int] | None
    scheme: str


class Neighbours:
    """`folder` has the sockets of all workers. `number` is that of this one."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._number = number
        self._server: asyncio.Server | None = None
        self._upgrades: socket.socket | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def suffix(self) -> str:
        """What the sids of this worker end with."""
        return f"{SEPARATOR}{self._number}"

    def owner(self, sid: str) -> int | None:
        """Return the number of the other worker that has a session. None: this one may have it."""
        number = sid.rpartition(SEPARATOR)[2]
        if SEPARATOR not in sid or not (number.isascii() and number.isdigit() and len(number) < 8):
            return None
        return int(number) if int(number) != self._number else None

    # To another worker.

    async def forward(self, owner: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Let another worker answer a request. Raises UnknownWorkerError before anything is sent."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._requests(owner)))
        except OSError:
            raise UnknownWorkerError from None
        sending = asyncio.ensure_future(_send_request(scope, receive, writer))
        started = False
        try:
            while (message := await _read(reader)) is not None:
                await send(message)
                started = True
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    return
        except OSError:
            pass
        finally:
            sending.cancel()
            writer.close()
        if not started:
            raise UnknownWorkerError

    def move(self, owner: int, upgrade: Upgrade) -> UpgradeRefused:
        """Pass the connection of an upgrade to another worker. Return the exception that ends it here."""
        connection = upgrade.transport.get_extra_info("socket") if upgrade.transport is not None else None
        if connection is None:
            return UpgradeRefused(503)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            try:
                sender.connect(str(self._moved(owner)))
                socket.send_fds(sender, [upgrade.head], [connection.fileno()])
            except OSError:  # the worker is gone, or takes no more; the client goes on with polling
                return UpgradeRefused(503)
        return UpgradeMoved()

    # From other workers.

    async def start(self, app: ASGIApp, adopt: Adopt) -> None:
        """Answer requests with `app`, and take WebSockets with `adopt`."""
        self._server = await asyncio.start_unix_server(
            lambda reader, writer: self._answer(app, reader, writer), str(self._requests(self._number))
        )
        upgrades = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        upgrades.bind(str(self._moved(self._number)))
        self._upgrades = upgrades
        asyncio.get_running_loop().add_reader(upgrades.fileno(), self._take_upgrade, upgrades, adopt)

    def stop(self) -> None:
        """Take no more."""
        if self._server is not None:
            self._server.close()
        if self._upgrades is not None:
            asyncio.get_running_loop().remove_reader(self._upgrades.fileno())
            self._upgrades.close()
        for path in (self._requests(self._number), self._moved(self._number)):
            path.unlink(missing_ok=True)

    async def _answer(self, app: ASGIApp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def receive() -> Message:
            return await _read(reader) or {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            await _write(writer, message)

        try:
            first = await _read(reader)
            if first is not None:
                await app(_scope_of(first), receive, send)
        except OSError:
            pass  # the other worker is gone, or its client
        except Exception:
            logger.exception("a request of another worker failed")
        finally:
            writer.close()

    def _take_upgrade(self, upgrades: socket.socket, adopt: Adopt) -> None:
        with contextlib.suppress(BlockingIOError):
            data, fds, _, _ = socket.recv_fds(upgrades, MAX_UPGRADE, 1)
            for fd in fds:
                task = asyncio.ensure_future(adopt(socket.socket(fileno=fd), data))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _requests(self, number: int) -> Path:
        return self._folder / f"{number}.polls"

    def _moved(self, number: int) -> Path:
        return self._folder / f"{number}.sockets"


def _scope_of(head: Message) -> Scope:
    client = head["client"]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": head["scheme"],
        "method": head["method"],
        "path": head["path"],
        "raw_path": head["path"].encode(),
        "root_path": "",
        "query_string": head["query_string"],
        "headers": [(name, value) for name, value in head["headers"]],
        "client": tuple(client) if client else None,
        "server": None,
        "extensions": {},
    }


async def _send_request(scope: Scope, receive: Receive, writer: asyncio.StreamWriter) -> None:
    """Send a request, then its body as it comes, and then close this direction when the client is gone."""
    head = _Head(
        scope["method"], scope["path"], scope["query_string"], list(scope["headers"]), scope["client"], scope["scheme"]
    )
    with contextlib.suppress(OSError):
        await _write(writer, head._asdict())
        while (message := await receive())["type"] == "http.request":
            await _write(writer, message)
        writer.write_eof()


async def _read(reader: asyncio.StreamReader) -> Message | None:
    """Read a frame. None: the other side has closed."""
    try:
        size = int.from_bytes(await reader.readexactly(_LENGTH))
        if size > MAX_FRAME:
            return None
        found: Message = msgspec.msgpack.decode(await reader.readexactly(size))
        return found
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _write(writer: asyncio.StreamWriter, message: MutableMapping[str, Any]) -> None:
    data = msgspec.msgpack.encode(message)
    writer.write(len(data).to_bytes(_LENGTH) + data)
    await writer.drain()
