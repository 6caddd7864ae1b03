"""What is left of a limit is noted for the answer, exactly and only where somebody asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from veche.core.errors import ChatError
from veche.service.limits import Limit, Rate
from veche.service.uses import USES, Use, Uses


@pytest.fixture
def uses() -> Iterator[Uses]:
    found: Uses = {}
    token = USES.set(found)
    yield found
    USES.reset(token)


def test_what_is_left_and_when_it_is_whole_again(uses: Uses) -> None:
    now = [1000.0]
    limit = Limit(Rate(10, 2), clock=lambda: now[0], shown_as="rooms")
    limit.take("ann", 3)
    assert uses == {"rooms": Use(quota=10, window=300, left=7, reset=90)}
    now[0] += 45
    limit.take("ann")
    assert uses["rooms"] == Use(10, 300, left=7, reset=75)
    limit.take("bob", 10)
    assert uses["rooms"] == Use(10, 300, left=0, reset=300)


def test_a_refusal_shows_it_too(uses: Uses) -> None:
    limit = Limit(Rate(2, 2), clock=lambda: 5.0, shown_as="rooms")
    limit.add("ann", 5)
    uses.clear()
    with pytest.raises(ChatError) as refused:
        limit.take("ann")
    assert refused.value.data["retry_after"] == 120
    assert uses == {"rooms": Use(2, 60, 0, 150)}


def test_nothing_is_noted_that_nobody_asks_for(uses: Uses) -> None:
    Limit(Rate(2, 2)).take("ann")
    assert uses == {}
    token = USES.set(None)
    Limit(Rate(2, 2), shown_as="rooms").take("ann")
    USES.reset(token)
    assert uses == {}
