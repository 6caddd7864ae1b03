"""veche_client is a package of its own, and its readme is correct."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from veche_client import CaughtUp, Client, MessageEvent, PinnedEvent, ReactedEvent, Rest, Status, VecheError
from veche_client.logs import Logs

from .driven import CLIENTS
from .people import PASSWORD, Person
from .relay import Relay, relaying

ROOT = CLIENTS / "python"
MODULES = sorted((ROOT / "src" / "veche_client").glob("*.py"))
README = (ROOT / "README.md").read_text()


def test_it_depends_on_websockets_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [re.split(r"\W", need)[0] for need in project["dependencies"]] == ["websockets"]
    imported = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for alias in node.names
    }
    assert imported - set(sys.stdlib_module_names) == {"websockets"}


@pytest.mark.slow
def test_the_examples_of_the_readme_have_the_right_types(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert examples
    for number, example in enumerate(examples):
        (tmp_path / f"example{number}.py").write_text(example)
    words = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", str(tmp_path)]
    done = subprocess.run(words, env={"MYPYPATH": str(ROOT / "src")}, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout


def test_a_position_moves_by_one() -> None:
    logs = Logs({7: 3}, None)
    assert not logs.take(7, 3)
    assert logs.take(7, 4)
    assert not logs.take(7, 6)
    assert logs.behind() == [7]
    assert logs.asked([7]) == {"rooms": {"7": 4}}
    assert logs.take(7, 5)
    assert logs.take(7, 6)
    assert not logs.behind()


@pytest.mark.slow
async def test_saved_has_what_was_taken_and_nothing_after_it(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with Client(bob.base, bob.token) as client:
        events = aiter(client)
        while client.status != "caught_up":
            await anext(events)
        last = await asyncio.to_thread(ann.say, room, "one", "two")
        sent = await client.send(room, "three")  # answered although nobody takes events meanwhile
        assert sent["seq"] == last + 1
        async for event in events:
            if isinstance(event, MessageEvent):
                assert client.saved["rooms"] == {str(room): event.seq}
                if event.body["text"] == "three":
                    break


@pytest.mark.slow
async def test_the_example_with_reactions_works(ann: Person, bob: Person) -> None:
    [source] = [example for example in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "def thank" in example]
    example: dict[str, Any] = {}
    exec(source, example)
    room = ann.make_room(bob)
    async with Client(ann.base, ann.token) as client, Client(bob.base, bob.token) as other:
        thanking = asyncio.create_task(example["thank"](client, room, "Thanks"))
        hearts = []
        async for event in other:
            if isinstance(event, PinnedEvent):
                await other.react(room, event.body["message_id"], "👍")
            elif isinstance(event, ReactedEvent):
                hearts.append((event.body["account"]["id"], event.body["emoji"]))
                if len(hearts) == 2:
                    break
        assert await thanking == bob.username
        assert hearts == [(bob.id, "👍"), (ann.id, "❤️")]


@pytest.mark.slow
async def test_a_client_that_does_not_listen_keeps_no_events(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with Client(ann.base, ann.token, listen=False) as client:
        sent = await client.send(room, "hello")
        await client.send(room, "again")
        while client.saved["rooms"] != {str(room): sent["seq"] + 1}:
            await client.read(room, sent["seq"])
        assert client._events.empty()


@pytest.mark.slow
async def test_what_waits_is_told_when_the_client_ends(bob: Person) -> None:
    async with Client("http://127.0.0.1:1", bob.token) as client:
        waiting = asyncio.create_task(client.send(1, "never"))
        events = aiter(client)
        while client.status != "waiting":
            await anext(events)
        with pytest.raises(VecheError, match="Not connected"):
            await client.read(1, 1)
    with pytest.raises(VecheError) as stopped:
        await waiting
    assert stopped.value.code == "stopped"
    assert [outgoing["fields"]["text"] for outgoing in client.saved["outbox"]] == ["never"]
    assert [event async for event in client] == [Status("stopped")]


@pytest.mark.slow
async def test_a_bug_is_raised_by_the_loop(bob: Person) -> None:
    async def follow(relay: Relay) -> None:
        async with Client(relay.url, bob.token) as client:
            async for event in client:
                if isinstance(event, CaughtUp):
                    await relay.push({"gone": {}})  # no server of ours says that

    async with relaying(bob.base) as relay:
        with pytest.raises(KeyError, match="room_ids"):
            await follow(relay)


@pytest.mark.slow
async def test_signing_in_and_what_is_refused(bob: Person) -> None:
    rest = Rest(bob.base)
    with pytest.raises(VecheError) as refused:
        await rest.login(bob.username, "wrong")
    assert refused.value.code == "wrong_credentials"
    session = await rest.login(bob.username, PASSWORD)
    assert session["me"]["id"] == bob.id == (await rest.me())["id"]
    with pytest.raises(VecheError) as wrong:
        await rest.make_room("x" * 200)
    assert (wrong.value.code, wrong.value.field) == ("invalid", "name")
    room = await rest.make_room("Team", kind="channel")
    listed = (await rest.rooms())["items"]
    assert [each["id"] for each in listed] == [room["id"]]
    assert room["id"] in [each["id"] for each in (await rest.public_rooms(limit=200))["items"]]
    await rest.logout()
    with pytest.raises(VecheError) as ended:
        await rest.me()
    assert ended.value.code == "unauthenticated"
    with pytest.raises(VecheError) as unreachable:
        await Rest("http://127.0.0.1:1").limits()
    assert (unreachable.value.code, unreachable.value.temporary) == ("unreachable", True)
    with pytest.raises(ValueError, match="http"):
        Rest("file:///etc/passwd")
