"""The fixture `scene`: a new hub for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .harness import Scene


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    with scene.turns.running():
        yield scene
