"""`veche copy` from SQLite to PostgreSQL, with real servers: clients go on where they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.veche_process import run_veche

from .town import Person, Server, serving


def veche(*words: str, expect: int = 0) -> str:
    done = run_veche(*words)
    assert done.returncode == expect, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


@pytest.mark.one_node("it begins with SQLite")
async def test_tokens_positions_and_retries_are_valid_after_a_copy(
    before: Server, postgres_url: str, tmp_path: Path
) -> None:
    ann, bob = before.person(), before.person()
    room = ann.make_room(bob)
    for number in range(5):
        ann.say(room, f"m{number}", f"c-{number}")
    async with bob.socket() as socket:
        epoch, me = socket.welcome["epoch"], socket.welcome["me"]["seq"]
    held = bob.history(room)
    first = ann.say(room, "missed by bob", "c-missed")
    with_all = bob.history(room)

    words = ("copy", "--from", before.database_url, "--to", postgres_url)
    assert "Stop the server" in veche(*words, expect=1)
    before.end()
    assert "Never start a server with" in veche(*words)

    folder = tmp_path / "after"
    folder.mkdir()
    with serving(folder, url=postgres_url) as after:
        for person in (ann, bob):
            person.server = after
        assert bob.history(room) == with_all
        assert ann.say(room, "missed by bob", "c-missed") == first  # a retry of what was answered before the copy
        async with bob.socket(epoch=epoch, rooms={str(room): held[-1]["seq"]}, me=me) as socket:
            assert socket.welcome["epoch"] == epoch
            assert not [frame for frame in socket.frames if "reset" in frame]
            assert [frame["message"]["text"] for frame in socket.events(room)] == ["missed by bob"]
            new = ann.say(room, "new")
            await socket.wait_for_seq(room, new["seq"])
            assert new["seq"] == first["seq"] + 1
            synced = await socket.ask("sync", rooms={str(room): 1}, me=0)
            assert "error" not in synced
        assert Person(after, "somebody-new").id > bob.id
