"""Log lines about WebSocket upgrades: each is one in the log of requests, and those that the server could not take."""

from __future__ import annotations

import logging

from veche.wire.handshake import Upgrade

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
