"""A running server behind a proxy, which has the configuration that docs/proxies.md shows.

Only ports, paths, the name of the host and, if a test wants that, the times are replaced.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from laws.town import TIMEOUT
from security.witness import WitnessedServer
from websockets.asyncio.client import connect

from tests.programs import program
from tests.veche_process import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "proxies.md").read_text(encoding="utf-8")
CLIENT = "127.0.0.2"  # an address of this machine too, but not that of the proxy
FORGED = "192.0.2.66"

Replaced = dict[str, str]


@dataclass(frozen=True)
class Proxy:
    """A proxy: what it is started with, and how it reads its configuration again.

    `configure` writes the configuration: it takes a folder, the port of the proxy, the text of the configuration, and
    texts to replace there. `language` is that of the configuration on the page, `file` is the one for two nodes.
    """

    name: str
    language: str
    file: str
    configure: Callable[[Path, int, str, Replaced], None]
    start: tuple[str, ...]
    reload: tuple[str, ...] | None  # None: by SIGUSR2
    loaded: str  # what its log says when it has read its configuration
    limits_silence: bool = True
    reload_keeps_connections: bool = True

    def __str__(self) -> str:
        return self.name


def shown(proxy: Proxy) -> str:
    """Return the configuration of the page, for one server."""
    [text] = re.findall(rf"```{proxy.language}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)


def with_others(text: str, replaced: Replaced) -> str:
    """Return a text with other values; each of the old ones has to be there."""
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def _nginx(folder: Path, port: int, text: str, more: Replaced) -> None:
    replaced = {
        "listen 443": f"listen 127.0.0.1:{port}",
        "chat.example.com;": "localhost;",
        "/etc/ssl/chat.example.com": f"{folder}/chat",
        "/var/log/nginx": str(folder),
    }
    (folder / "veche.conf").write_text(with_others(text, replaced | more))
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"user {getpass.getuser()}; daemon off; worker_processes 1; "
        f"pid {folder}/nginx.pid; error_log {folder}/start.log notice; "
        f"events {{}} http {{ {paths} include {folder}/veche.conf; }}"
    )


def _haproxy(folder: Path, port: int, text: str, more: Replaced) -> None:
    replaced = {
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/ssl/chat.example.com.pem": f"{folder}/both.pem",
    }
    (folder / "haproxy.cfg").write_text(with_others(text, replaced | more))


def _caddy(folder: Path, port: int, text: str, more: Replaced) -> None:
    certificate = f"tls {folder}/chat.pem {folder}/chat.key"
    replaced = {
        "chat.example.com {": f"https://localhost:{port} {{\n    bind 127.0.0.1\n    {certificate}",
    }
    alone = f"{{\n    admin unix/{folder}/admin\n    auto_https off\n}}\n"
    (folder / "Caddyfile").write_text(alone + with_others(text, replaced | more))


_NGINX = ("-p", "{folder}", "-c", "nginx.conf")
_CADDY = ("--config", "{folder}/Caddyfile")
PROXIES = (
    Proxy("nginx", "nginx", "nginx/veche.conf", _nginx, _NGINX, (*_NGINX, "-s", "reload"), "start worker process "),
    Proxy(
        "haproxy",
        "haproxy",
        "haproxy/haproxy.cfg",
        _haproxy,
        ("-W", "-db", "-f", "{folder}/haproxy.cfg"),
        None,
        "Loading success",
    ),
    Proxy(
        "caddy",
        "caddyfile",
        "caddy/Caddyfile",
        _caddy,
        ("run", *_CADDY),
        ("reload", *_CADDY, "--force"),
        "load complete",
        limits_silence=False,
        reload_keeps_connections=False,
    ),
)

FIRST_OR_LONG = (PROXIES[0], *(pytest.param(proxy, marks=pytest.mark.long) for proxy in PROXIES[1:]))
"""The proxies, as parameters of a test that takes long."""


@dataclass
class Site:
    """A server behind a proxy (None: without one), and what makes its clients trust the certificate."""

    proxy: Proxy | None
    folder: Path
    server: WitnessedServer
    port: int
    tls: ssl.SSLContext | None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def base(self) -> str:
        return f"https://localhost:{self.port}" if self.tls else f"http://localhost:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "chat.pem"

    def http(self) -> httpx.Client:
        """Return an HTTP client at the address CLIENT that claims to be FORGED."""
        transport = httpx.HTTPTransport(verify=self.tls or False, local_address=CLIENT)
        return httpx.Client(
            base_url=self.base, transport=transport, timeout=TIMEOUT, headers={"X-Forwarded-For": FORGED}
        )

    def connect(self, path: str, **more: Any) -> connect:
        """Open a WebSocket. The client for threads is not used: with TLS, its threads sometimes lose the request."""
        url = self.base.replace("http", "ws") + path
        return connect(url, host="127.0.0.1", ssl=self.tls, open_timeout=TIMEOUT, **more)

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def start(self) -> None:
        """Start the proxy, and wait until it listens."""
        assert self.proxy is not None
        with (self.folder / "proxy.log").open("a") as log:
            command = self._command(self.proxy.start)
            process = subprocess.Popen(command, stdout=log, stderr=log, env=self._env, start_new_session=True)
        self._process = process
        until(lambda: listens(self.port) or process.poll() is not None)
        assert process.poll() is None, (self.folder / "proxy.log").read_text()

    def reload(self) -> None:
        """Let the proxy read its configuration again, as after a new certificate, and wait until it has."""
        assert self.proxy is not None
        assert self._process is not None
        before = self.logs().count(self.proxy.loaded)
        if self.proxy.reload is None:
            self._process.send_signal(signal.SIGUSR2)
        else:
            subprocess.run(self._command(self.proxy.reload), check=True, capture_output=True, env=self._env)
        until(lambda: self.logs().count(self.proxy.loaded) > before)

    def stop(self) -> None:
        """End the proxy with all its processes at once: its clients lose their connections."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(TIMEOUT)
            until(lambda: not listens(self.port))  # its workers end a little later
            self._process = None

    def _command(self, words: tuple[str, ...]) -> list[str]:
        assert self.proxy is not None
        return [program(self.proxy.name), *(word.format(folder=self.folder) for word in words)]

    @property
    def _env(self) -> dict[str, str]:
        return os.environ | {"HOME": str(self.folder)}


SETTINGS = {
    "VECHE_TRUSTED_PROXIES": "127.0.0.1",
    "VECHE_ORIGINS": "https://other.example",
    "VECHE_LOG_LEVEL": "info",
    "VECHE_ACCESS_LOG": "1",
}


@contextlib.contextmanager
def serving(
    proxy: Proxy | None, folder: Path, settings: dict[str, str] | None = None, replaced: Replaced | None = None
) -> Iterator[Site]:
    """Run a server behind a proxy; `replaced` are texts of the page that get others. Raises MissingError."""
    data = folder / "server"
    data.mkdir()
    if proxy is not None:
        program(proxy.name)
        make_certificate(folder)
    with WitnessedServer(data, SETTINGS | (settings or {})) as server:
        if proxy is None:
            yield Site(None, folder, server, server.address[1], None)
            return
        tls = ssl.create_default_context(cafile=str(folder / "chat.pem"))
        site = Site(proxy, folder, server, free_port(), tls)
        addresses = {"127.0.0.1:8000": f"127.0.0.1:{server.address[1]}"}
        proxy.configure(folder, site.port, shown(proxy), addresses | (replaced or {}))
        try:
            site.start()
            yield site
        finally:
            site.stop()


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


def until(good: Callable[[], bool], seconds: float = TIMEOUT) -> None:
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end
        time.sleep(0.02)
