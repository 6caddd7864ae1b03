"""Actors of clients that are not signed in yet."""

from veche.core.actor import NOBODY_ID, Actor
from veche.wire.handshake import Upgrade
from veche.wire.request_id import new_request_id


def guest(dialect: str, address: str) -> Actor:
    """Return an actor without an account, with a new request id."""
    return Actor(NOBODY_ID, dialect, address=address, request_id=new_request_id())


def guest_of_upgrade(dialect: str, upgrade: Upgrade) -> Actor:
    """Return an actor without an account for a client that asks for a WebSocket."""
    return guest(dialect, upgrade.client)
