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
def hasty() -> Iterator[Running]:
    """Pings after 200 ms, and waits 100 ms."""
    with running(App(0.2, 0.1)) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5, params={"EIO": "4", "transport": "polling"}) as client:
        yield client
