"""The client: stays connected, resumes, sends until it is answered, and tells what happens."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast

from .backoff import NEEDS_TOKEN, backoff, wait_after
from .commands import Commands
from .connection import SILENCE, Connection, Fields
from .errors import VecheError
from .events import CaughtUp, ClientEvent, Failed, State, Status, Stopped, Stored
from .follower import Follower
from .logs import OWN, Logs
from .outbox import Outbox
from .refreshing import Refresher
from .rest import Rest
from .values import LOBBY, Account, Answered, Online, Outgoing, Saved, Tokens

MARGIN = 5.0
SignIn = Callable[[str], Awaitable[str | None]]


class Client(Commands):
    """A client of the native contract: `async with Client(url, token) as client`, then `async for event in client`.

    `saved` is what an earlier client of the same account has saved. `sign_in` gets the reason for which the session has
    ended, and returns a new token, or None: then the client stops. It may raise VecheError. With `listen=False` there
    are no events to take, for a program that only sends.

    With a `refresh_token`, the client replaces the token before it expires. `refreshed` gets the new tokens, to be
    stored, before they are used.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        saved: Saved | None = None,
        sign_in: SignIn | None = None,
        listen: bool = True,
        refresh_token: str | None = None,
        refreshed: Callable[[Tokens], None] | None = None,
    ) -> None:
        kept: Mapping[str, Any] = saved or {}
        positions = {int(id): seq for id, seq in kept.get("rooms", {}).items()}
        if kept.get("me") is not None:
            positions[OWN] = kept["me"]
        self.rest = Rest(url, token)
        self.status: State = "stopped"
        self._sign_in = sign_in
        self._refreshed = refreshed
        self._refresher = Refresher(self.rest, refresh_token, refreshed) if refresh_token is not None else None
        self._listen = listen
        self._taken, self._epoch = dict(positions), kept.get("epoch")  # as of the last event that was taken
        self._follower = Follower(Logs(positions, kept.get("epoch")), self.rest, self)
        self._outbox = Outbox(kept.get("outbox", ()), self._answered)
        self._futures: dict[str, asyncio.Future[Answered]] = {}
        self._events: asyncio.Queue[tuple[ClientEvent | None, dict[int, int | None], str | None] | None]
        self._events = asyncio.Queue()
        self._link: Connection | None = None
        self._failures = 0  # connections that ended before the client had caught up, since one where it had
        self._silence = SILENCE
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asking: list[asyncio.Task[None]] = []

    @property
    def account(self) -> Account | None:
        """Who you are, while `hello` is answered."""
        return self._follower.account

    @property
    def saved(self) -> Saved:
        """What to store together with the data. It includes the event that was taken last, and none after it."""
        rooms = {str(log): seq for log, seq in self._taken.items() if log != OWN}
        outbox = list(self._outbox.waiting.values())
        return {"epoch": self._epoch, "me": self._taken.get(OWN), "rooms": rooms, "outbox": outbox}

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        if error is None and not self._task.cancelled() and (bug := self._task.exception()) is not None:
            raise bug

    def __aiter__(self) -> AsyncIterator[ClientEvent]:
        return self._take()

    async def _take(self) -> AsyncIterator[ClientEvent]:
        while (item := await self._events.get()) is not None:
            event, moved, epoch = item
            self._move(moved, epoch)
            if event is not None:
                yield event
        self._events.put_nowait(None)  # for another loop
        assert self._task is not None
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (bug := self._task.exception()) is not None:
            raise bug

    def set_token(self, token: str, refresh_token: str | None = None) -> None:
        """Change the token, perhaps to that of another session: for the next connection, and for REST."""
        self.rest.token = token
        refresher = Refresher(self.rest, refresh_token, self._refreshed) if refresh_token is not None else None
        self._refresher = refresher

    def wake(self) -> None:
        """Connect at once if the client waits, for example because the network is back."""
        self._awake.set()

    def enqueue(self, command: str, fields: dict[str, Any], id: str | None = None) -> Outgoing:
        """Send a message, or another command with a client id: now, or once there is a connection.

        `fields` are those of the command without its client id. `Stored` or `Failed` follows.
        """
        id = id or secrets.token_hex(16)
        named = {**fields, "client_message_id" if command == "send" else "client_id": id}
        outgoing: Outgoing = {"id": id, "command": command, "fields": named}
        self._outbox.add(outgoing)
        return outgoing

    async def _stored(self, command: str, fields: dict[str, Any], id: str | None = None) -> Answered:
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        id = id or secrets.token_hex(16)
        self._futures[id] = future
        self.enqueue(command, fields, id)
        return await future

    async def join(self, room_id: int) -> int:
        """Join a channel, or start to hear the lobby. Return the seq after which its events come."""
        return await self._follower.join(self._ready(), room_id)

    async def leave(self, room_id: int) -> None:
        """Leave a group or a channel, or cease to hear the lobby."""
        await self.command("leave", room_id=room_id)
        if room_id == LOBBY:
            self._follower.end([LOBBY])  # no event says so

    async def read(self, room_id: int, seq: int) -> None:
        """Move your read pointer forward."""
        await self.command("read", room_id=room_id, seq=seq)

    async def who(self, room_id: int, cursor: str | None = None) -> Online:
        """Return a page of the people who receive the room now."""
        return cast(Online, await self.command("who", room_id=room_id, cursor=cursor))

    async def command(self, name: str, **fields: Any) -> Any:
        """Send any command, and return its answer. Raises VecheError: "offline" or "lost" if there is none."""
        return await self._ready().command(name, fields)

    def _ready(self) -> Connection:
        if self._link is None or self.account is None:
            raise VecheError("offline", "Not connected.", temporary=True)
        return self._link

    # The connection.

    async def _run(self) -> None:
        why: Stopped | None = None
        try:
            while why is None:
                why = await self._connect()
        finally:
            await self._drop()
            self._set_status("stopped")
            if why is not None:
                self.tell(why, {})
            self._events.put_nowait(None)
            for future in self._futures.values():
                if not future.done():
                    future.set_exception(VecheError("stopped", "The client has stopped.", temporary=True))
                    future.exception()  # nobody has to wait for it

    async def _connect(self) -> Stopped | None:
        """Connect once, and wait as long as the close code says. Return why the client has to stop, if it has."""
        self._set_status("connecting")
        url = f"ws{self.rest.url.removeprefix('http')}/v1/socket"
        link = Connection(url, self._silence, lambda: self._follower.greet(link), self._follower.pushed)
        self._link = link
        code = await link.run()
        await self._drop()
        code = link.bye.get("code", code)
        reason, retry_after = link.bye.get("reason", ""), link.bye.get("retry_after_ms", 0) / 1000
        failures, self._failures = self._failures, self._failures + 1
        if code in NEEDS_TOKEN:
            return await self._renew(code, reason, failures)
        wait = wait_after(code, retry_after, failures)
        if wait is None:
            return Stopped(code, reason, sign_in=False)
        await self._wait(wait)
        return None

    async def _renew(self, code: int, reason: str, failures: int) -> Stopped | None:
        """Get a new token, by the refresh token or else by `sign_in`."""
        self._set_status("waiting")
        for renew in (self._refresh, self._ask_to_sign_in):
            while True:
                try:
                    is_new = await renew(reason)
                except VecheError as error:
                    if not error.temporary:
                        break
                    await self._wait(error.retry_after + backoff(failures))
                    failures += 1
                    continue
                if not is_new:
                    break
                await self._wait(backoff(failures) if failures else 0)
                return None
        return Stopped(code, reason, sign_in=True)

    async def _refresh(self, reason: str) -> bool:
        if self._refresher is not None:
            await self._refresher.refresh()
        return self._refresher is not None

    async def _ask_to_sign_in(self, reason: str) -> bool:
        token = await self._sign_in(reason) if self._sign_in is not None else None
        if token is None:
            return False
        if token != self.rest.token:  # or else it has called `set_token` itself
            self.set_token(token)
        return True

    async def _wait(self, seconds: float) -> None:
        self._set_status("waiting")
        self._awake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()

    async def _drop(self) -> None:
        link, self._link = self._link, None
        self._outbox.use(None)
        for task in self._asking:
            task.cancel()
        await self._follower.drop()
        if link is not None:
            link.settle()

    def _set_status(self, state: State) -> None:
        if state != self.status:
            self.status = state
            self.tell(Status(state), {})

    async def _load_silence(self, link: Connection) -> None:
        """Take the time of silence from the heartbeat of this server. If it cannot be loaded, the usual one holds."""
        with contextlib.suppress(VecheError, KeyError):
            limits = await self.rest.limits()
            self._silence = (limits["ping_interval_ms"] + limits["pong_timeout_ms"]) / 1000 + MARGIN
            link.set_silence(self._silence)

    # What the follower and the outbox tell.

    def tell(self, event: ClientEvent | None, moved: dict[int, int | None], epoch: str | None = None) -> None:
        """Keep an event until it is taken."""
        if self._listen:
            self._events.put_nowait((event, moved, epoch))
        else:
            self._move(moved, epoch)

    def _move(self, moved: dict[int, int | None], epoch: str | None) -> None:
        self._epoch = epoch or self._epoch
        for log, seq in moved.items():
            if seq is None:
                self._taken.pop(log, None)
            else:
                self._taken[log] = seq

    def greeted(self) -> None:
        """Send what waits: `hello` was answered."""
        assert self._link is not None
        self._set_status("catching_up")
        self._outbox.use(self._link)
        self._asking = [asyncio.create_task(self._load_silence(self._link))]
        if self._refresher is not None:
            self._asking.append(asyncio.create_task(self._refresher.keep_fresh(self._link)))

    def refused(self, error: VecheError) -> None:
        """End the connection, because `hello` was refused: for now, or the session has ended, or this has a bug."""
        assert self._link is not None
        code = 4001 if error.code == "unauthenticated" else 0 if error.temporary else 4000
        bye: Fields = {"code": code, "reason": error.message, "retry_after_ms": 1000 * error.retry_after}
        self._link.bye = bye
        self._link.lose()

    def behind(self) -> None:
        """Note that there is a gap."""
        self._set_status("catching_up")

    def caught_up(self) -> None:
        """Note that nothing is missing."""
        self._failures = 0
        self._set_status("caught_up")
        self.tell(CaughtUp(), {})

    def _answered(self, outgoing: Outgoing, answer: Answered | VecheError) -> None:
        future = self._futures.pop(outgoing["id"], None)
        self.tell(Failed(outgoing, answer) if isinstance(answer, VecheError) else Stored(outgoing, answer), {})
        if future is None or future.done():
            return
        if isinstance(answer, VecheError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
