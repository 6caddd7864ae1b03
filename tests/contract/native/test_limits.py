"""GET /v1/limits has the heartbeat settings of the server."""

import math

import msgspec
import pytest

from veche.dialects.native.limits import LIMITS, limits_of
from veche.wire.heartbeat import Heartbeats


@pytest.mark.parametrize(
    ("ping", "pong", "milliseconds"),
    [(25.0, 10.0, (25_000, 10_000)), (0.4, 0.3, (400, 300)), (12.3456, 1.0004, (12_346, 1000))],
)
def test_the_heartbeat_is_in_whole_milliseconds(ping: float, pong: float, milliseconds: tuple[int, int]) -> None:
    limits = limits_of(Heartbeats(ping, pong), 0)
    assert (limits.ping_interval_ms, limits.pong_timeout_ms) == milliseconds
    assert LIMITS.items() <= msgspec.structs.asdict(limits).items()


def test_disabled_pings_are_the_largest_safe_integer() -> None:
    assert limits_of(Heartbeats(math.inf, 10.0), 0).ping_interval_ms == 2**53 - 1
