"""Real clients as programs of their own. Each takes lines and gives lines.

In: each line is a text to send to the lobby. At the end of the input the program ends.
Out: a JSON object for each thing that happens: {"connected": transport}, {"heard": text}, {"lost": why} when the
connection has ended, {"failed": why} when a try to connect has failed.
wscat is no program of ours: it is used in a terminal, as people do.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from e2e.harness import CHROMIUM_FLAGS, CHROMIUM_NAMES
from laws.town import LOBBY, TIMEOUT

from tests.programs import SOCKETIO_CLIENT, WSCAT, node_modules, program, python_packages

from .site import Site

FOLDER = Path(__file__).with_name("clients")
SOCKETIO = ("python-socketio==5.18.*", "requests", "websocket-client", "aiohttp")


@dataclass
class Client:
    """A running client, and what it has told."""

    kind: Kind
    process: subprocess.Popen[bytes]
    words: IO[bytes]  # what it hears from us
    lines: IO[bytes]  # what it tells
    errors: Path
    connected: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        try:
            for raw in self.lines:
                self._take(raw.decode(errors="replace").rstrip())
        except OSError:  # a terminal whose program has ended
            pass
        self.other.append("its output ended")

    def _take(self, text: str) -> None:
        try:
            line = self.kind.understand(text)
        except ValueError:  # it has printed something else
            line = {"printed": text}
        if "connected" in line:
            self.connected.append(line["connected"])
        elif "heard" in line:
            self.heard.append(line["heard"])
        elif line:
            self.other.append(str(line))

    def say(self, *texts: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # if it has ended, nobody hears it, and that is found
            self.words.write("".join(f"{text}\n" for text in texts).encode())
            self.words.flush()

    def leave(self) -> None:
        """End the input: the program ends. What has a terminal gets a signal."""
        if self.kind.terminal:
            self.process.terminate()
        with contextlib.suppress(BrokenPipeError):
            self.words.close()

    def end(self) -> None:
        """Wait until the program has ended; end what is left of it after some time."""
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(TIMEOUT)
        self._reading.join(TIMEOUT)
        self.lines.close()

    def __str__(self) -> str:
        errors = self.errors.read_text(errors="replace").splitlines() if self.errors.exists() else []
        return f"connected {self.connected}, heard {self.heard[-5:]}, {self.other[-3:]}, {errors[-1:]}"


@dataclass(frozen=True)
class Kind:
    """A client that people use: how to start it, for which dialect.

    `command` takes the site and a token, and returns the words and the environment. It raises MissingError.
    """

    name: str
    dialect: str
    command: Callable[[Site, str], tuple[list[str], dict[str, str]]]
    transport: str = "websocket"
    reconnects: bool = True
    terminal: bool = False
    at_once: int = 10  # texts that it says at once
    in_order: bool = True  # what it tells has the order in which it was received
    understand: Callable[[str], dict[str, str]] = json.loads

    def start(self, site: Site, token: str) -> Client:
        words, env = self.command(site, token)
        env = os.environ | _trusting(site) | env
        told = site.folder / f"{self.name}.err"
        if self.terminal:
            ours, theirs = pty.openpty()
            tty.setraw(theirs)
            process = subprocess.Popen(
                words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
            )
            os.close(theirs)
            return Client(self, process, os.fdopen(os.dup(ours), "wb"), os.fdopen(ours, "rb"), told)
        pipe = subprocess.PIPE
        with told.open("wb") as errors:
            process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=errors, env=env, start_new_session=True)
        assert process.stdin is not None
        assert process.stdout is not None
        return Client(self, process, process.stdin, process.stdout, told)


def _trusting(site: Site) -> dict[str, str]:
    """The environment in which a client trusts the certificate of the site."""
    if site.tls is None:
        return {}
    names = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE")
    return dict.fromkeys(names, str(site.certificate))


def _javascript(transports: str) -> Kind:
    def command(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
        folder = node_modules(SOCKETIO_CLIENT)
        script = FOLDER / "socketio_client.mjs"
        return [program("node"), str(script), str(folder), site.base, transports, token], {}

    return Kind(f"socket.io-client {transports}", "socketio", command, transports.split(",")[-1])


def _python_socketio(script: str, transports: str) -> Kind:
    def command(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
        folder = python_packages("python-socketio", *SOCKETIO)
        words = [sys.executable, str(FOLDER / f"{script}.py"), site.base, transports, token]
        return words, {"PYTHONPATH": str(folder)}

    threads = script == "socketio_sync"  # each message is given to a thread of its own
    return Kind(f"python-{script} {transports}", "socketio", command, transports.split(",")[-1], in_order=not threads)


def _python(script: str, site: Site, path: str, *more: str) -> list[str]:
    return [sys.executable, str(FOLDER / f"{script}.py"), site.base.replace("http", "ws") + path, *more]


def _with_websockets(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
    return _python("with_websockets", site, "/v1/socket", token, str(LOBBY)), {}


def _with_aiohttp(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
    folder = python_packages("aiohttp", "aiohttp")
    return _python("with_aiohttp", site, f"/ws/{LOBBY}?token={token}"), {"PYTHONPATH": str(folder)}


def _on_dispatch(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
    return _python("on_dispatch", site, "/connect", token), {}


def _chromium(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
    words = [sys.executable, str(FOLDER / "chromium.py"), site.base, "chromium", _chromium_program()]
    return [*words, *CHROMIUM_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])], {}


def _chromium_program() -> str:
    return os.environ.get("VECHE_CHROMIUM") or program(*CHROMIUM_NAMES)


def _firefox(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
    profile = site.folder / "firefox"
    profile.mkdir()
    path = program("firefox-esr", "firefox")
    return [sys.executable, str(FOLDER / "firefox.py"), site.base, "firefox", path, str(profile)], {}


def _wscat(site: Site, token: str) -> tuple[list[str], dict[str, str]]:
    script = node_modules(WSCAT) / "node_modules" / "wscat" / "bin" / "wscat"
    url = site.base.replace("http", "ws") + f"/pub_ws/channels?token={token}"
    return [program("node"), str(script), "--no-color", "--connect", url], {"TERM": "dumb"}


def _of_terminal(line: str) -> dict[str, str]:
    """What wscat shows: incoming texts after `< `; the rest is the prompt, and what is typed."""
    _, arrow, text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip("\r\n").rpartition("< ")
    if not arrow:
        return {}
    if text.startswith("Приветствую"):
        return {"connected": "websocket"}
    return {"heard": text.partition(": ")[2]}


KINDS = (
    *map(_javascript, ("polling", "polling,websocket", "websocket")),
    *(
        _python_socketio(script, transports)
        for script in ("socketio_sync", "socketio_async")
        for transports in ("polling", "polling,websocket", "websocket")
    ),
    Kind("websockets", "native", _with_websockets),
    Kind("aiohttp", "messenger", _with_aiohttp, reconnects=False),
    Kind("websockets on dispatch", "dispatch", _on_dispatch, reconnects=False),
    Kind("Chromium", "native", _chromium, at_once=1, in_order=False),
    Kind("Firefox", "native", _firefox, at_once=1, in_order=False),
    Kind("wscat", "channels", _wscat, reconnects=False, terminal=True, understand=_of_terminal),
)
