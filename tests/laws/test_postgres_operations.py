"""docs/postgresql.md: its commands run here, with real servers, nodes and clients."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from tests.services import MissingError, Postgres
from tests.services.fixtures import skip
from tests.services.replica import Replica, Restored
from tests.veche_process import VECHE, environment, run_veche
from veche.storage import opening

from .test_operations import Client, talk
from .town import Person, Server, serving

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "postgresql.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- ([^\n]*) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
VARIABLES = re.findall(r"^(PG\w+)=", PAGE, re.MULTILINE)
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
        for named in ("/srv/restored", "/etc/veche.secret.old"):
            text = text.replace(named, f"{self.folder}/{Path(named).name}")
        return text.replace("/var/backups", str(self.backups))

    def run(self, name: str, url: str, **variables: str) -> str:
        """Run a block of the page."""
        words = {"PATH": f"{self.postgres.bin}:{VECHE.parent}:{os.environ['PATH']}", "VECHE_DATABASE_URL": url}
        words |= self.found_by_commands(url)
        done = subprocess.run(
            ["sh", "-euc", self.local(BLOCKS[name])],
            cwd=self.folder,
            env=environment(words | variables),
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def found_by_commands(self, url: str) -> dict[str, str]:
        """Return the variables in which PostgreSQL's commands find a database, as the page has them."""
        parts = urlsplit(url)
        secret = self.folder / "pgpass"
        secret.touch(0o600)
        secret.write_text(f"*:*:*:{parts.username}:{unquote(parts.password or '')}\n")
        found = {
            "PGHOST": str(parts.hostname),
            "PGPORT": str(parts.port),
            "PGUSER": str(parts.username),
            "PGDATABASE": parts.path[1:],
            "PGPASSFILE": str(secret),
        }
        assert list(found) == VARIABLES
        return found

    def node(self, name: str, url: str, **settings: str) -> Server:
        (self.folder / name).mkdir()
        return serving(self.folder / name, url=url, **settings)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    try:
        made = Machine(tmp_path)
        with made.postgres:
            yield made
    except MissingError as missing:
        skip(missing)


def refusal(*words: str, url: str) -> str:
    done = run_veche(*words, "--database-url", url)
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
            second = int(time.time())
            while int(time.time()) == second:  # the name of the old chat has the second in it
                pass
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
        at = urlsplit(replica.url("chat"))
        replica.psql("ALTER SYSTEM SET synchronous_standby_names = 'another'")  # as on the old primary
        machine.run("promote", url, REPLICA=str(at.hostname), PGPORT=str(at.port))
        machine.run("no replicas", url, REPLICA=str(at.hostname), PGPORT=str(at.port))
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
    signed_out = refusal("restore", "/var/backups/veche.dump", "--end-sessions", url=postgres_url)
    assert set(commands(signed_out)) - set(commands(restore)) == set(commands(BLOCKS["end sessions"]))


def test_no_command_of_a_page_shows_a_password() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            assert 'VECHE_DATABASE_URL"' not in block, f"{page.name}: other users see the words of a command"


async def test_the_secret_in_the_database_is_replaced_and_old_tokens_are_valid(machine: Machine) -> None:
    url = machine.postgres.new_database("chat")
    with machine.node("before", url) as server:
        _, ann = await learnt(server)
        server.end()
    machine.run("secret", url)
    old = machine.folder / "veche.secret.old"
    assert old.stat().st_mode & 0o077 == 0
    with machine.node("after", url, VECHE_OLD_SECRET_FILE=str(old)) as server:
        assert await status_of(server, ann) == 200
        server.end()
    assert machine.postgres.psql("SELECT count(*) FROM veche.meta WHERE key = 'secret'", database="chat") == [(1,)]
    with machine.node("later", url) as server:
        assert await status_of(server, ann) == 401


async def status_of(server: Server, person: Person) -> int:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {person.token}"}) as http:
        return (await http.get(f"{server.base}/v1/me")).status_code


async def test_sessions_end_with_a_restore_if_that_is_wanted(machine: Machine) -> None:
    url = machine.postgres.new_database("chat")
    with machine.node("before", url) as server:
        _, ann = await learnt(server)
        server.end()
    machine.run("end sessions", url)
    with machine.node("after", url) as server:
        assert await status_of(server, ann) == 401


def commands(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if re.match(r"\s*(pg_\w+|psql|veche \w+ \w+$)", line)]


def test_every_command_of_the_page_is_run_here() -> None:
    assert PAGE.count("```sh") == len(BLOCKS)
    named = set(re.findall(r'machine\.run\("([^"]+)"', Path(__file__).read_text()))
    assert named == set(BLOCKS)
