"""Crash points for the chaos tests: the process ends when it reaches a named point for the Nth time.

Set VECHE_TEST_CRASH_AT=POINT[:N], where POINT is before_commit, after_commit_before_ack, after_ack_before_fanout or
mid_fanout, or a step of `storage.engines.sqlite_restore` or `sqlite_identity`. Without it, crash points do nothing.
"""

import os
from itertools import count

_point, _, _n = os.environ.get("VECHE_TEST_CRASH_AT", "").partition(":")
_hits, _crash_at_hit = count(1), int(_n or 1)


def armed(name: str) -> bool:
    """Return whether VECHE_TEST_CRASH_AT names this crash point."""
    return name == _point


def crash_point(name: str) -> None:
    """End the process at once, as SIGKILL would, if VECHE_TEST_CRASH_AT names this point and this is the Nth call."""
    if name == _point and next(_hits) >= _crash_at_hit:
        os._exit(9)
