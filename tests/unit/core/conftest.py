"""A town with three people."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from .world import Town


class People(NamedTuple):
    ann: int
    bob: int
    eve: int


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def people(town: Town) -> People:
    return People(town.person("ann"), town.person("bob"), town.person("eve"))
