"""The number of examples of a property test that does not try as many as the others."""

from hypothesis import settings


def examples(count: int) -> int:
    """Return `count`, or a part of it if the other property tests try fewer too (`conftest.py`)."""
    return max(1, count * settings().max_examples // 100)
