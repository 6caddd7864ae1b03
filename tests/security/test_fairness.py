"""Many attacks at once: how much longer others wait, and what is held meanwhile.

`python -m tests.security.fairness` measures how long others wait, in turns, and fails above the limits. That takes a
machine that does nothing else. Here, only what does not depend on other programs is checked.
"""

from __future__ import annotations

from pathlib import Path

from .fairness import attacked, send_messages, token_of_new_account
from .witness import WitnessedServer


def test_others_talk_while_everything_is_attacked_at_once(tmp_path: Path) -> None:
    with WitnessedServer(tmp_path) as server:
        person, attacker = token_of_new_account(server), token_of_new_account(server)
        before = server.memory
        with attacked(server, attacker), server.watch() as seen:
            waited = send_messages(server, person, 40)
        assert len(waited) == 40, "every message was acknowledged"
        assert server.memory < 1.5 * before
    seen.check()
