"""docs/postgresql.md: its commands run here, with real servers, nodes and clients."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import MissingError, Postgres
from tests.services.fixtures import skip
from tests.services.replica import Replica, Restored
from tests.veche_process import VECHE, environment
from veche.storage import opening

from .test_operations import Client, talk
from .town import Person, Server, serving

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "postgresql.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- ([^\n]*) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
ARCHIVE = "archive_command = 'test ! -f /var/backups/wal/%f && cp %p /var/backups/wal/%f'"


class Machine:
    """A folder in which the commands of the page run, with a PostgreSQL that archives its log there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backups = folder / "backups"
        (self.backups / "wal").mkdir(parents=True)
        for path in (folder, self.backups, self.backups / "wal", *folder.parents[:3]):
            path.chmod(path.stat().st_mode | 0o711)  # PostgreSQL is another user, if the tests run as root
        (self.backups / "wal").chmod(0o777)
        self.postgres = Postgres(settings={"archive_mode": "on", "archive_command": self.local(ARCHIVE[19:-1])})

    def local(self, text: str) -> str:
        return text.replace("/var/backups", str(self.backups)).replace("/srv/restored", f"{self.folder}/restored")

    def run(self, name: str, url: str, **variables: str) -> str:
        """Run a block of the page."""
        words = {"PATH": f"{self.postgres.bin}:{VECHE.parent}:{os.environ['PATH']}", "VECHE_DATABASE_URL": url}
        done = subprocess.run(
            ["sh", "-euc", self.local(BLOCKS[name])],
            cwd=self.folder,
            env=environment(words | variables),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def node(self, name: str, url: str) -> Server:
        (self.folder / name).mkdir()
        return serving(self.folder / name, url=url)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    try:
        made = Machine(tmp_path)
        with made.postgres:
            yield made
    except MissingError as missing:
        skip(missing)


def refusal(*words: str, url: str) -> str:
    done = subprocess.run([VECHE, *words, "--database-url", url], env=environment({}), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    return done.stderr


async def learnt(server: Server) -> tuple[Client, Person]:
    """Return a client that knows its room with 5 messages, and the person."""
    client = talk(server)
    await client.learn()
    return client, client.person


def archive(postgres: Postgres) -> None:
    """Wait until everything that was committed is in the archive."""
    [(segment,)] = postgres.psql("SELECT pg_walfile_name(pg_switch_wal())")
    while postgres.psql("SELECT coalesce(last_archived_wal, '') >= %s FROM pg_stat_archiver", segment) != [(True,)]:
        pass


@pytest.mark.parametrize("where", ["here", "in another database", "on another server"])
async def test_a_dump_is_restored_and_clients_load_again(machine: Machine, where: str) -> None:
    url = machine.postgres.new_database("chat")
    with machine.node("before", url) as server:
        client, ann = await learnt(server)
        machine.run("dump", url)
        ann.say(client.room, "after the dump", "c-after")
        await client.learn()
        server.end()

    other = Postgres(bin=machine.postgres.bin) if where == "on another server" else None
    try:
        if where == "here":
            machine.run("restore here", url)
        else:
            url = (other.__enter__() if other else machine.postgres).new_database("second")
            machine.run("restore elsewhere", url)
            if other is None:
                opening.new_epoch(url)
        with machine.node("after", url) as server:
            assert {reset["reason"] for reset in await client.come_back(server)} == {"epoch"}
            assert [one["text"] for one in ann.history(client.room)] == [f"m{number}" for number in range(5)]
            again = ann.say(client.room, "after the dump", "c-after")
            assert again["seq"] == client.held[-1]["seq"]
            assert again["id"] > max(one["id"] for one in client.held[:-1])
            assert ann.make_room() != client.room
    finally:
        if other is not None:
            other.close()


@pytest.mark.long
async def test_a_base_backup_and_the_archive_bring_back_everything(machine: Machine) -> None:
    url = machine.postgres.new_database("chat")
    with machine.node("before", url) as server:
        client, ann = await learnt(server)
        machine.run("base backup", url)
        ann.say(client.room, "only in the archive")
        await client.learn()
        server.end()
    assert f"archive_command = {ARCHIVE[18:]}" in PAGE
    archive(machine.postgres)
    machine.postgres.stop()
    machine.run("restore to a moment", url)
    with Restored(machine.postgres, machine.folder / "restored") as restored:
        url = restored.url("chat")
        with machine.node("after", url) as server:
            assert {reset["reason"] for reset in await client.come_back(server)} == {"epoch"}
            assert [one["text"] for one in ann.history(client.room)][-1] == "only in the archive"


@pytest.mark.long
async def test_a_restart_of_postgresql_changes_no_epoch(machine: Machine) -> None:
    url = machine.postgres.new_database("chat")
    with machine.node("before", url) as server:
        client, ann = await learnt(server)
        server.end()
    machine.postgres.kill()
    machine.postgres.start()
    with machine.node("after", machine.postgres.url("chat")) as server:
        assert await client.come_back(server) == []
        assert ann.history(client.room) == client.held


async def test_a_replica_is_promoted(machine: Machine) -> None:
    url = machine.postgres.new_database("chat")
    with machine.node("before", url) as server:
        client, ann = await learnt(server)
        server.end()
    with Replica(machine.postgres) as replica:
        replica.wait_for(machine.postgres)
        machine.postgres.kill()
        assert "is a replica, which cannot be written" in refusal("user", "list", url=replica.url("chat"))
        machine.run("promote", url, REPLICA=replica.url("chat"))
        with machine.node("after", replica.url("chat")) as server:
            assert {reset["reason"] for reset in await client.come_back(server)} == {"epoch"}
            assert ann.history(client.room) == client.held


@pytest.mark.one_node("it begins with SQLite")
async def test_an_sqlite_database_is_copied_and_migrated(machine: Machine) -> None:
    with machine.node("before", "") as server:
        client, ann = await learnt(server)
        server.end()
    (machine.folder / "data").mkdir()
    for path in (machine.folder / "before").glob("veche.db*"):
        shutil.move(path, machine.folder / "data")
    url = machine.postgres.new_database("chat")
    assert "Copied" in machine.run("copy", url)
    assert "is up to date" in machine.run("migrate", url)
    with machine.node("after", url) as server:
        assert await client.come_back(server) == []
        assert ann.history(client.room) == client.held


def test_backup_and_restore_name_the_commands_of_the_page(postgres_url: str) -> None:
    backup = refusal("backup", "/var/backups/veche.dump", url=postgres_url)
    restore = refusal("restore", "/var/backups/veche.dump", url=postgres_url)
    password = postgres_url.partition("@")[0].rpartition(":")[2]
    assert password not in backup + restore
    assert commands(BLOCKS["dump"]) == commands(backup)
    assert commands(BLOCKS["restore here"]) == commands(restore)


def commands(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if re.match(r"\s*(pg_\w+|psql|veche \w+ \w+$)", line)]


def test_every_command_of_the_page_is_run_here() -> None:
    assert PAGE.count("```sh") == len(BLOCKS)
    named = set(re.findall(r'machine\.run\("([^"]+)"', Path(__file__).read_text()))
    assert named == set(BLOCKS)
