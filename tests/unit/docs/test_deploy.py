"""docs/deploy.md has a unit that systemd accepts, and settings that exist; the pages link to files that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from veche.app import DIALECTS
from veche.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
UNIT, SETTINGS = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    assert "/opt/veche/.venv/bin/veche serve" in UNIT
    command = str(Path(sys.executable).with_name("veche"))
    unit = tmp_path / "veche.service"
    unit.write_text(UNIT.replace("/opt/veche/.venv/bin/veche", command))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert "veche.service" not in done.stderr, done.stderr


def test_the_settings_of_the_page_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in SETTINGS.splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    assert str(read_settings(DIALECTS).server.origins)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]
