"""docs/deploy.md has settings and commands that exist; the pages link to files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]
