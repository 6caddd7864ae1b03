"""The parent of the workers: it starts again what ends or hangs, and a roll never leaves less than there was.

The workers are small programs that do what a file says. The parent is the real one, in a process of its own.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from veche.cli.place import Plan, as_argument

pytestmark = pytest.mark.slow

WORKER = """
import os, pathlib, signal, sys
from veche.cli.place import Place, from_argument

place = from_argument(Place, sys.argv[1])
how = pathlib.Path(__file__).with_name("how").read_text()
print(f"process {os.getpid()} does {how}", file=sys.stderr, flush=True)
if how == "fail":
    sys.exit(3)
if how != "hang":
    place.report_listening()
if how == "ready":
    place.report_ready()
while True:
    signal.pause()
"""
PARENT = """
import sys
from veche.cli.place import Plan, from_argument
from veche.cli.workers import Parent
from veche.ops import logs

logs.configure("info", "text", access=False)
sys.exit(Parent(from_argument(Plan, sys.argv[1]), [sys.argv[2]]).run())
"""
START_SECONDS = 3.0


class Workers:
    """One parent with two workers. Its log says which workers it started."""

    def __init__(self, folder: Path, how: str = "ready") -> None:
        self.folder = folder
        self.be(how)
        (folder / "worker.py").write_text(WORKER)
        plan = Plan(2, (), "greeting", "text", 10.0, START_SECONDS)
        words = [sys.executable, "-c", PARENT, as_argument(plan), str(folder / "worker.py")]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log)

    def be(self, how: str) -> None:
        """Let workers that start from now on be "ready" or "unready", "fail" or "hang"."""
        (self.folder / "next").write_text(how)
        (self.folder / "next").rename(self.folder / "how")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def started(self) -> list[int]:
        """The processes of all workers that were started."""
        return [int(pid) for pid in re.findall(r"worker \d+ is process (\d+)", self.log)]

    @property
    def living(self) -> list[int]:
        return [pid for pid in self.started if is_alive(pid)]

    def roll(self) -> None:
        self.process.send_signal(signal.SIGHUP)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(holds: Callable[[], object]) -> None:
    while not holds():  # the test's timeout ends it
        time.sleep(0.02)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    found = Workers(tmp_path)
    try:
        until(lambda: found.log.count("does ready") == 2)
        yield found
    finally:
        found.process.terminate()
        assert found.process.wait(30) == 0, found.log
        assert found.process.stdout is not None
        assert found.process.stdout.read() == b"greeting\n"
        found.process.stdout.close()
        assert found.living == []


def test_a_roll_replaces_all_workers(workers: Workers) -> None:
    old = workers.started
    workers.roll()
    until(lambda: "all workers were replaced" in workers.log)
    assert workers.living == workers.started[2:]
    assert len(workers.living) == 2
    assert set(old).isdisjoint(workers.living)


def test_workers_that_end_while_a_new_one_hangs_are_started_again(workers: Workers) -> None:
    workers.be("hang")
    workers.roll()
    until(lambda: "does hang" in workers.log)
    hanging = workers.started[2]
    workers.be("ready")
    for pid in workers.started[:2]:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(workers.started) == 5)
    assert is_alive(hanging), "they had to wait for the new one"
    assert workers.log.count("has ended by itself (-9); it is started again") == 2
    until(lambda: not is_alive(hanging))
    until(lambda: "so the others are not replaced" in workers.log)
    assert workers.living == workers.started[3:]
    assert "all workers were replaced" not in workers.log


def test_a_new_worker_that_hangs_is_killed_and_the_old_ones_stay(workers: Workers) -> None:
    old = workers.started
    workers.be("hang")
    workers.roll()
    until(lambda: "so the others are not replaced" in workers.log)
    assert f"worker 3 (process {workers.started[2]}) does not start within 3 s, and is killed" in workers.log
    assert workers.living == old
    workers.be("ready")
    workers.roll()
    until(lambda: "all workers were replaced" in workers.log)
    assert set(old).isdisjoint(workers.living)


def test_a_worker_that_hangs_after_a_crash_is_killed_and_started_again(workers: Workers) -> None:
    workers.be("hang")
    os.kill(workers.started[0], signal.SIGKILL)
    until(lambda: "does hang" in workers.log)
    workers.be("ready")
    until(lambda: len(workers.started) == 4)
    assert workers.living == [workers.started[1], workers.started[3]]
    assert "has not started (-9); it is started again" in workers.log


@pytest.mark.parametrize("how", ["unready", "fail"])
def test_a_roll_keeps_the_old_workers_if_the_new_one_does_not_become_ready(workers: Workers, how: str) -> None:
    old = workers.started
    workers.be(how)
    workers.roll()
    until(lambda: "so the others are not replaced" in workers.log)
    until(lambda: workers.living == old)
    assert len(workers.started) == 3
    assert "all workers were replaced" not in workers.log


def test_a_new_worker_that_ends_is_no_replacement(workers: Workers) -> None:
    """The old worker was skipped, and the log said that all were replaced."""
    old = workers.started
    workers.be("unready")
    workers.roll()
    until(lambda: "does unready" in workers.log)
    workers.be("ready")
    os.kill(workers.started[2], signal.SIGKILL)
    until(lambda: "all workers were replaced" in workers.log or "are not replaced" in workers.log)
    if "are not replaced" in workers.log:  # it had no time to listen
        assert workers.living == old
    else:
        assert set(old).isdisjoint(workers.living)


def test_a_worker_that_is_not_ready_is_kept_if_there_is_no_other_in_its_place(workers: Workers) -> None:
    workers.be("unready")
    os.kill(workers.started[0], signal.SIGKILL)
    until(lambda: len(workers.started) == 3)
    gone_by = time.monotonic() + START_SECONDS + 1
    until(lambda: time.monotonic() > gone_by)
    assert workers.living == workers.started[1:]


def test_the_first_worker_may_take_its_time(tmp_path: Path) -> None:
    first = Workers(tmp_path, "hang")
    assert first.process.stdout is not None
    with first.process.stdout as out:
        assert not select.select([out], [], [], START_SECONDS + 1)[0]
        assert "killed" not in first.log
        first.process.terminate()
        assert first.process.wait(30) == 0
