"""A forked `veche` is like one that was started: its words, folder, environment, output, open files and end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.starting import Forked, starter
from tests.veche_process import VECHE, VecheProcess, environment

pytestmark = pytest.mark.slow


def forked(folder: Path, *words: str, **settings: str) -> Forked:
    with (folder / "log").open("ab") as log:
        return starter().start(["veche", *words], folder, environment(settings), log)


def open_files(process: int) -> dict[str, int]:
    """Count the open files of a process by what they are. It opens the database once more if two read at once."""
    found: Counter[str] = Counter()
    for path in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):  # it is closed by now
            target = str(path.readlink())
            found[target.partition(":")[0] if ":" in target else Path(target).name] += 1
    return {name: 1 if name.startswith("veche.db") else count for name, count in found.items()}


def test_its_words_folder_environment_and_output(tmp_path: Path) -> None:
    process = forked(tmp_path, "migrate", VECHE_DATABASE_URL="sqlite:///here.db")
    assert process.wait(30) == 0
    assert "here.db is up to date" in process.stdout.read()
    assert (tmp_path / "here.db").exists()
    process.stdout.close()


@pytest.mark.parametrize("words", [("serve", "--port", "x"), ("serve", "--host", "no such host")])
def test_its_exit_code_and_its_errors(tmp_path: Path, words: tuple[str, ...]) -> None:
    process = forked(tmp_path, *words)
    done = subprocess.run([VECHE, *words], cwd=tmp_path, env=environment({}), capture_output=True, text=True)
    assert process.wait(30) == done.returncode > 0
    assert (tmp_path / "log").read_text() == done.stderr
    process.stdout.close()


def test_two_have_their_own_files_and_ends(tmp_path: Path) -> None:
    for name in ("one", "two", "started"):
        (tmp_path / name).mkdir()
    with VecheProcess(tmp_path / "one") as one, VecheProcess(tmp_path / "two") as two:
        with VecheProcess(tmp_path / "started", {"VECHE_WORKERS": "1"}) as started:
            assert isinstance(one.process, Forked)
            assert isinstance(started.process, subprocess.Popen)
            assert open_files(one.process.pid) == open_files(two.process.pid) == open_files(started.process.pid)
        assert one.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            one.process.wait(0.01)
        two.end(signal.SIGKILL)
        assert (one.process.poll(), two.process.returncode) == (None, -signal.SIGKILL)
        two.process.kill()  # it does nothing
    assert one.process.returncode == 0


@pytest.mark.parametrize("name", ["VECHE_TEST_CRASH_AT", "VECHE_WORKERS", "PYTHONPATH", "LD_PRELOAD"])
def test_what_is_read_at_the_start_is_no_fork(tmp_path: Path, name: str) -> None:
    with VecheProcess(tmp_path, {name: "1" if name == "VECHE_WORKERS" else ""}) as server:
        assert isinstance(server.process, subprocess.Popen)
