"""The programs that keep no message, and Veche itself. Each has one room with all members."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import peers
from bench import veche as product
from bench.beside.program import HERE, OWN_TEXT, TEXT, TEXT_MESSAGE, configure, own_folder
from bench.errors import BenchError
from bench.install import debian_version, node_package, node_version, python_package, python_version
from bench.peers import Crowd, Endpoint, Rooms, Site
from bench.server import Server, free_port, running

WS, SOCKETIO, PYTHON_SOCKETIO = ("ws", "8"), ("socket.io", "4.8"), "python-socketio"
NATS_HELLO = 'CONNECT {"auth_token":"token","verbose":false,"pedantic":false}\r\vSUB room 1\r\vPING\r\v'  # \v: load.c
NATS_PAYLOAD = f"@%T {TEXT}"  # with leading zeros, so that all are of one length
NATS_LENGTH = len(NATS_PAYLOAD.replace("%T", "0" * 19).replace("%N", "0" * 9))

install_ws = partial(node_version, *WS)
install_socketio = partial(node_version, *SOCKETIO)
install_python_socketio = partial(python_version, PYTHON_SOCKETIO)
install_nchan = partial(debian_version, "nchan", ("libnginx-mod-nchan", "nginx-light"))
install_nats = partial(debian_version, "NATS", ("nats-server",))


@contextmanager
def veche(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run a fresh Veche. In a shared room a sender waits for its own message, and alone in its room for the answer."""
    with product.veche(site, crowd) as endpoint:
        yield endpoint if crowd.rooms is Rooms.EACH else replace(endpoint, ack=OWN_TEXT)


@contextmanager
def limit(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run bench/limit.c."""
    with peers.limit(site, crowd) as endpoint:
        yield replace(endpoint, ack=OWN_TEXT)


@contextmanager
def ws(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run ws.mjs."""
    port = free_port()
    command = ["node", str(HERE / "ws.mjs"), str(node_package(*WS)), str(port)]
    with running(command, port, site.folder / "ws.log", {"NODE_ENV": "production"}, any_status=True) as server:
        yield Endpoint(server, "/", OWN_TEXT, message=TEXT_MESSAGE, delivery='{"text":')


@contextmanager
def socketio(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run socketio.mjs."""
    port = free_port()
    command = ["node", str(HERE / "socketio.mjs"), str(node_package(*SOCKETIO)), str(port)]
    with running(command, port, site.folder / "socketio.log", {"NODE_ENV": "production"}) as server:
        yield _socketio_endpoint(server, crowd)


@contextmanager
def python_socketio(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run socketio_app.py with uvicorn, uvloop and httptools of Veche's environment."""
    port = free_port()
    path = os.pathsep.join(filter(None, [str(python_package(PYTHON_SOCKETIO)), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "uvicorn", "bench.beside.socketio_app:app", "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log"]
    log = site.folder / "python-socketio.log"
    with running(command, port, log, {"PYTHONPATH": path}, any_status=True) as server:
        yield _socketio_endpoint(server, crowd)


def _socketio_endpoint(server: Server, crowd: Crowd) -> Endpoint:
    first = tuple(f'40{{"token":"member{number:04}"}}' for number in range(crowd.sockets))
    message, delivery = f'42["message",{TEXT_MESSAGE}]', '42["message",'
    path = "/socket.io/?EIO=4&transport=websocket"
    return Endpoint(server, path, OWN_TEXT, ready='40{"sid":', first=first, message=message, delivery=delivery)


@contextmanager
def nchan(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run nginx with nchan. Its members publish through the sockets on which they listen."""
    port = free_port()
    with own_folder(site, "nchan") as folder:
        config = configure("nginx.conf", folder, PORT=port, MODULE=_nchan_module())
        with running(["nginx", "-p", str(folder), "-c", str(config)], port, folder / "nginx.log") as server:
            yield Endpoint(server, "/room", OWN_TEXT, message=TEXT_MESSAGE, delivery='{"text":')


def _nchan_module() -> Path:
    if found := next(Path("/usr/lib").glob("**/ngx_nchan_module.so"), None):
        return found
    raise BenchError("nginx has no module for nchan.")


@contextmanager
def nats(site: Site, crowd: Crowd) -> Iterator[Endpoint]:
    """Run NATS. It may join several messages in one frame."""
    port = free_port()
    with own_folder(site, "nats") as folder:
        config = configure("nats.conf", folder, PORT=port, CLIENT_PORT=free_port())
        with running(["nats-server", "-c", str(config)], port, folder / "nats.log", any_status=True) as server:
            yield Endpoint(
                server,
                "/",
                OWN_TEXT,
                ready="PONG",
                first=(NATS_HELLO,) * crowd.sockets,
                message=f"PUB room {NATS_LENGTH}\r\n{NATS_PAYLOAD}\r\n",
                delivery="MSG room 1 ",
                stamp="\r\n@",
                joined=True,
            )
