"""docs/deploy.md: the backup of the containers and its restore. The commands run here without containers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.veche_process import VECHE, environment

from .test_postgres_operations import Machine, learnt, machine

__all__ = ["machine"]  # the fixture

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- (dump|restore) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
DOCKER = """#!/bin/sh
# What docker compose would run in a container runs here.
echo "$*" >> calls
case "$2" in
exec) shift 4; exec "$@" ;;
run) shift 4; exec veche "$@" ;;
esac
"""


def run(machine: Machine, block: str, url: str) -> None:
    (machine.folder / "docker").write_text(DOCKER)
    (machine.folder / "docker").chmod(0o755)
    path = f"{machine.folder}:{machine.postgres.bin}:{VECHE.parent}:{os.environ['PATH']}"
    env = environment({"PATH": path, "VECHE_DATABASE_URL": url} | machine.found_by_commands(url))
    words = BLOCKS[block].replace("-U postgres", f"-U {env['PGUSER']}")
    done = subprocess.run(
        ["sh", "-euc", words], cwd=machine.folder, env=env, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr


async def test_the_backup_of_the_containers_is_restored(machine: Machine) -> None:
    url = machine.postgres.new_database("app")
    with machine.node("before", url) as server:
        client, ann = await learnt(server)
        run(machine, "dump", url)
        ann.say(client.room, "after the dump")
        await client.learn()
        server.end()
    run(machine, "restore", url)
    called = (machine.folder / "calls").read_text()
    assert called.index("compose stop app") < called.index("pg_restore") < called.index("compose start app")
    with machine.node("after", url) as server:
        assert {reset["reason"] for reset in await client.come_back(server)} == {"epoch"}
        assert [one["text"] for one in ann.history(client.room)] == [f"m{number}" for number in range(5)]
