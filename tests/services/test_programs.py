"""What is missing is skipped with a reason, and is a failure if the environment says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests import programs
from tests.programs import Fetch, MissingError, skip


def test_what_is_missing_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VECHE_NO_SKIPS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="nothing is not here"):
        skip(MissingError("nothing is not here."))


def test_what_is_missing_fails_if_nothing_may_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECHE_NO_SKIPS", "1")
    with pytest.raises(pytest.fail.Exception, match="nothing is not here"):
        skip(MissingError("nothing is not here."))


def test_fetching_ends_in_time(tmp_path: Path) -> None:
    fetch = Fetch("nothing", tmp_path, time.monotonic() + 0.2)
    with pytest.raises(MissingError, match="nothing is not here, and was not fetched within 60 seconds"):
        fetch.run("sleep", "30")


def test_what_cannot_be_fetched_says_why_leaves_nothing_and_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "CACHE", tmp_path)
    tries: list[Fetch] = []

    def fetch(fetch: Fetch) -> None:
        tries.append(fetch)
        fetch.run("sh", "-c", "touch $0/half; echo no such thing >&2; exit 1", fetch.to)

    for _ in range(2):
        with pytest.raises(MissingError, match="nothing is not here, and could not be fetched: no such thing"):
            programs._fetched("nothing", fetch)
    assert len(tries) == 1
    assert not (tmp_path / "nothing").exists()


def test_what_has_been_fetched_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "CACHE", tmp_path)
    made = programs._fetched("something", lambda fetch: fetch.run("touch", fetch.to / "it"))
    assert (made / "it").exists()
    assert programs._fetched("something", lambda fetch: fetch.run("false")) == made
