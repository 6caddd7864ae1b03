"""compose.yaml: what its services get from each kind of `.env`, and what it promises."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.programs import MissingError, node_modules, program, skip
from veche.app import DIALECTS
from veche.cli.env_file import parse
from veche.settings import ServerSettings, read_settings

from .dockerfile import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
ALWAYS = {name for name, service in SERVICES.items() if "profiles" not in service}
PORTS = {"8000:8000", "3000:3000", "3001:3000", "8080:8080"}

ENV_FILES = {
    "nothing": "",
    "the example": (ROOT / ".env.example").read_text(encoding="utf-8"),
    "000": "POSTGRES_USER=chat\nPOSTGRES_PASSWORD='p@ss/wo%rd $x'\nPOSTGRES_DB=chats\n",
    "002": "DATABASE_URL=postgresql://user:pass@db:5432/chat\n",
    "002 of Prisma": 'DATABASE_URL="postgres://user:p%40ss%2F@db:5432/chat?schema=public"\n',
    "a backslash": r"DATABASE_URL='postgres://user:a\nb%5Cc%25d@db/chat'",
    "003": "APP_HOST=0.0.0.0\nAPP_PORT=8000\nPOSTGRES_DB=app\nPOSTGRES_USER=postgres\nPOSTGRES_PASSWORD=postgres\n"
    "POSTGRES_HOST=db\nPOSTGRES_PORT=5432\nIS_PROXY=False\n",
    "004": "POSTGRES_USER=admin\nPOSTGRES_PASSWORD=admin\nPOSTGRES_NAME=messanger_db\nPOSTGRES_HOST=db\n"
    "POSTGRES_PORT=5432\n",
    "without a password": "DATABASE_URL=postgresql://user@db/chat\n",
    "VECHE": "VECHE_DATABASE_URL=postgresql+psycopg://me:x@postgres/own\nPOSTGRES_DB=other\n",
}
"""What may be in `.env`: the documents of the originals, and what their repositories ship."""


def environment(service: str, text: str) -> dict[str, str]:
    """Return what a service gets from its files if `.env` is this text."""
    found: dict[str, str] = {}
    for file in SERVICES[service]["env_file"]:
        if file["path"] == ".env":
            found |= parse(text, ".env")
        elif (path := ROOT / file["path"]).exists():
            found |= parse(path.read_text(encoding="utf-8"), file["path"])
        else:
            assert file["required"] is False
    return found


@pytest.mark.parametrize("name", ENV_FILES)
def test_veche_asks_for_the_database_that_the_container_makes(tmp_path: Path, name: str) -> None:
    of_veche = environment("app", ENV_FILES[name]) | {"VECHE_CONTAINER": "1"}
    asked = urlsplit(read_settings(DIALECTS, of_veche).server.database_url)
    made = made_by_container(tmp_path, environment("postgres", ENV_FILES[name]))
    assert asked.scheme.startswith("postgres")
    assert asked.hostname in {"postgres", *SERVICES["postgres"]["networks"]["back"]["aliases"]}
    assert (asked.port or 5432) == 5432
    assert unquote(asked.username or "") == made["POSTGRES_USER"]
    assert unquote(asked.password or "") == made["POSTGRES_PASSWORD"]
    assert unquote(asked.path.strip("/")) == made["POSTGRES_DB"]


def made_by_container(folder: Path, env: dict[str, str]) -> dict[str, str]:
    """Run the entry point of the database. In the place of the image's own one is a program that tells what it gets."""
    own = folder / "docker-entrypoint.sh"
    own.write_text('#!/bin/sh\n[ "$*" = postgres ] || exit 2\nexec env -0\n')
    own.chmod(0o755)
    _, script = SERVICES["postgres"]["entrypoint"]
    [mounted] = [one.split(":")[0] for one in SERVICES["postgres"]["volumes"] if script in one]
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", ROOT / mounted], env={"PATH": path, **env}, capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


@pytest.mark.parametrize(
    "url", ["postgresql://me:x@db.example/own", "postgresql://me:x@db:5433/own", "sqlite:////srv/veche/data/x.db", "x"]
)
def test_an_address_elsewhere_changes_nothing_in_the_container(tmp_path: Path, url: str) -> None:
    env = {"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "d"}
    made = made_by_container(tmp_path, env | {"DATABASE_URL": url})
    assert {name: made[name] for name in env} == env


def test_one_node_is_the_default_and_its_container_is_called_app() -> None:
    assert {"app", "postgres"} == ALWAYS
    assert [name for name, service in SERVICES.items() if service.get("container_name")] == ["app"]
    assert SERVICES["app"]["container_name"] == "app"
    assert {name for name in SERVICES if name not in ALWAYS} == {"node1", "node2", "redis", "balancer"}
    assert all(SERVICES[name]["profiles"] == ["two"] for name in SERVICES.keys() - ALWAYS)
    assert needed("balancer") == {"balancer", "node1", "node2", "redis", "postgres"}  # and not app


def needed(service: str) -> set[str]:
    found = {service}
    for other in SERVICES[service].get("depends_on", {}):
        found |= needed(other)
    return found


def test_only_the_ports_of_the_originals_are_published() -> None:
    for name, service in SERVICES.items():
        published = {re.sub(r"^\$\{PUBLISH:-0\.0\.0\.0\}:", "", port) for port in service.get("ports", ())}
        assert published == (PORTS if name in ("app", "balancer") else set())


def test_only_the_balancer_is_trusted() -> None:
    """Clients connect directly to the one node: whoever is trusted there could claim any address."""
    assert "VECHE_TRUSTED_PROXIES" not in SERVICES["app"].get("environment", {}), "it would hide that of src/.env"
    assert "VECHE_TRUSTED_PROXIES" not in (ROOT / "deploy" / "compose.env").read_text(encoding="utf-8")
    address = SERVICES["balancer"]["networks"]["nodes"]["ipv4_address"]
    for node in ("node1", "node2"):
        more = "${VECHE_TRUSTED_PROXIES:+,${VECHE_TRUSTED_PROXIES}}"
        assert SERVICES[node]["environment"]["VECHE_TRUSTED_PROXIES"] == address + more
        assert set(SERVICES[node]["networks"]) == {"nodes", "back"}
    assert COMPOSE["networks"]["back"] == {"internal": True}


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_watched_and_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert "no-new-privileges:true" in service["security_opt"]
    if name != "postgres":  # its entry point gives the folder of the data to its account
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    assert service.get("build") == "." or service["healthcheck"]  # ours is in the Dockerfile
    assert all(wanted == {"condition": "service_healthy"} for wanted in service.get("depends_on", {}).values())


def test_every_variable_of_veche_exists() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8") + (ROOT / ".env.example").read_text(encoding="utf-8")
    known = {f"VECHE_{field.upper()}" for field in ServerSettings.model_fields}
    assert set(re.findall(r"VECHE_[A-Z_]+", text)) <= known


def test_the_files_that_are_mounted_exist() -> None:
    mounted = [one for service in SERVICES.values() for one in service.get("volumes", ()) if one.startswith("./")]
    assert len(mounted) == 2
    assert all((ROOT / one.split(":")[0]).is_file() and one.endswith(":ro") for one in mounted)


@pytest.mark.timeout(180)
def test_the_file_keeps_the_schema_of_compose() -> None:
    try:
        lint = node_modules("dclint@3") / "node_modules" / ".bin" / "dclint"
        done = subprocess.run(
            [program("node"), lint, "--quiet", ROOT / "compose.yaml"], cwd=ROOT, capture_output=True, text=True
        )
    except MissingError as missing:
        skip(missing)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(180)
def test_the_schema_notices_a_wrong_key(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((ROOT / "compose.yaml").read_text().replace("container_name:", "container_nam:"))
    try:
        lint = node_modules("dclint@3") / "node_modules" / ".bin" / "dclint"
        done = subprocess.run([program("node"), lint, "--quiet", wrong], cwd=tmp_path, capture_output=True, text=True)
    except MissingError as missing:
        skip(missing)
    assert done.returncode != 0
