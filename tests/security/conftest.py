"""A server for the tests of a module that need no settings, and everybody who may stand to a room in another way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from laws.town import Person, Server, serving

from .standings import newcomers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def others(server: Server) -> dict[str, Person]:
    return newcomers(server)
