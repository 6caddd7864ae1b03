"""The proxies of docs/proxies.md, each with the configuration that the page shows, in front of a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from laws.dialects import DISPATCH, IN_LOBBY, POLLING, SOCKETIO, Dialect
from laws.town import LOBBY, PASSWORD, TIMEOUT
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from tests.programs import MissingError, skip

from .site import CLIENT, FORGED, PROXIES, Site, serving, until


@pytest.fixture(scope="module", params=PROXIES, ids=str)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    try:
        with serving(request.param, tmp_path_factory.mktemp(str(request.param))) as site:
            yield site
    except MissingError as missing:
        skip(missing)


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
    if str(site.proxy) == "nginx":
        pytest.skip("nginx asks for the health of nothing")
    method = "HEAD" if str(site.proxy) == "haproxy" else "GET"
    until(lambda: f" 127.0.0.1 {method} /healthz 200" in site.server.log)
    assert "DOWN" not in site.logs()


async def test_no_token_is_in_the_log_of_the_proxy(site: Site, ann: Somebody) -> None:
    """The log of Veche is tested elsewhere."""
    async with site.connect(f"/ws?token={ann.token}") as opened:
        await opened.send(json.dumps({"type": "join", "content": str(LOBBY)}))
        await receive(opened, lambda frame: "joined the room" in frame)
    with site.http() as http:
        http.get(f"/nowhere?token={ann.token}")
    if str(site.proxy) != "caddy":  # which logs no requests
        until(lambda: "/nowhere" in site.logs())
    assert ann.token.rpartition(".")[2] not in site.logs()
