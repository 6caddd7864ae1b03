"""The main loop of uvicorn: it wakes the server once a second, and a signal ends it at once."""

import asyncio
import signal
from typing import Any, cast

import pytest
import uvicorn

from veche.app import Server
from veche.cli import serve


async def app(_scope: Any, _receive: Any, _send: Any) -> None:
    """Answer nothing."""


def made() -> serve._Uvicorn:
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    config.load()
    return serve._Uvicorn(config, cast(Server, None), lambda: None, None)


@pytest.fixture(autouse=True)
def _long_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "TICK", 3600.0)


async def test_a_signal_ends_the_main_loop_at_once() -> None:
    server = made()
    loop = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0)
    assert not loop.done()
    assert server.server_state.default_headers[0][0] == b"date"
    server.handle_exit(signal.SIGTERM, None)
    await asyncio.wait_for(loop, 10)


async def test_a_signal_during_the_start_ends_the_main_loop() -> None:
    server = made()
    server.handle_exit(signal.SIGTERM, None)
    await asyncio.wait_for(server.main_loop(), 10)
