"""A uvicorn server in a thread, with the echo servers of the conformance suites."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from veche.wire.websocket import WebSocket

from .echoes import App


class Running:
    def __init__(self, app: App) -> None:
        self.app = app
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.url = f"http://{self.host}"
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            ws=WebSocket,
            loop="uvloop",
            http="httptools",
            log_config=None,
            lifespan="on",
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.uvicorn.run, args=([self.listener],), daemon=True)


@contextlib.contextmanager
def running(app: App) -> Iterator[Running]:
    server = Running(app)
    server.thread.start()
    try:
        yield server
    finally:
        app.drain()
        server.uvicorn.should_exit = True
        server.thread.join(5)
        assert not server.thread.is_alive(), "the server did not stop: is a poll still waiting?"
