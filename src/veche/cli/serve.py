"""`veche serve`: listens on the addresses, builds the server, runs it, and shuts it down in order."""

import asyncio
import contextlib
import errno
import faulthandler
import logging
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from veche import __version__
from veche.app import Server
from veche.cli.draining import ANSWER_SECONDS, drain
from veche.cli.place import Place
from veche.gateway.watch import Watch
from veche.ops import logs
from veche.ops.addresses import secrets_in
from veche.ops.garbage import spare_old_objects
from veche.settings import ServerSettings, Settings
from veche.storage.opening import open_to_serve
from veche.wire.engineio.neighbours import Neighbours
from veche.wire.http import BoundedHttp
from veche.wire.websocket import WebSocket

logger = logging.getLogger("veche")

SWITCH_INTERVAL = 0.001  # seconds after which the writer's thread has to give the GIL back to the event loop
OTHER_FILES = 100  # open files that are no connections: the database, listeners, logs, and connections to an upstream
TICK = 1.0  # seconds between two updates of the Date header
SHUTDOWN_TIMEOUT = 8  # seconds that connections have to close when the server stops


class BindError(Exception):
    """The server cannot listen on an address. The message says why."""


class _Uvicorn(uvicorn.Server):
    """Shuts down in order: it accepts no more, sends its clients away (`draining`), and then ends."""

    def __init__(
        self, config: uvicorn.Config, server: Server, on_started: Callable[[], None], place: Place | None
    ) -> None:
        super().__init__(config)
        self._veche = server
        self._on_started = on_started
        self._place = place
        self._unready_place = place  # None once the parent knows that this worker is ready
        self._stops_alone = False
        self._exit = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._place is not None:
            await self._join_workers(self._place)
        self._on_started()

    async def _join_workers(self, place: Place) -> None:
        loop = asyncio.get_running_loop()
        signal.signal(signal.SIGHUP, self._stop_alone)
        loop.add_reader(place.lifeline, self._lost_parent, place.lifeline)
        veche = self._veche
        app = next((dialect.forwarded for dialect in veche.dialects if dialect.forwarded is not None), None)
        if veche.neighbours is not None and app is not None:
            await veche.neighbours.start(app, self._adopt)

    def _stop_alone(self, *_: object) -> None:
        self._stops_alone = True
        self._stop()

    def _lost_parent(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        logger.critical("the parent of this worker has ended, so the worker stops")
        self._stop()

    async def _adopt(self, connection: socket.socket, head: bytes) -> None:
        """Take over the WebSocket of another worker, with the request that was read from it."""
        state, app_state = self.server_state, self.lifespan.state
        _, websocket = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: WebSocket(self.config, state, app_state), connection
        )
        websocket.data_received(head)

    async def main_loop(self) -> None:
        """Do what uvicorn does each second. uvicorn itself looks ten times a second whether a signal has come."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            self._report_ready()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exit.wait(), TICK)

    def _report_ready(self) -> None:
        place = self._unready_place
        if place is not None and self._veche.problem() is None:
            self._unready_place = None
            with contextlib.suppress(BrokenPipeError):  # the parent has just ended, and `_lost_parent` comes
                place.report_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._stop()

    def _stop(self) -> None:
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._exit.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        started = time.monotonic()
        connections = len(self.server_state.connections)
        logger.info("stopping; %d connections are open", connections, extra={"fields": {"connections": connections}})
        veche = self._veche
        veche.draining = True
        for listener in self.servers:
            listener.close()
        for bound in sockets or []:
            bound.close()
        has_successors = self._stops_alone or veche.node.has_successors
        seconds = veche.settings.server.drain_seconds if has_successors else 0.0
        giving_up = asyncio.get_running_loop().call_later(seconds + ANSWER_SECONDS, veche.writer.give_up)
        await drain(self.server_state.connections, veche.dialects, veche.writer, seconds)
        await super().shutdown(sockets)
        giving_up.cancel()
        if veche.neighbours is not None:
            veche.neighbours.stop()
        fields = {"connections": connections, "seconds": time.monotonic() - started}
        logger.info(
            "stopped; it took %.1f s to close %d connections", *reversed(fields.values()), extra={"fields": fields}
        )


def bind(host: str, port: int) -> socket.socket:
    """Listen on an address. Raises BindError.

    Called before the database is opened, so that the database is not changed if the port is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)  # not later: with SO_REUSEADDR a second server can bind until the first one listens
    except (OSError, OverflowError, ValueError, TypeError) as error:  # the last two: the host is no name at all
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise BindError(
                f"Port {port} of {host} is in use. Stop what uses it, or choose another with --port."
            ) from None
        raise BindError(f"Cannot listen on {host} port {port}: {error}.") from None
    return listener


def bind_all(settings: ServerSettings) -> list[socket.socket]:
    """Listen on all addresses of the setting `bind`, or on `host` and `port` if it is empty. Raises BindError."""
    addresses = [_address(text) for text in settings.bind] or [(settings.host, settings.port)]
    listeners: list[socket.socket] = []
    try:
        for host, port in addresses:
            listeners.append(bind(host, port))
    except BindError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or len(port) > 5:
        raise BindError(f"{text!r} is no address to listen on: give HOST:PORT, for example 127.0.0.1:3001.")
    return host.strip("[]"), int(port)


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def begin_log(settings: Settings, worker: int = 0) -> None:
    """Write the log as the settings say, with the number of this worker.

    The secrets that the settings contain never appear in it.
    """
    server = settings.server
    secrets = secrets_of(settings)
    logs.configure(server.log_level, server.log_format, access=server.access_log, secrets=secrets, worker=worker)


def secrets_of(settings: Settings) -> list[str]:
    """Return the secrets that the settings contain: what signs tokens, and passwords in addresses."""
    models = (settings.server, *settings.options.values())
    urls = [value for model in models for value in model.model_dump().values() if "://" in str(value)]
    passwords = [secret for url in urls for secret in secrets_in(str(url))]
    signing = (settings.server.secret, settings.server.old_secret)
    return [one for one in (*signing, *passwords) if one]


def _log_start(settings: Settings, server: Server, listeners: list[socket.socket]) -> None:
    where = ", ".join(map(url_of, listeners))
    dialects = ", ".join(settings.options)
    fields = {"version": __version__, "where": where, "database": server.database.name, "dialects": dialects}
    logger.info(
        "Veche %s is on %s; the database is %s; the dialects are %s", *fields.values(), extra={"fields": fields}
    )


def serve(
    settings: Settings, listeners: list[socket.socket], on_started: Callable[[], None], place: Place | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then shut down and return. `on_started` is called once clients can connect.

    `place`: the place of this process among several workers. Exits with status 1 if the node may not go on.
    """
    settings = with_fitting_connections(settings, raise_file_limit())
    sys.setswitchinterval(SWITCH_INTERVAL)
    faulthandler.enable(logs.STDERR)  # if the C code of a library crashes, the log says where
    database = open_to_serve(settings.server.database_url, may_lose=settings.server.database_may_lose)
    neighbours = Neighbours(Path(place.folder), place.number) if place is not None else None
    try:
        server = Server(settings, database, machine=place.machine if place is not None else "", neighbours=neighbours)
    except BaseException:
        database.close()
        raise
    spare_old_objects()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises the signal again after its shutdown: exit with 0

    def started() -> None:
        _log_start(settings, server, listeners)
        on_started()

    _Uvicorn(_config(server), server, started, place).run(sockets=listeners)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the rest of the shutdown
    if server.nodes.refused:
        raise SystemExit(1)


def _config(server: Server) -> uvicorn.Config:
    return uvicorn.Config(
        Watch(server.app, server.trusted),
        loop="uvloop",
        http=BoundedHttp,
        ws=WebSocket,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )


def raise_file_limit() -> int:
    """Raise the limit of open files to the hard limit, and return it: each connection takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def with_fitting_connections(settings: Settings, files: int) -> Settings:
    """Return settings with as many connections as `files` open files allow. Log a sentence if these are fewer."""
    server, fitting = settings.server, files - OTHER_FILES
    if server.connections <= fitting:
        return settings
    logger.warning(
        "The limit of open files is %d. So the server has %d connections at most, not %d (VECHE_CONNECTIONS). "
        "Raise the limit with ulimit -n, or with LimitNOFILE= in systemd.",
        files,
        max(1, fitting),
        server.connections,
    )
    return settings._replace(server=server.model_copy(update={"connections": max(1, fitting)}))
