"""People of the server under test, and their REST calls."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import Any

import httpx

PASSWORD = "a quiet blue river"
_numbers = itertools.count(1)
# No connection is kept, because the server may be another one by the next call.
_http = httpx.Client(trust_env=False, verify=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Person:
    """Somebody who has registered. `base` may be a server that has been restarted since."""

    base: str
    id: int
    username: str
    token: str

    @classmethod
    def new(cls, base: str, name: str) -> Person:
        username = f"{name}.{os.getpid()}.{next(_numbers)}"
        answer = _http.post(f"{base}/v1/register", json={"username": username, "password": PASSWORD})
        body = answer.raise_for_status().json()
        return cls(base, body["me"]["id"], username, body["token"])

    def call(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.base}/v1/{path}"
        answer = _http.request(method, url, json=body, params=query, headers=headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def make_room(self, *others: Person, kind: str = "group") -> int:
        """Make a room, and let others join it who are invited."""
        body = {"kind": kind, "name": "Team", "member_ids": [other.id for other in others]}
        id: int = self.call("POST", "rooms", body)["id"]
        for other in others:
            other.call("POST", f"rooms/{id}/join")
        return id

    def bring(self, room: int, *others: Person) -> None:
        """Invite others into a room, and let them join."""
        for other in others:
            self.call("POST", f"rooms/{room}/members", {"account_id": other.id})
            other.call("POST", f"rooms/{room}/join")

    def say(self, room: int, *texts: str) -> int:
        """Send messages; return the seq of the last."""
        return [self.call("POST", f"rooms/{room}/messages", {"text": text})["seq"] for text in texts][-1]

    def sign_in(self) -> str:
        """Begin another session, and return its token."""
        token: str = self.begin_session()["token"]
        return token

    def begin_session(self, **more: Any) -> dict[str, Any]:
        body = {"username": self.username, "password": PASSWORD, **more}
        session: dict[str, Any] = _http.post(f"{self.base}/v1/login", json=body).raise_for_status().json()
        return session

    def stored(self, room: int) -> list[dict[str, Any]]:
        """Return all messages of a room."""
        found: list[dict[str, Any]] = []
        more = True
        while more:
            after = found[-1]["seq"] if found else 0
            page = self.call("GET", f"rooms/{room}/messages", after_seq=after, limit=200)
            found += page["items"]
            more = page["has_more_after"]
        return found
