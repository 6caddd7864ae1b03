"""The image: its build, its entry point, its health check, and what `docker exec` finds in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from tests.veche_process import free_port

from .dockerfile import ROOT, environment, instructions, texts
from .image import BUILD, FINAL, Image, python

SECONDS = 30.0


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    folder = Path(tempfile.mkdtemp(prefix="veche-image-"))  # not tmp_path, into which only its owner may go
    folder.chmod(0o755)
    umask = os.umask(0o022)
    try:
        built = Image(folder)
        built.build()
        yield built
    finally:
        os.umask(umask)
        shutil.rmtree(folder)


@contextmanager
def container(image: Image, more: dict[str, str]) -> Iterator[tuple[dict[str, str], str]]:
    """Run the image's entry point on free ports. Yield the environment and the address of the first one."""
    ports = [free_port() for _ in environment(FINAL)["VECHE_BIND"].split(",")]
    more = {"VECHE_BIND": ",".join(f"0.0.0.0:{port}" for port in ports), **more}
    log = image.root / "log"
    process = image.start(more, log)
    try:
        until(lambda: process.poll() is not None or " is on " in log.read_text())
        assert process.poll() is None, log.read_text()
        for port in ports:
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        yield more, f"http://127.0.0.1:{ports[0]}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(image.data)
        image.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(image.data, 10001, 10001)


def until(good: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not good():
        assert time.monotonic() < end
        time.sleep(0.02)


def written(image: Image) -> set[str]:
    """Return what is in the folders of the image, without the data."""
    places = (Path(image.here(place)) for place in ("/opt/veche", "/srv/veche"))
    found = {str(path) for place in places for path in place.rglob("*")}
    return {path for path in found if not path.startswith(f"{image.data}/")}


@pytest.mark.timeout(300)  # the build fetches all packages again
def test_the_image_serves_stores_only_data_and_stops_in_order(image: Image) -> None:
    before = written(image)
    with container(image, {}) as (more, base):
        alive = image.execute(*image.health_check, more=more)
        assert (alive.returncode, alive.stderr) == (0, "")
        assert httpx.get(f"{base}/").status_code == 200
        made = image.execute("python", "-m", "app.scripts.create_test_data", more=more)  # as document 004 says
        assert made.returncode == 0, made.stderr
        assert "alice@example.com" in made.stdout
        answer = httpx.post(f"{base}/login", json={"email": "alice@example.com", "password": "password123"})
        assert answer.status_code == 200
        assert [path.name for path in image.data.glob("*.db")] == ["veche.db"]
    assert written(image) == before
    dead = image.execute(*image.health_check, more=more)
    assert dead.returncode == 1
    assert dead.stderr.startswith("no answer: ")


def test_the_names_of_the_originals_lead_to_postgresql(image: Image, postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    names = {
        "POSTGRES_HOST": parts.hostname or "",
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": unquote(parts.username or ""),
        "POSTGRES_PASSWORD": unquote(parts.password or ""),
        "POSTGRES_DB": parts.path.strip("/"),
    }
    prisma = {"DATABASE_URL": postgres_url.replace("postgresql:", "postgres:") + "?schema=public"}
    for more in (names, prisma):
        with container(image, more) as (settings, base):
            assert image.execute("python", "-m", "app.scripts.create_test_data", more=settings).returncode == 0
            answer = httpx.post(f"{base}/login", json={"email": "bob@example.com", "password": "password123"})
            assert answer.status_code == 200
            assert not list(image.data.iterdir())


def test_the_build_checks_hashes_and_copies_only_what_is_there() -> None:
    installs = [text for text in texts(BUILD, "RUN") if re.search(r"pip (install|sync)", text) and "-deps" not in text]
    assert len(installs) == 2
    assert all("--require-hashes" in text for text in installs)
    copied = {source for text in texts(BUILD, "COPY") for source in text.split(" ")[:-1]} | {"deploy/container"}
    assert all((ROOT / source).exists() for source in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == copied


def test_the_image_runs_as_an_ordinary_account_with_a_volume_and_a_health_check() -> None:
    assert texts(FINAL, "USER") == ["10001:10001"]  # as a number: Kubernetes has to see that it is not root
    assert texts(FINAL, "VOLUME") == ["/srv/veche/data"]
    assert texts(FINAL, "WORKDIR") == ["/srv/veche"]
    assert set(texts(FINAL, "EXPOSE")[0].split(" ")) == {"8000", "3000", "8080"}
    assert {one.rpartition(":")[2] for one in environment(FINAL)["VECHE_BIND"].split(",")} == {"8000", "3000", "8080"}
    [account] = [text for text in texts(FINAL, "RUN") if "useradd" in text]
    assert "-m 700 /srv/veche/data" in account
    assert [one.name for one in instructions()].count("FROM") == 2
    assert not any("SECRET" in name or "PASSWORD" in name for name in environment(FINAL))


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"VECHE_BIND": "0.0.0.0:8000,0.0.0.0:3000"}, ["127.0.0.1", 8000]),
        ({"VECHE_BIND": "[::]:9000", "VECHE_PORT": "1"}, ["::1", 9000]),
        ({"VECHE_BIND": " 10.0.0.1:80 , x:1"}, ["10.0.0.1", 80]),
        ({}, ["127.0.0.1", 8000]),
        ({"VECHE_HOST": "0.0.0.0", "PORT": "3001"}, ["127.0.0.1", 3001]),
        ({"VECHE_PORT": "4", "APP_PORT": "3"}, ["127.0.0.1", 4]),
    ],
)
def test_the_health_check_asks_where_the_server_listens(environ: dict[str, str], address: list[object]) -> None:
    script = "import health, json; print(json.dumps(health.address()))"
    env = {"PYTHONPATH": str(ROOT / "deploy" / "container"), "PYTHONDONTWRITEBYTECODE": "1", **environ}
    done = subprocess.run([python(), "-c", script], env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == address
