"""Options and fixtures for all tests.

With `--hypothesis-profile=quick` each property test tries less than a third of its examples. An example has no
deadline, because a busy machine may need long for one.

With `--on=nodes` each server is two nodes on PostgreSQL and Redis (veche_process.py). A test that needs one process,
or looks into the SQLite file, is marked `@pytest.mark.one_node("why")`, and is skipped then.

The fixtures `postgres` and `redis` come from services/fixtures.py.

Temporary files are in memory (/dev/shm) if there is room, because a disk takes milliseconds for each commit. Set TMPDIR
to have them elsewhere.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest
from hypothesis import settings

from tests import sample, veche_process

settings.register_profile("full", settings(), deadline=None)
settings.register_profile("quick", settings(), deadline=None, max_examples=30)
settings.load_profile("full")

MEMORY = Path("/dev/shm")  # pytest makes a folder of its own in it
NEEDED = 4 << 30  # bytes; a run takes less than half of it

if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

pytest_plugins = ["tests.services.fixtures"]

ONE_NODE = "needs one node: "


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--on", choices=["sqlite", "nodes"], default="sqlite", help="what each server of the tests is")
    parser.addoption("--third", metavar="SEED", help="play only a third of the transcripts, which SEED chooses")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if config.getoption("--on") == "nodes" else ():
        if (mark := item.get_closest_marker("one_node")) is not None:
            item.add_marker(pytest.mark.skip(reason=ONE_NODE + mark.args[0]))
    if (seed := config.getoption("--third")) is not None:
        out = [item for item in items if _is_transcript(item) and not sample.is_chosen(item.callspec.id, seed)]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _is_transcript(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and item.originalname == "test_transcript"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    if number := sum(ONE_NODE in reason for reason in skipped):
        terminalreporter.write_line(f"{number} tests need one node, and were left out.")
    if (seed := config.getoption("--third")) is not None:
        out = sample.left_out(seed)
        terminalreporter.write_line(f"{len(out)} transcripts were left out (seed {seed}): {', '.join(out)}")


@pytest.fixture(scope="session", autouse=True)
def two_nodes(request: pytest.FixtureRequest) -> veche_process.TwoNodes | None:
    """What all servers share with `--on=nodes`."""
    if request.config.getoption("--on") == "nodes":
        postgres, redis = request.getfixturevalue("postgres"), request.getfixturevalue("redis")
        veche_process.two_nodes = veche_process.TwoNodes(postgres, redis)
    return veche_process.two_nodes


@pytest.fixture(autouse=True)
def split(request: pytest.FixtureRequest, two_nodes: veche_process.TwoNodes | None) -> Iterator[None]:
    """Let each test split its connections between two nodes in its own way, which is the same in every run."""
    if two_nodes is not None:
        for server in two_nodes.servers:
            server.turn = zlib.crc32(request.node.nodeid.encode())
    yield
    if two_nodes is not None:
        two_nodes.drop_databases_of_ended()
