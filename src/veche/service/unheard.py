"""Finds nodes that serve the same database and that this node does not hear on the bus.

They may have another bus, or another secret, or a clock that is a minute off. While a secret is replaced node by node
this is so for a while, so it does not stop a node. But it must not last, and nobody else would notice it.
"""

import logging
import math
from collections.abc import Set

GRACE = 20.0  # seconds; a node that was killed has a lease for half of it
SAY_AGAIN = 60.0  # seconds

logger = logging.getLogger("veche.bus")


class Unheard:
    """Logs which nodes have a lease and are not heard. Times are those of the loop."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._said_at = -math.inf

    def look(self, missing: Set[str], now: float) -> None:
        """Take the nodes that are missing now."""
        self._since = {node_id: self._since.get(node_id, now) for node_id in missing}
        late = sorted(node_id for node_id, since in self._since.items() if now - since >= GRACE)
        if late and now - self._said_at >= SAY_AGAIN:
            self._said_at = now
            logger.error(
                "%d other nodes serve this database and are not heard on the bus: %s. All nodes need the same "
                "VECHE_BUS_URL and VECHE_SECRET, and clocks that differ by less than a minute",
                len(late),
                ", ".join(late),
            )
        elif not self._since and self._said_at > -math.inf:
            self._said_at = -math.inf
            logger.info("all nodes that serve this database are heard on the bus")

    def forget(self) -> None:
        """Begin anew: the bus is away, so nobody is heard."""
        self._since = {}
