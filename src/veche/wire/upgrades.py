"""Decides about WebSocket upgrades, and logs the answers.

Each upgrade is a line in the log of requests. Those that the server could not take are lines in the log.
"""

from __future__ import annotations

import asyncio
import logging

from veche.wire.handler import Accept, Accepted
from veche.wire.handshake import Upgrade, UpgradeRefused, accept_response

logger = logging.getLogger("veche.wire")
_access = logging.getLogger("veche.access")


def log_upgrade(upgrade: Upgrade | None, peer: str, status: int) -> None:
    """Log the answer to an upgrade, or to a request of `peer` that could not be read.

    The query is not in the line: it may have a token in it.
    """
    refused = status == 429 or status >= 500
    if not refused and not _access.isEnabledFor(logging.INFO):
        return
    client, path = (upgrade.client, upgrade.path) if upgrade is not None else (peer, "")
    request = {"client": client or "unix", "method": "GET", "path": path, "status": status}
    if refused:
        text = "a WebSocket from %s was refused: %s %s was answered %d"
        logger.warning(text, *request.values(), extra={"fields": request})
    _access.info("%s %s %s %d", *request.values(), extra={"fields": request})


async def decide(accept: Accept, upgrade: Upgrade, seconds: float) -> tuple[Accepted, bytes]:
    """Return the accepted upgrade and the 101 response. Raises UpgradeRefused, also after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            accepted = await accept(upgrade)
        return accepted, accept_response(upgrade, accepted.subprotocol)
    except UpgradeRefused:
        raise
    except TimeoutError:
        raise UpgradeRefused(503) from None
    except Exception:
        logger.exception("A WebSocket upgrade of %r failed", upgrade.path)
        raise UpgradeRefused(500) from None
