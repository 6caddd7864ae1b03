"""The witness itself: it sees what holds the loop, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from .witness import Seen, WitnessedServer
from .witnessed import FLOOR, measured


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_long_callback_is_reported_by_its_name() -> None:
    lines: list[str] = []
    measured(lines.append, burn)(2 * FLOOR)
    measured(lines.append, burn)(0.0)
    measured(lines.append, time.sleep)(2 * FLOOR)  # other threads may run meanwhile
    assert len(lines) == 1
    assert lines[0].endswith(" burn\n")
    assert 2 * FLOOR <= float(lines[0].split()[0]) < 10 * FLOOR


def test_a_held_loop_fails_the_check() -> None:
    with pytest.raises(AssertionError, match="held by burn: 60 ms"):
        Seen([(0.06, "burn")], [0.1]).check()
    Seen([(0.04, "burn")], [0.1]).check()
    with pytest.raises(AssertionError, match="not answered"):
        Seen().check()


def test_a_server_is_watched(tmp_path: Path) -> None:
    with WitnessedServer(tmp_path) as server:
        assert server.memory > 10_000_000
        with server.watch() as seen:
            # The document is built at the first request, in one callback: the only thing here that takes long.
            for node in server.nodes:
                url = f"http://127.0.0.1:{node.port}/openapi.json"
                assert httpx.get(url, trust_env=False).status_code == 200
        assert seen.waits
        assert seen.callbacks, str(seen)
        with server.watch() as seen:
            httpx.get(f"{server.base}/healthz", trust_env=False)
        seen.check()
