"""Actors of clients that are not signed in yet."""

import random

from veche.core.actor import NOBODY_ID, Actor
from veche.wire.handshake import Upgrade


def guest(dialect: str, address: str) -> Actor:
    """Return an actor without an account, with a new request id. A request id is no secret."""
    return Actor(NOBODY_ID, dialect, address=address, request_id=f"{random.getrandbits(64):016x}")


def guest_of_upgrade(dialect: str, upgrade: Upgrade) -> Actor:
    """Return an actor without an account for a client that asks for a WebSocket."""
    return guest(dialect, upgrade.client)
