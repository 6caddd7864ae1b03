"""The Engine.IO sessions of a server by their sid: who may open one, who finds his again, and how each is refused."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from veche.wire.engineio.packets import MAX_PAYLOAD, OPEN
from veche.wire.engineio.pulse import Pulse
from veche.wire.engineio.session import Application, Session
from veche.wire.proxy import Trusted
from veche.wire.session import Socket

POLLING: Final = "polling"
WEBSOCKET: Final = "websocket"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request is refused."""

    body: bytes
    status: int = 400


UNKNOWN_TRANSPORT: Final = Answer(b'{"code":0,"message":"Transport unknown"}')
UNKNOWN_SID: Final = Answer(b'{"code":1,"message":"Session ID unknown"}')
BAD_METHOD: Final = Answer(b'{"code":2,"message":"Bad handshake method"}')
BAD_REQUEST: Final = Answer(b'{"code":3,"message":"Bad request"}')
FORBIDDEN: Final = Answer(b'{"code":4,"message":"Forbidden"}', 403)
BAD_VERSION: Final = Answer(b'{"code":5,"message":"Unsupported protocol version"}')
FULL: Final = Answer(b'{"code":4,"message":"Too many sessions"}', 503)


class Refusal(Exception):
    """A request is refused."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


class Server:
    """What all sessions share; times in seconds. `application` makes what speaks over a session.

    With `origins`, pages of other origins are refused on every transport, and at the upgrade.
    """

    def __init__(
        self,
        application: Callable[[Session], Application],
        *,
        ping_interval: float = 25.0,
        ping_timeout: float = 20.0,
        upgrade_within: float = 10.0,
        max_sessions: int = 100_000,
        origins: frozenset[str] | None = None,
        trusted: Trusted | None = None,
    ) -> None:
        self._application = application
        self._pulse = Pulse(ping_interval, ping_timeout)
        self._max_sessions = max_sessions
        self._sessions: dict[str, Session] = {}
        self._draining = False
        self.origins = origins
        self.trusted = trusted or Trusted()
        self.upgrade_within = upgrade_within

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    def check_origin(self, origin: str | None) -> None:
        """Programs send none; `null` is no page of ours."""
        if self.origins is not None and origin is not None and (origin == "null" or origin not in self.origins):
            raise Refusal(FORBIDDEN)

    def find(self, query: Mapping[str, str], *, method: str = "GET", upgrade: bool = False) -> Session | None:
        """Find the session that a request is for; None: it may open one. Raises Refusal, in the original's order."""
        transport = query.get("transport")
        if transport not in (POLLING, WEBSOCKET):
            raise Refusal(UNKNOWN_TRANSPORT)
        if upgrade != (transport == WEBSOCKET):
            raise Refusal(BAD_REQUEST)
        if sid := query.get("sid"):
            return self._known(sid, upgrade)
        if method != "GET":
            raise Refusal(BAD_METHOD)
        if query.get("EIO") != "4":
            raise Refusal(BAD_VERSION)
        if self._draining or len(self._sessions) >= self._max_sessions:
            raise Refusal(FULL)
        return None

    def _known(self, sid: str, upgrade: bool) -> Session:
        session = self._sessions.get(sid)
        if session is None:
            raise Refusal(UNKNOWN_SID)
        if session.on_websocket and not upgrade:
            raise Refusal(BAD_REQUEST)
        return session

    def open(self, client: str, socket: Socket | None = None) -> tuple[Session, bytes]:
        """Begin a session; returns it and its open packet, after which it is to be started."""
        session = Session(self, secrets.token_urlsafe(16), client, socket)
        self._sessions[session.sid] = session
        self._pulse.add(session)
        handshake = {
            "sid": session.sid,
            "upgrades": [] if socket is not None else [WEBSOCKET],
            "pingInterval": round(self._pulse.interval * 1000),
            "pingTimeout": round(self._pulse.timeout * 1000),
            "maxPayload": MAX_PAYLOAD,
        }
        return session, OPEN.encode() + msgspec.json.encode(handshake)

    def start(self, session: Session) -> None:
        """Let the application speak."""
        session.application = self._application(session)

    def drain(self) -> None:
        """End all sessions, so that no poll waits, and open no more."""
        self._draining = True
        for session in list(self._sessions.values()):
            session.close("server shutting down")

    # From sessions.

    def answered(self, session: Session) -> None:
        self._pulse.answered(session)

    def forget(self, session: Session) -> None:
        self._pulse.discard(session)
        self._sessions.pop(session.sid, None)
