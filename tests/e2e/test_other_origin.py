"""A page of another origin that uses the official Socket.IO client, with and without credentials."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests.programs import SOCKETIO_CLIENT, MissingError, node_modules, skip

from .harness import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(30)]

SCRIPT = """([url, token, transports, withCredentials]) => new Promise((resolve, reject) => {
  const socket = io(url, { transports, withCredentials, auth: { token }, extraHeaders: { "X-Page": "1" } });
  socket.on("connect_error", (error) => reject(new Error(error.message)));
  socket.on("message", (text) => resolve([text, socket.io.engine.transport.name]));
  socket.on("connect", () => {
    const engine = socket.io.engine;
    if (engine.transport.name === transports.at(-1)) socket.emit("message", "hi");
    else engine.once("upgrade", () => socket.emit("message", "hi"));
  });
})"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a server that has the page and the client."""
    folder = tmp_path_factory.mktemp("page")
    try:
        client = node_modules(SOCKETIO_CLIENT) / "node_modules/socket.io-client/dist/socket.io.min.js"
    except MissingError as missing:
        skip(missing)
    (folder / "client.js").write_bytes(client.read_bytes())
    (folder / "index.html").write_text("<script src=client.js></script>")
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        yield f"http://localhost:{pages.server_port}"
        pages.shutdown()


@pytest.fixture(params=["any origin", "this origin"])
def other(request: pytest.FixtureRequest, tmp_path: Path, origin: str) -> Iterator[Server]:
    settings = {"VECHE_ORIGINS": origin} if request.param == "this origin" else {}
    server = Server(tmp_path, settings=settings).start()
    yield server
    server.stop()


@pytest.mark.parametrize("with_credentials", [True, False])
@pytest.mark.parametrize("transports", [["polling"], ["polling", "websocket"], ["websocket"]], ids="-".join)
def test_a_page_of_another_origin_talks(
    browser: Browser, other: Server, origin: str, transports: list[str], with_credentials: bool
) -> None:
    body = {"username": "ann", "password": "secret"}
    token = httpx.post(f"{other.url}/api/auth/register", json=body, trust_env=False).json()["token"]
    with browser.new_page() as page:
        page.goto(origin)
        found: Any = page.evaluate(SCRIPT, [other.url, token, transports, with_credentials])
    assert found == ["hi", transports[-1]]
