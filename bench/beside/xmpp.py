"""The XMPP servers: a group chat with an archive over WebSocket (RFC 7395), and a resource for each member."""

import base64
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

from bench.beside.program import OWN_TEXT, TEXT, configure, own_folder
from bench.errors import BenchError
from bench.install import debian_version
from bench.peers import Crowd, Endpoint, Rooms, Site
from bench.server import Server, free_port, running
from bench.veche import post

PASSWORD = "correct horse battery"
EJABBERD = ("ejabberd", "erlang-p1-sqlite3")
PROSODY = ("prosody", "lua-dbi-sqlite3")
OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" version="1.0"/>'
AUTH = '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">{plain}</auth>'
BIND = (
    '<iq xmlns="jabber:client" type="set" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind">'
    "<resource>socket{socket}</resource></bind></iq>"
)
JOIN = (
    '<presence xmlns="jabber:client" to="room{room}@conference.localhost/member{socket}">'
    '<x xmlns="http://jabber.org/protocol/muc"><history maxchars="0"/></x></presence>'
)
SAY = (
    '<message xmlns="jabber:client" type="groupchat" id="m%n" to="room{room}@conference.localhost">'
    f"<body>@%t {TEXT}</body></message>"
)
JOINED = "<subject"  # the last stanza of a join

install_ejabberd = partial(debian_version, "ejabberd", EJABBERD)
install_prosody = partial(debian_version, "prosody", PROSODY)


@contextmanager
def ejabberd(site: Site, crowd: Crowd, archive: str = "sql") -> Iterator[Endpoint]:
    """Run ejabberd with its archive in SQLite ("sql") or in Mnesia ("mnesia"), its default."""
    prepared = _prepare_ejabberd(site, archive, crowd.accounts)
    with own_folder(site, "ejabberd") as folder:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        with _run_ejabberd(folder, archive) as server:
            yield _endpoint(server, "/ws", crowd)


@cache
def _prepare_ejabberd(site: Site, archive: str, accounts: int) -> Path:
    """Create the database of the archive, and register the accounts, on a server that is stopped again."""
    folder = Path(mkdtemp(dir=site.folder, prefix="ejabberd-prepared-"))
    with closing(sqlite3.connect(folder / "archive.sqlite")) as database:
        database.executescript(_ejabberd_file("lite.sql").read_text())
    with _run_ejabberd(folder, archive) as server:
        for number in range(accounts):
            post(server, "/api/register", {"user": _user(number), "host": "localhost", "password": PASSWORD})
    return folder


@contextmanager
def _run_ejabberd(folder: Path, archive: str) -> Iterator[Server]:
    """Run ejabberd as ejabberdctl does, but without distribution, so that nothing listens outside 127.0.0.1."""
    port = free_port()
    config = configure("ejabberd.yml", folder, PORT=port, ARCHIVE=archive)
    command = [
        "erl",
        "+K",
        "true",
        "+P",
        "250000",
        "-noinput",
        "-mnesia",
        "dir",
        f'"{folder}/mnesia"',
        "-s",
        "ejabberd",
    ]
    env = {
        "ERL_LIBS": str(_ejabberd_file("ejabberd.app").parents[2]),
        "ERL_CRASH_DUMP": str(folder / "crash"),
        "ERL_MAX_PORTS": "32000",
        "EJABBERD_CONFIG_PATH": str(config),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "HOME": str(folder),
    }
    with running(command, port, folder / "out.log", env, any_status=True) as server:
        yield server


def _ejabberd_file(name: str) -> Path:
    if found := next(Path("/usr/lib").glob(f"*/ejabberd-*/**/{name}"), None):
        return found
    raise BenchError(f"ejabberd has no file {name}.")


@contextmanager
def prosody(site: Site, crowd: Crowd, archive: str = "internal") -> Iterator[Endpoint]:
    """Run prosody with its archive in files ("internal"), its default, or in SQLite ("sql")."""
    port = free_port()
    with own_folder(site, "prosody") as folder:
        accounts = folder / "data" / "localhost" / "accounts"
        accounts.mkdir(parents=True)
        for number in range(crowd.accounts):
            (accounts / f"{_user(number)}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}"; }};\n')
        config = configure("prosody.cfg.lua", folder, PORT=port, ARCHIVE=archive)
        command = ["prosody", "--config", str(config), "-F", "--root"]
        with running(command, port, folder / "out.log", any_status=True) as server:
            yield _endpoint(server, "/xmpp-websocket", crowd)


def _endpoint(server: Server, path: str, crowd: Crowd) -> Endpoint:
    alone = crowd.rooms is Rooms.EACH
    each = crowd.sockets // crowd.accounts
    first = tuple("\t".join(_steps(socket, socket // each, socket if alone else 0)) for socket in range(crowd.sockets))
    return Endpoint(
        server,
        path,
        OWN_TEXT,
        ready=JOINED,
        first=first,
        rooms=tuple(range(crowd.sockets)) if alone else (),
        message=SAY.format(room="%r" if alone else 0),
        delivery="<message",
        stamp=">@",
        subprotocol="xmpp",
    )


def _steps(socket: int, account: int, room: int) -> Sequence[str]:
    """Return what a socket sends before it is in the room, and after each but the last what it waits for."""
    plain = base64.b64encode(f"\0{_user(account)}\0{PASSWORD}".encode()).decode()
    bind, join = BIND.format(socket=socket), JOIN.format(socket=socket, room=room)
    return OPEN, "features", AUTH.format(plain=plain), "<success", OPEN, "features", bind, "<jid>", join


def _user(account: int) -> str:
    return f"member{account:03}"
