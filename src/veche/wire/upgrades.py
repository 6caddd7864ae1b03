"""Decides about WebSocket upgrades, and logs the answers.

Each upgrade is a line in the log of requests. Those that the server could not take are lines in the log.
"""

from __future__ import annotations

import asyncio
import logging

from veche.wire.handler import Accept, Accepted
from veche.wire.handshake import Upgrade, UpgradeRefused, accept_response
from veche.wire.request_id import HEADER as REQUEST_ID
from veche.wire.request_id import new_request_id

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
    except Exception as error:
        raise refusal_of_bug(upgrade.path, error) from None


def refusal_of_bug(path: str, error: Exception) -> UpgradeRefused:
    """Log an exception, and return a refusal with the id that its line has."""
    id = new_request_id()
    text = "a WebSocket upgrade of %r (request %s) failed"
    logger.error(text, path, id, exc_info=error, extra={"fields": {"request_id": id}})
    return UpgradeRefused(500, headers=((REQUEST_ID, id),))
