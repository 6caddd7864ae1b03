"""docs/deploy.md has settings and commands that exist; the pages link to files that exist."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.veche_process import VECHE
from veche.app import DIALECTS
from veche.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
[SETTINGS] = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
PROXIES = (ROOT / "docs" / "proxies.md").read_text(encoding="utf-8")
EXECUTED = re.findall(r"docker exec (\w+)", PAGE)
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_the_files_that_the_page_names_exist() -> None:
    named = set(re.findall(r"\bdeploy/[\w./@-]*\w", PAGE + PROXIES))
    assert len(named) >= 6
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_commands_of_the_page_are_those_of_the_compose_file() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for profile, service in re.findall(r"docker compose --profile (\w+) up -d --build (\w+)", PAGE):
        assert services[service]["profiles"] == [profile]
    assert all(name in {one.get("container_name") for one in services.values()} for name in EXECUTED)
    assert {"app"} == set(EXECUTED)


def test_the_settings_of_the_page_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in SETTINGS.splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    assert str(read_settings(DIALECTS).server.origins)


def test_the_command_of_the_page_reads_the_settings_and_runs_nothing_of_them(tmp_path: Path) -> None:
    [text] = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", PAGE, re.DOTALL)
    settings = tmp_path / "veche.env"
    settings.write_text("VECHE_DATABASE_URL='sqlite:///$(touch ran) & x.db'\n")
    settings.chmod(0o600)
    (tmp_path / "runuser").write_text('#!/bin/sh\nshift 3\nexec "$@"\n')  # it becomes nobody else
    program = tmp_path / "veche"
    text = text.replace("/etc/veche.env", str(settings)).replace("/srv/veche", str(tmp_path))
    program.write_text(text.replace("/opt/veche/.venv/bin/veche", str(VECHE)))
    for one in (program, tmp_path / "runuser"):
        one.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for words in (["migrate"], ["user", "list"], ["doctor", "--json"], ["--version"]):
        subprocess.run([program, *words], env=env, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "$(touch ran) & x.db").exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]
