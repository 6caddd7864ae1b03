"""The proxies of docs/proxies.md, each with the configuration that the page shows, in front of a running server.

Only ports, paths and the name of the host are replaced. A proxy that is not installed is skipped.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from laws.dialects import DISPATCH, IN_LOBBY, POLLING, SOCKETIO, Dialect
from laws.town import LOBBY, PASSWORD, TIMEOUT, free_port
from security.witness import WitnessedServer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "proxies.md").read_text(encoding="utf-8")
CLIENT = "127.0.0.2"  # an address of this machine too, but not that of the proxy
FORGED = "192.0.2.66"


def shown(language: str, replaced: dict[str, str]) -> str:
    """Return a configuration of the page with other values; each of the old ones has to be there."""
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return str(text)


def nginx(folder: Path, port: int, server: int) -> list[str]:
    replaced = {
        "127.0.0.1:8000": f"127.0.0.1:{server}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "chat.example.com;": "localhost;",
        "/etc/ssl/chat.example.com": f"{folder}/chat",
        "/var/log/nginx": str(folder),
    }
    (folder / "veche.conf").write_text(shown("nginx", replaced))
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"user {getpass.getuser()}; daemon off; worker_processes 1; "
        f"pid {folder}/nginx.pid; error_log {folder}/start.log; "
        f"events {{}} http {{ {paths} include {folder}/veche.conf; }}"
    )
    return ["nginx", "-p", str(folder), "-c", "nginx.conf"]


def haproxy(folder: Path, port: int, server: int) -> list[str]:
    replaced = {
        "127.0.0.1:8000": f"127.0.0.1:{server}",
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/ssl/chat.example.com.pem": f"{folder}/both.pem",
    }
    (folder / "haproxy.cfg").write_text(shown("haproxy", replaced))
    return ["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"]


def caddy(folder: Path, port: int, server: int) -> list[str]:
    certificate = f"tls {folder}/chat.pem {folder}/chat.key"
    replaced = {
        "127.0.0.1:8000": f"127.0.0.1:{server}",
        "chat.example.com {": f"https://localhost:{port} {{\n    bind 127.0.0.1\n    {certificate}",
    }
    alone = "{\n    admin off\n    auto_https off\n}\n"
    (folder / "Caddyfile").write_text(alone + shown("caddyfile", replaced))
    return ["caddy", "run", "--config", f"{folder}/Caddyfile"]


PROXIES = (nginx, haproxy, caddy)


@dataclass
class Site:
    """A server behind a proxy: the address of the site, and what makes its clients trust the certificate."""

    proxy: str
    folder: Path
    server: WitnessedServer
    port: int
    tls: ssl.SSLContext

    @property
    def base(self) -> str:
        return f"https://localhost:{self.port}"

    def http(self) -> httpx.Client:
        """Return an HTTP client at the address CLIENT that claims to be FORGED."""
        transport = httpx.HTTPTransport(verify=self.tls, local_address=CLIENT)
        return httpx.Client(
            base_url=self.base, transport=transport, timeout=TIMEOUT, headers={"X-Forwarded-For": FORGED}
        )

    def connect(self, path: str, **more: Any) -> connect:
        """Open a WebSocket. The client for threads is not used: with TLS, its threads sometimes lose the request."""
        url = f"wss://localhost:{self.port}{path}"
        return connect(url, host="127.0.0.1", ssl=self.tls, open_timeout=TIMEOUT, **more)

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


@pytest.fixture(scope="module", params=PROXIES, ids=lambda start: start.__name__)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    start: Callable[[Path, int, int], list[str]] = request.param
    if shutil.which(start.__name__) is None:
        pytest.skip(f"{start.__name__} is not installed")
    folder = tmp_path_factory.mktemp(start.__name__)
    make_certificate(folder)
    tls = ssl.create_default_context(cafile=str(folder / "chat.pem"))
    settings = {
        "VECHE_TRUSTED_PROXIES": "127.0.0.1",
        "VECHE_ORIGINS": "https://other.example",
        "VECHE_LOG_LEVEL": "info",
        "VECHE_ACCESS_LOG": "1",
    }
    port = free_port()
    data = folder / "server"
    data.mkdir()
    with WitnessedServer(data, settings) as server:
        command = start(folder, port, server.address[1])
        with (folder / "proxy.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"HOME": str(folder)})
        try:
            until(lambda: listens(port) or process.poll() is not None)
            assert process.poll() is None, (folder / "proxy.log").read_text()
            yield Site(start.__name__, folder, server, port, tls)
        finally:
            process.terminate()
            process.wait(TIMEOUT)


def make_certificate(folder: Path) -> None:
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    words += ["-keyout", f"{folder}/chat.key", "-out", f"{folder}/chat.pem"]
    subprocess.run(words, check=True, capture_output=True)
    both = (folder / "chat.pem").read_text() + (folder / "chat.key").read_text()
    (folder / "both.pem").write_text(both)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(good: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT
    while not good():
        assert time.monotonic() < end
        time.sleep(0.02)


@dataclass(frozen=True)
class Somebody:
    name: str
    token: str


@pytest.fixture(scope="module")
def ann(site: Site) -> Somebody:
    with site.http() as http:
        answer = http.post("/v1/register", json={"username": "ann", "password": PASSWORD}).raise_for_status()
        return Somebody("ann", answer.json()["token"])


def test_rest(site: Site, ann: Somebody) -> None:
    with site.http() as http:
        http.headers["Authorization"] = f"Bearer {ann.token}"
        assert http.get("/v1/me").raise_for_status().json()["username"] == "ann"
        assert http.head("/healthz").status_code == 200
        assert http.get("/").headers["Content-Type"].startswith("text/html")
        body = {"text": "x" * 16_000, "client_message_id": "one"}
        assert http.post(f"/v1/rooms/{LOBBY}/messages", json=body).raise_for_status().json()["text"] == body["text"]


def test_the_client_is_known_by_its_own_address(site: Site, ann: Somebody) -> None:
    with site.http() as http:
        answer = http.post("/v1/login", json={"username": ann.name, "password": "wrong password"})
    assert answer.status_code == 401
    until(lambda: f"a wrong password for account 1 from {CLIENT} (native)" in site.server.log)
    assert f"from {FORGED}" not in site.server.log


async def test_links_have_the_scheme_and_the_host_of_the_site(site: Site, ann: Somebody) -> None:
    with site.http() as http:
        answer = http.get("/pub_ws", headers={"Authorization": f"Bearer {ann.token}"})
        link = str(answer.raise_for_status().json()["link"])
    assert link.startswith(f"wss://localhost:{site.port}/pub_ws/ann?ticket=")
    async with site.connect(link.removeprefix(f"wss://localhost:{site.port}")) as opened:
        await receive(opened, lambda frame: frame.startswith("Приветствую"))


@pytest.mark.parametrize("dialect", IN_LOBBY, ids=lambda dialect: dialect.name)
async def test_a_text_goes_to_and_fro_on_a_websocket(site: Site, ann: Somebody, dialect: Dialect) -> None:
    text = f"hello from {dialect.name}"
    async with site.connect(dialect.path(ann, LOBBY)) as opened:  # type: ignore[arg-type]
        for greeting in dialect.greet(ann, LOBBY):  # type: ignore[arg-type]
            await opened.send(greeting)
        if dialect.ready is not None:
            await receive(opened, dialect.ready)
        await opened.send(dialect.say(LOBBY, text, 1))
        await receive(opened, lambda frame: text_of(dialect, frame) == text)


def text_of(dialect: Dialect, frame: str) -> str | None:
    if dialect is DISPATCH and not frame.startswith("{"):
        return None
    return dialect.text_of(frame)


async def receive(opened: ClientConnection, good: Callable[[str], bool]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not good(str(await opened.recv())):
            pass


async def test_socketio_polls_and_upgrades(site: Site, ann: Somebody) -> None:
    with site.http() as http:
        opening = http.get("/socket.io/", params=POLLING).raise_for_status()
        asked = POLLING | {"sid": json.loads(opening.text[1:])["sid"]}

        def post(packets: str) -> None:
            assert http.post("/socket.io/", params=asked, content=packets).raise_for_status().text == "ok"

        def poll() -> str:
            return http.get("/socket.io/", params=asked).raise_for_status().text

        post(f'40{{"token":"{ann.token}"}}')
        assert poll().startswith("40")
        said = SOCKETIO.say(LOBBY, "by polling", 1)
        post(said)
        heard = poll()
        while "by polling" not in heard:
            heard += poll()
        post("42" + json.dumps(["unknown", "x" * 999_900]))  # the largest POST there is
        async with site.connect(f"/socket.io/?EIO=4&transport=websocket&sid={asked['sid']}") as opened:
            await opened.send("2probe")
            await receive(opened, lambda frame: frame == "3probe")
            await opened.send("5")
            await opened.send(SOCKETIO.say(LOBBY, "by websocket", 2))
            await receive(opened, lambda frame: "by websocket" in frame)


async def test_pages_of_the_site_and_listed_ones_may_connect_and_others_may_not(site: Site) -> None:
    for origin in (site.base, "https://other.example"):
        async with site.connect("/v1/socket", origin=origin) as opened:
            await asyncio.wait_for(await opened.ping(), TIMEOUT)
    for origin in (site.base.replace("https", "http"), "https://evil.example"):
        with pytest.raises(InvalidStatus) as refused:
            await site.connect("/v1/socket", origin=origin)
        assert refused.value.response.status_code == 403


def test_a_socket_without_an_upgrade_is_told_so(site: Site) -> None:
    with site.http() as http:
        assert http.get("/v1/socket").status_code == 426


def test_the_health_is_asked_for(site: Site) -> None:
    if site.proxy == "nginx":
        pytest.skip("nginx asks for the health of nothing")
    method = "HEAD" if site.proxy == "haproxy" else "GET"
    until(lambda: f" 127.0.0.1 {method} /healthz 200" in site.server.log)
    assert "DOWN" not in site.logs()


async def test_no_token_is_in_the_log_of_the_proxy(site: Site, ann: Somebody) -> None:
    """The log of Veche is tested elsewhere."""
    async with site.connect(f"/ws?token={ann.token}") as opened:
        await opened.send(json.dumps({"type": "join", "content": str(LOBBY)}))
        await receive(opened, lambda frame: "joined the room" in frame)
    with site.http() as http:
        http.get(f"/nowhere?token={ann.token}")
    if site.proxy != "caddy":  # which logs no requests
        until(lambda: "/nowhere" in site.logs())
    assert ann.token.rpartition(".")[2] not in site.logs()
