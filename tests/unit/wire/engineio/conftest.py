from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from .echoes import App
from .server import Running, running


@pytest.fixture
def server() -> Iterator[Running]:
    with running(App(25.0, 20.0)) as server:
        yield server


@pytest.fixture
def quick_ping_server() -> Iterator[Running]:
    """A server that pings after 200 ms and waits 100 ms for the pong."""
    with running(App(0.2, 0.1)) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5, params={"EIO": "4", "transport": "polling"}) as client:
        yield client
