"""Crash points for the chaos tests: die at the n-th passing of a named place. Inert unless VECHE_TEST_CRASH_AT is set.

`VECHE_TEST_CRASH_AT=POINT[:N]`, POINT one of before_commit, after_commit_before_ack, after_ack_before_fanout,
mid_fanout.
"""

import os
from itertools import count

_point, _, _n = os.environ.get("VECHE_TEST_CRASH_AT", "").partition(":")
_passings, _last = count(1), int(_n or 1)


def armed(name: str) -> bool:
    """Tell whether the process is to die at this place."""
    return name == _point


def crash_point(name: str) -> None:
    """End the process at once, as SIGKILL would, when this is the place and its time has come."""
    if name == _point and next(_passings) >= _last:
        os._exit(9)
