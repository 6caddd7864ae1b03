"""A conversation of real clients on a site: each one is told what to say, and all are watched."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

from laws.town import LOBBY, PASSWORD
from websockets.asyncio.client import connect

from tests.programs import MissingError

from .client import KINDS, Client
from .site import Site, until

PATIENCE = 40.0  # seconds for any single wait: browsers are slow on a busy machine
AGAIN = 0.2  # seconds between two texts of somebody who repeats

Good = Callable[[Client], bool]


class Conversation:
    """A client that fails is left out of what follows, and `wrong` says by its name what it did.

    `missing` has those that are not installed.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.wrong: dict[str, str] = {}
        self.missing: dict[str, MissingError] = {}
        self._clients: list[Client] = []
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        with self.site.http() as http:
            for dialect in sorted({kind.dialect for kind in KINDS}):  # one account for each
                body = {"username": dialect, "password": PASSWORD}
                self._tokens[dialect] = http.post("/v1/register", json=body).raise_for_status().json()["token"]
        for kind in KINDS:
            try:
                self._clients.append(kind.start(self.site, self._tokens[kind.dialect]))
            except MissingError as missing:
                self.missing[kind.name] = missing
        self._expect("did not connect", lambda client: client.connected == [client.kind.transport])
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.leave()
        for client in self._clients:
            client.end()

    @property
    def good(self) -> list[Client]:
        return [client for client in self._clients if client.kind.name not in self.wrong]

    def _expect(self, what: str, good: Good, seconds: float = PATIENCE) -> None:
        with contextlib.suppress(AssertionError):
            until(lambda: all(map(good, self.good)), seconds)
        self.wrong |= {client.kind.name: f"{what}: {client}" for client in self.good if not good(client)}

    def everybody_says(self, word: str) -> None:
        """Each client says some texts at once, and hears those of all of them once, in the order of all."""
        texts = {
            client.kind.name: [f"{word} {number} from {client.kind.name}" for number in range(client.kind.at_once)]
            for client in self.good
        }
        for client in self.good:
            client.say(*texts[client.kind.name])
        said = {text for some in texts.values() for text in some}
        with contextlib.suppress(AssertionError):
            until(lambda: all(said <= set(client.heard) for client in self.good), PATIENCE)

        heard_by_any = {text for client in self.good for text in client.heard}
        self._expect(f"{word}: was not heard", lambda client: heard_by_any.issuperset(texts[client.kind.name]), 0)
        heard = {client.kind.name: [text for text in client.heard if text in said] for client in self.good}
        rightly = sorted(said & heard_by_any)
        self._expect(f"{word}: did not hear all once", lambda client: sorted(heard[client.kind.name]) == rightly, 0)
        orders = {name: tuple(texts) for name, texts in heard.items()}
        usual = [order for order, _ in Counter(orders.values()).most_common(1)]
        self._expect(
            f"{word}: heard another order",
            lambda client: not client.kind.in_order or orders[client.kind.name] in usual,
            0,
        )

    async def nobody_says_anything(self, seconds: float) -> None:
        """Let the clients be silent for so long: until another one has had all pings of that time."""
        address = f"ws://127.0.0.1:{self.site.server.address[1]}/v1/socket"
        async with connect(address) as socket, asyncio.timeout(seconds + PATIENCE):
            await socket.send(json.dumps({"id": 0, "hello": {"token": self._tokens["native"]}}))
            begin = time.monotonic()
            while time.monotonic() < begin + seconds:
                if await socket.recv() == "{}":
                    await socket.send("{}")

    def nobody_was_away(self) -> None:
        """Check that each client is on its first connection."""
        self._expect("did not stay connected", lambda client: len(client.connected) == 1 and not client.other)

    def somebody_says(self, word: str, listening: Good) -> None:
        """Somebody repeats a word until each of these clients has heard it."""
        texts: list[str] = []
        headers = {"Authorization": f"Bearer {self._tokens['native']}"}

        def has_heard(client: Client) -> bool:
            return not listening(client) or not set(texts).isdisjoint(client.heard)

        def said_and_heard() -> bool:
            texts.append(f"{word} {len(texts)}")
            with self.site.http() as http:  # on a new connection
                http.post(f"/v1/rooms/{LOBBY}/messages", headers=headers, json={"text": texts[-1]}).raise_for_status()
            with contextlib.suppress(AssertionError):
                until(lambda: all(map(has_heard, self.good)), AGAIN)
            return all(map(has_heard, self.good))

        with contextlib.suppress(AssertionError):
            until(said_and_heard, PATIENCE)
        self._expect(f"{word}: did not come back", has_heard, 0)
