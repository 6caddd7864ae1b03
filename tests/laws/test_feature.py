"""A durable event has one place: a sample feature is two files and one line, and what a dialect shows of it.

The sample is in tests/fixtures/feature, and docs/feature.md shows it. It is put into a copy of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import filecmp
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import veche
from veche.storage.migrate import schema_version

from .dialects import IN_LOBBY, NATIVE, opened
from .town import LOBBY, Frame, Person, Server, Socket, serving

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "fixtures" / "feature"
SOURCE = Path(veche.__file__).parent
OTHERS = tuple(dialect for dialect in IN_LOBBY if dialect is not NATIVE)


# The sample.


def add_lines(folder: Path, diff: str) -> None:
    """Change files as a diff without line numbers says. What it replaces must stand there exactly once."""
    for part in diff.split("+++ ")[1:]:
        head, *changes = part.split("@@\n")
        path = folder / head.strip()
        text = path.read_text(encoding="utf-8")
        for change in changes:
            lines = change.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
            assert text.count(old) == 1, f"{path.name} has this {text.count(old)} times, not once:\n{old}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")


def add_sample(folder: Path) -> None:
    """Put the sample into a copy of the server: three files, two lines, and a migration."""
    for part, path in (("core", "core"), ("storage", "storage"), ("native", "dialects/native")):
        shutil.copy(SAMPLE / f"{part}_highlights.py.txt", folder / path / "highlights.py")
    add_lines(folder, read("subjects.diff"))
    add_lines(folder, read("features.diff"))
    newest = schema_version()
    number = f"{int(newest) + 1:04}"
    migration = read("migration.py.txt").replace("NEWEST", newest).replace("NEXT", number)
    (folder / "storage" / "migrations" / "versions" / f"{number}_highlights.py").write_text(migration, encoding="utf-8")


def read(name: str) -> str:
    return (SAMPLE / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the server with the sample in it."""
    folder = tmp_path_factory.mktemp("copy") / "veche"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    add_sample(folder)
    return folder


@pytest.fixture(scope="module")
def highlighting(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that runs from the copy."""
    with serving(tmp_path_factory.mktemp("server"), PYTHONPATH=str(copy.parent)) as server:
        yield server


# Where it stands.


def changed(copy: Path) -> set[str]:
    """Name the files that the copy has anew or otherwise."""
    files = [path for path in copy.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = [path.relative_to(copy) for path in files]
    same, _, _ = filecmp.cmpfiles(SOURCE, copy, map(str, names), shallow=False)
    return {str(name) for name in names} - set(same)


LISTS = {
    "storage/subjects.py": "from veche.storage.highlights import SUBJECT as highlights",
    "dialects/native/features.py": "from veche.dialects.native.highlights import FEATURE as highlights",
}


def test_a_feature_is_one_file_in_each_package_and_one_line_in_each_list(copy: Path) -> None:
    files = {"core/highlights.py", "storage/highlights.py", "dialects/native/highlights.py"}
    assert {name for name in changed(copy) if not name.startswith("storage/migrations/")} == files | LISTS.keys()
    for name, line in LISTS.items():
        before, after = ((each / name).read_text().splitlines() for each in (SOURCE, copy))
        assert [line for line in after if line not in before] == [line]
        assert len(after) == len(before) + 1


def test_the_sample_is_as_tidy_as_the_server(copy: Path) -> None:
    for name in sorted(changed(copy)):
        for command in (["check"], ["format", "--check"]):
            ruff = [sys.executable, "-m", "ruff", *command, "-q", "--stdin-filename", f"src/veche/{name}", "-"]
            told = subprocess.run(ruff, cwd=ROOT, input=(copy / name).read_text(), capture_output=True, text=True)
            assert told.returncode == 0, f"{name}: {told.stdout}{told.stderr}"


@pytest.mark.slow
def test_the_sample_is_typed(copy: Path, tmp_path: Path) -> None:
    mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path)]
    files = [str(copy / name) for name in sorted(changed(copy))]
    told = subprocess.run([*mypy, *files], cwd=copy.parent, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLE.iterdir()))
def test_the_page_shows_the_sample(name: str) -> None:
    language = "diff" if name.endswith(".diff") else "python"
    page = (ROOT / "docs" / "feature.md").read_text(encoding="utf-8")
    assert f"```{language}\n{read(name)}```\n" in page, f"docs/feature.md: show {name} as it is"


# What it does.


def rows(server: Server, table: str, room_id: int) -> list[dict[str, Any]]:
    """Read what is committed in a room, as somebody else who opens the database sees it now."""
    where = {"highlights": "room_id = ?", "events": "log_id = ? AND kind = 'message_highlighted'"}[table]
    return server.rows(f"SELECT * FROM {table} WHERE {where}", room_id)


def highlights(socket: Socket, room_id: int) -> list[Frame]:
    found = [frame["highlighted"] for frame in socket.frames if "highlighted" in frame]
    return [highlighted for highlighted in found if highlighted["room_id"] == room_id]


async def receive_highlight(socket: Socket, seq: int) -> Frame:
    found: Frame = (await socket.until(lambda frame: frame.get("highlighted", {}).get("seq") == seq))["highlighted"]
    return found


async def answer(socket: Socket, id: int) -> Frame:
    return await socket.until(lambda frame: frame.get("id") == id)


async def test_a_highlight_is_committed_answered_and_announced_once_to_every_member(highlighting: Server) -> None:
    ann, bob = highlighting.person(), highlighting.person()
    room = ann.make_room(bob)
    message = ann.say(room, "highlight me")
    async with ann.socket() as one, ann.socket() as other, bob.socket() as third:
        answer = await one.ask("highlight", room_id=room, message_id=message["id"])
        seq = message["seq"] + 1
        assert answer == {"room_id": room, "seq": seq}
        assert rows(highlighting, "highlights", room) == [{"message_id": message["id"], "room_id": room, "seq": seq}]
        for socket in (one, other, third):
            highlighted = await receive_highlight(socket, seq)
            assert highlighted.pop("at").endswith("Z")
            person = {"id": ann.id, "username": ann.name, "name": ann.name}
            assert highlighted == {"room_id": room, "seq": seq, "message_id": message["id"], "account": person}
        last = await asyncio.to_thread(bob.say, room, "next")
        assert last["seq"] == seq + 1
        for socket in (one, other, third):
            await socket.wait_for_seq(room, last["seq"])
            assert len(highlights(socket, room)) == 1


async def test_a_retry_gets_the_first_answer_also_in_the_same_batch(highlighting: Server) -> None:
    ann, bob = highlighting.person(), highlighting.person()
    room = ann.make_room(bob)
    message = ann.say(room, "highlight me")
    async with ann.socket() as one, bob.socket() as other:
        asked = [
            (socket, await socket.say("highlight", room_id=room, message_id=message["id"])) for socket in (one, other)
        ]
        asked += [(one, await one.say("highlight", room_id=room, message_id=message["id"])) for _ in range(5)]
        answers = [(await answer(socket, id))["highlight"] for socket, id in asked]
        again = await other.ask("highlight", room_id=room, message_id=message["id"])
    assert [*answers, again] == [{"room_id": room, "seq": message["seq"] + 1}] * 8
    assert len(rows(highlighting, "highlights", room)) == len(rows(highlighting, "events", room)) == 1


async def test_a_highlight_is_refused_to_a_stranger_and_for_a_message_of_another_room(highlighting: Server) -> None:
    ann, eve = highlighting.person(), highlighting.person()
    room, other = ann.make_room(), ann.make_room()
    message = ann.say(room, "highlight me")
    async with ann.socket() as inside, eve.socket() as outside:
        refusals = [
            await outside.ask("highlight", room_id=room, message_id=message["id"]),
            await outside.ask("highlight", room_id=2**40, message_id=message["id"]),
            await inside.ask("highlight", room_id=other, message_id=message["id"]),
            await inside.ask("highlight", room_id=room, message_id=2**40),
        ]
    told = [(refusal["error"]["code"], refusal["error"]["message"]) for refusal in refusals]
    assert told == [("not_found", "No such room.")] * 2 + [("not_found", "No such message.")] * 2
    assert rows(highlighting, "highlights", room) == rows(highlighting, "events", room) == []


async def test_clients_of_the_older_dialects_hear_nothing_of_a_highlight(highlighting: Server) -> None:
    ann, bob = highlighting.person(), highlighting.person()
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(opened(highlighting.port, dialect, bob, LOBBY)) for dialect in OTHERS
        ]
        socket = await stack.enter_async_context(ann.socket())
        await socket.ask("join", room_id=LOBBY)
        first = await asyncio.to_thread(ann.say, LOBBY, "before")
        for client in clients:
            await client.receives("before")
        before = [len(client.frames) for client in clients]
        highlighted = await socket.ask("highlight", room_id=LOBBY, message_id=first["id"])
        await receive_highlight(socket, highlighted["seq"])
        await asyncio.to_thread(ann.say, LOBBY, "after")
        for client, seen in zip(clients, before, strict=True):
            await client.receives("after")
            assert (client.dialect.name, len(client.frames) - seen, client.closed) == (client.dialect.name, 1, False)


async def test_a_highlight_outlives_a_kill_and_is_replayed_to_one_that_resumes(copy: Path, tmp_path: Path) -> None:
    with serving(tmp_path, PYTHONPATH=str(copy.parent)) as server:
        ann, bob = server.person(), server.person()
        room = ann.make_room(bob)
        message = ann.say(room, "highlight me")
        async with ann.socket() as socket:
            answer = await socket.ask("highlight", room_id=room, message_id=message["id"])
            server.send_signal(signal.SIGKILL)
    with serving(tmp_path, PYTHONPATH=str(copy.parent)) as server:
        ann.server = bob.server = server
        for person in (ann, bob):
            await is_replayed(person, room, message, answer["seq"])
        async with bob.socket() as socket:
            assert await socket.ask("highlight", room_id=room, message_id=message["id"]) == answer
        assert len(rows(server, "highlights", room)) == len(rows(server, "events", room)) == 1


async def is_replayed(person: Person, room_id: int, message: Frame, seq: int) -> None:
    async with person.socket(rooms={str(room_id): message["seq"]}) as socket:
        found = highlights(socket, room_id)
        assert [(highlighted["seq"], highlighted["message_id"]) for highlighted in found] == [(seq, message["id"])]


def test_a_line_that_stands_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("a\na\n")
    with pytest.raises(AssertionError, match=re.escape("x.py has this 2 times")):
        add_lines(tmp_path, "+++ x.py\n@@\n a\n+b\n")
