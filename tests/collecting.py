"""What is freed without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Switch the garbage collector off during the block, after it has collected what there is."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def living(*kinds: type) -> list[object]:
    """Return all objects of exactly these types."""
    return [found for found in gc.get_objects() if type(found) in kinds]
