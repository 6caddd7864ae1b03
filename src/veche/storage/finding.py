"""What `veche doctor` finds out about a database."""

from typing import NamedTuple


class Serving(NamedTuple):
    """What the settings of a server mean for its database."""

    workers: int = 1
    has_bus: bool = False
    bus_connections: int = 0
    """How many connections to PostgreSQL the bus of one node needs."""


class Finding(NamedTuple):
    """The result of one check. If it is not good, the sentence says what to do."""

    good: bool
    subject: str
    sentence: str
