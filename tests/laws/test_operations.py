"""Backup, restore, moving and upgrading, as docs/operations.md describes them, with real servers and clients."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.veche_process import VECHE, environment, free_port, run_veche

from .town import LOBBY, Frame, Person, Server, run, serving

pytestmark = pytest.mark.one_node("they copy and replace the SQLite file")

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OLD = ROOT / "tests" / "fixtures" / "f610f63.sql"


def veche(*words: str, database: Path, expect: int = 0) -> str:
    done = run_veche(*words, "--database-url", f"sqlite:///{database}")
    assert done.returncode == expect, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def refusal(database: Path) -> str:
    """Start a server that must refuse; return its sentence."""
    done = run("serve", "--port", str(free_port()), "--database-url", f"sqlite:///{database}")
    assert (done.returncode, done.stdout) == (1, ""), (done.stdout, done.stderr)
    return done.stderr


class Client:
    """Somebody's native client: what it holds of one room, its positions, and its epoch."""

    def __init__(self, person: Person, room: int) -> None:
        self.person, self.room = person, room
        self.epoch = ""
        self.me = 0
        self.held: list[Frame] = []

    async def learn(self) -> None:
        async with self.person.socket() as socket:
            self.epoch, self.me = socket.welcome["epoch"], socket.welcome["me"]["seq"]
        self.held = self.person.history(self.room)

    async def come_back(self, server: Server) -> list[Frame]:
        """Connect with the positions; return the resets. Without one, what it holds must be the truth."""
        self.person.server = server
        rooms = {str(self.room): self.held[-1]["seq"]}
        async with self.person.socket(epoch=self.epoch, rooms=rooms, me=self.me) as socket:
            resets = [frame["reset"] for frame in socket.frames if "reset" in frame]
            assert bool(resets) == (socket.welcome["epoch"] != self.epoch)
        if not resets:
            assert self.person.history(self.room)[: len(self.held)] == self.held
        return resets


def talk(server: Server, times: int = 5) -> Client:
    ann = server.person()
    client = Client(ann, ann.make_room())
    for number in range(times):
        ann.say(client.room, f"m{number}")
    return client


BOTH = {"epoch"}


def reasons(resets: list[Frame], client: Client) -> set[str]:
    """Return the reasons; there must be a reset for the room and for the own log."""
    assert {reset.get("room_id", "me") for reset in resets} == {client.room, "me"}
    return {reset["reason"] for reset in resets}


@pytest.mark.parametrize("twice", [False, True])
async def test_a_client_that_comes_back_after_a_restore_gets_reset(tmp_path: Path, twice: bool) -> None:
    with serving(tmp_path) as server:
        client = talk(server)
        veche("backup", str(tmp_path / "b.db"), database=server.database)
        kept = len(client.person.history(client.room))
        for _ in range(2 if twice else 1):
            for number in range(5):
                client.person.say(client.room, f"after {number}")
            await client.learn()
            server.stop(signal.SIGKILL)
            assert "Restored" in veche("restore", str(tmp_path / "b.db"), database=server.database)
            server = Server(tmp_path)
            assert reasons(await client.come_back(server), client) == BOTH
            assert len(client.person.history(client.room)) == kept
        server.stop()


async def test_a_backup_copied_into_place_gets_a_new_epoch_each_time(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        client = talk(server)
        veche("backup", str(tmp_path / "b.db"), database=server.database)
        for _ in range(2):
            for number in range(5):
                client.person.say(client.room, f"after {number}")
            await client.learn()
            server.stop()
            shutil.copy(tmp_path / "b.db", server.database)
            server = Server(tmp_path)
            assert reasons(await client.come_back(server), client) == BOTH
        server.stop()


async def test_a_backup_copied_over_a_killed_server_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        client = talk(server)
        veche("backup", str(tmp_path / "b.db"), database=server.database)
        client.person.say(client.room, "the last one")
        server.stop(signal.SIGKILL)
    shutil.copy(tmp_path / "b.db", server.database)
    assert "veche restore" in refusal(server.database)
    assert "veche restore" in veche("user", "list", database=server.database, expect=1)
    assert "veche restore" in re.sub(r"[│\s]+", " ", veche("doctor", database=server.database, expect=1))


async def test_the_database_file_alone_has_everything_when_nobody_talks(tmp_path: Path) -> None:
    """It is refused where nobody knows it, because nothing shows that it is complete."""
    with serving(tmp_path) as server:
        client = talk(server, 40)
        log = tmp_path / "veche.db-wal"
        while log.stat().st_size:
            assert server.http.get("/healthz").status_code == 200  # the server moves the log by itself
        (tmp_path / "moved").mkdir()
        moved = tmp_path / "moved" / "veche.db"
        shutil.copy(server.database, moved)
        await client.learn()
        server.stop(signal.SIGKILL)
    assert f"veche restore {moved}" in refusal(moved)
    shutil.copy(f"{server.database}.secret", moved.parent)
    veche("restore", str(moved), database=moved)
    with serving(moved.parent) as server:
        assert reasons(await client.come_back(server), client) == BOTH
        assert client.person.history(client.room) == client.held


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_all_files_together_may_be_moved(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "old").mkdir()
    with serving(tmp_path / "old") as server:
        client = talk(server, 40)
        await client.learn()
        server.stop(how)
    (tmp_path / "old").rename(tmp_path / "new")
    with serving(tmp_path / "new") as server:
        assert await client.come_back(server) == []


async def test_a_snapshot_needs_a_new_epoch(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with serving(tmp_path / "disk") as server:
        client = talk(server)
        server.stop(signal.SIGKILL)
        shutil.copytree(tmp_path / "disk", tmp_path / "snapshot")
    with serving(tmp_path / "disk") as server:
        client.person.server = server
        client.person.say(client.room, "after the snapshot")
        await client.learn()
    shutil.copytree(tmp_path / "snapshot", tmp_path / "forgotten")
    with serving(tmp_path / "forgotten") as server:
        client.person.server = server
        rooms = {str(client.room): client.held[-1]["seq"]}
        async with client.person.socket(epoch=client.epoch, rooms=rooms) as socket:
            [reset] = [frame["reset"] for frame in socket.frames if "reset" in frame]
            assert (reset["room_id"], reset["reason"]) == (client.room, "ahead")
    veche("epoch", "new", database=tmp_path / "snapshot" / "veche.db")
    with serving(tmp_path / "snapshot") as server:
        assert reasons(await client.come_back(server), client) == BOTH


@pytest.mark.parametrize("name", ["symlink", "hard link", "folder"])
def test_two_servers_never_share_a_database_by_two_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with serving(tmp_path / "one") as server:
        other = tmp_path / "two" / "veche.db"
        if name == "symlink":
            other.symlink_to(server.database)
        elif name == "hard link":
            other.hardlink_to(server.database)
        else:
            other = tmp_path / "three" / "veche.db"
            other.parent.symlink_to(tmp_path / "one")
        assert "Another Veche serves" in refusal(other)
        assert not list((tmp_path / "two").glob("*.secret"))
        assert server.http.get("/healthz").status_code == 200


def test_a_backup_by_a_second_name_of_a_served_file_is_refused(tmp_path: Path) -> None:
    """The last commits are in a log that has the first name."""
    with serving(tmp_path) as server:
        talk(server)
        (tmp_path / "other.db").hardlink_to(server.database)
        for words in (["backup", str(tmp_path / "b.db")], ["user", "list"], ["epoch", "new"]):
            veche(*words, database=tmp_path / "other.db", expect=1)
    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize("point", ["identity_remembered", "identity_stored"])
@pytest.mark.parametrize(
    "found",
    [
        *(pytest.param(found, marks=pytest.mark.long) for found in ("nothing", "its own")),
        "a backup",
        "of an older version",
    ],
)
async def test_a_start_that_is_killed_while_it_changes_the_generation(tmp_path: Path, point: str, found: str) -> None:
    client = None
    if found == "of an older version":
        old_database(tmp_path)
    elif found != "nothing":
        with serving(tmp_path) as server:
            client = talk(server)
            veche("backup", str(tmp_path / "b.db"), database=server.database)
            await client.learn()
            server.stop(signal.SIGKILL if found == "its own" else signal.SIGTERM)
        if found == "a backup":
            shutil.copy(tmp_path / "b.db", tmp_path / "veche.db")
    for _ in range(2):
        words = ("serve", "--port", str(free_port()), "--database-url", f"sqlite:///{tmp_path}/veche.db")
        assert run(*words, VECHE_TEST_CRASH_AT=point).returncode == 9
    with serving(tmp_path) as server:
        if client is not None:
            assert bool(await client.come_back(server)) == (found == "a backup")
        elif found == "of an older version":
            async with server.person().socket() as socket:
                assert socket.welcome["epoch"] == "f610f63f610f63f6"


def old_database(folder: Path) -> Path:
    path = folder / "veche.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    return path


def to_schema_0001(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "DROP TABLE echoes; DROP TABLE echo_lines; DROP INDEX uq_rooms_unique_name;"
            "ALTER TABLE rooms DROP COLUMN unique_name; ALTER TABLE messages DROP COLUMN author;"
            "DELETE FROM accounts WHERE id = 2147483646; DELETE FROM logs WHERE id = -2147483646;"
            "UPDATE alembic_version SET version_num = '0001'"
        )


async def test_an_upgrade_keeps_the_epoch_and_a_copy_and_the_way_back_draws_a_new_one(tmp_path: Path) -> None:
    database = old_database(tmp_path)
    to_schema_0001(database)
    assert "has the schema 0001" in veche("user", "list", database=database, expect=1)
    veche("backup", str(tmp_path / "b.db"), database=database)
    assert "has the schema 0001" in veche("user", "list", database=database, expect=1), "a backup does not migrate"
    with serving(tmp_path) as server:
        client = talk(server)
        await client.learn()
        assert client.epoch == "f610f63f610f63f6"
    assert "messages, schema 0001" in veche("restore", f"{database}.schema-0001", database=database)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (epoch,) = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert schema == "0001"
    assert epoch != client.epoch


def test_a_newer_database_is_refused_by_every_command(tmp_path: Path) -> None:
    database = old_database(tmp_path)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "made by a newer Veche (schema 9999)" in refusal(database)
    for words in (["user", "list"], ["migrate"], ["demo"], ["restore", str(database)]):
        assert "made by a newer Veche (schema 9999)" in veche(*words, database=database, expect=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".lock"} == before


@pytest.mark.parametrize(
    "words",
    [
        ["user", "list"],
        ["user", "password", "ann", "--password", "correct horse"],
        ["backup", "b.db"],
        ["epoch", "new"],
    ],
)
def test_a_misspelt_address_creates_nothing(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "veche.db").touch()
    for database in (tmp_path / "vehce.db", tmp_path / "no" / "veche.db"):
        assert "There is no database at" in veche(*words, database=database, expect=1)
    assert [path.name for path in tmp_path.iterdir()] == ["veche.db"]


def test_doctor_creates_nothing(tmp_path: Path) -> None:
    assert "does not exist" in re.sub(r"[│\s]+", " ", veche("doctor", database=tmp_path / "no" / "x.db", expect=1))
    veche("doctor", database=tmp_path / "x.db")
    assert list(tmp_path.iterdir()) == []


@given(ahead=st.dictionaries(st.sampled_from(["room", "lobby", "me"]), st.integers(1, 2**53), min_size=1))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
async def test_a_position_above_the_head_always_gets_reset(server: Server, ahead: dict[str, int]) -> None:
    """In `hello` and in `sync`, with and without an epoch."""
    client = talk(server, 1)
    async with client.person.socket(rooms={str(LOBBY): 0}) as socket:
        epoch = socket.welcome["epoch"]
        heads = await socket.ask("sync", rooms={str(client.room): 0, str(LOBBY): 0}, me=0)
    asked: dict[str, Any] = {"rooms": {}}
    for log, more in ahead.items():
        if log == "me":
            asked["me"] = heads["me"] + more
        else:
            room = str(client.room if log == "room" else LOBBY)
            asked["rooms"][room] = heads["rooms"][room] + more + (100 if log == "lobby" else 0)
    expected = {{"room": client.room, "lobby": LOBBY, "me": "me"}[log] for log in ahead}
    for extra in ({}, {"epoch": epoch}):
        async with client.person.socket(**asked, **extra) as socket:
            assert resets_of(socket.frames) == expected
            del socket.frames[:]
            await socket.ask("sync", **asked)
            await socket.until(lambda frame: "caught_up" in frame)
            assert resets_of(socket.frames) == expected


def resets_of(frames: list[Frame]) -> set[Any]:
    resets = [frame["reset"] for frame in frames if "reset" in frame]
    assert {reset["reason"] for reset in resets} <= {"ahead"}
    return {reset.get("room_id", "me") for reset in resets}


# The page.

BLOCKS = re.findall(r"<!-- ([^\n]*) -->\n```sh\n(.*?)```|\n```sh\n(.*?)```", PAGE, re.DOTALL)


class Machine:
    """A folder in which the examples of the page run, and its server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: subprocess.Popen[str] | None = None
        for name in ("data", "backups", "chat"):
            (folder / name).mkdir()

    def run(self, script: str) -> str:
        script = script.replace("/var/backups", str(self.folder / "backups")).replace(
            "/srv/chat", f"{self.folder}/chat"
        )
        env = environment({"PATH": f"{VECHE.parent}:{os.environ['PATH']}"})
        done = subprocess.run(
            ["sh", "-euc", script], cwd=self.folder, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    def be(self, state: str) -> None:
        if state == "the server runs" and self.server is None:
            words = [VECHE, "serve", "--port", str(free_port())]
            self.server = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.PIPE, text=True)
            assert self.server.stdout is not None
            assert "is on" in self.server.stdout.readline()
        elif state != "the server runs":
            self.stop()
        if state == "only the database was moved":
            for path in (self.folder / "chat").glob("veche.db.*"):
                path.unlink()
        elif not (self.folder / "data" / "veche.db").exists():
            self.run("veche migrate")

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(20) == 0
            assert self.server.stdout is not None
            self.server.stdout.close()
            self.server = None


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.stop()


def test_the_examples_of_the_page_work(machine: Machine) -> None:
    assert len(BLOCKS) == PAGE.count("```sh") == 9
    state = ""
    for marked, script, unmarked in BLOCKS:
        state = marked or state
        machine.be(state)
        if "schema-0001" in (script or unmarked):
            machine.run("cp backups/before-upgrade.db data/veche.db.schema-0001")
        machine.run(script or unmarked)


def test_the_page_has_the_sentences_of_the_source() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src" / "veche" / "storage").rglob("*.py"))
    rows = re.findall(r"^\| `([^`]*)` \|", PAGE.partition("## When a start is refused")[2], re.MULTILINE)
    assert len(rows) == 6
    for row in rows:
        words = row.removeprefix("...").removesuffix("...").removeprefix("-wal").strip()
        assert words in re.sub(r"\{\w+\}", "", source) or words in source, row
