"""REST calls. They use the standard library, in a thread each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message as Headers
from http.client import HTTPException
from typing import Any, cast

from .errors import VecheError, refusal
from .values import Account, FullRoom, History, MemberPage, RoomPage, Session, Tokens

TIMEOUT = 20.0


class Rest:
    """The REST calls of one server, `url`, such as "https://chat.example.com". Each raises VecheError."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError("The address of a server begins with http:// or https://.")
        self.token = token

    async def login(self, username: str, password: str, *, refresh: bool = False) -> Session:
        """Sign in, and use the token from now on. With `refresh`, it is short-lived, and has a refresh token."""
        return await self._sign_in("login", {"username": username, "password": password, "refresh": refresh})

    async def register(
        self, username: str, password: str, *, name: str | None = None, refresh: bool = False
    ) -> Session:
        """Make an account, and use its token from now on. `refresh` is as for `login`."""
        body = {"username": username, "password": password, "name": name, "refresh": refresh}
        return await self._sign_in("register", body)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Return a new token, and the refresh token to go on with. The same one again gets the same answer."""
        return cast(Tokens, await self.call("POST", "refresh", {"refresh_token": refresh_token}))

    async def _sign_in(self, call: str, body: object) -> Session:
        session = cast(Session, await self.call("POST", call, body))
        self.token = session["token"]
        return session

    async def logout(self) -> None:
        """End the session, and its sockets."""
        await self.call("POST", "logout")

    async def me(self) -> Account:
        """Return your account."""
        return cast(Account, await self.call("GET", "me"))

    async def rooms(self, *, cursor: str | None = None, limit: int = 50) -> RoomPage:
        """Return a page of your rooms without the lobby, by id."""
        return cast(RoomPage, await self.call("GET", "rooms", cursor=cursor, limit=limit))

    async def public_rooms(self, *, cursor: str | None = None, limit: int = 50) -> RoomPage:
        """Return a page of all channels, and the lobby."""
        return cast(RoomPage, await self.call("GET", "rooms/public", cursor=cursor, limit=limit))

    async def room(self, room_id: int) -> FullRoom:
        """Return a room."""
        return cast(FullRoom, await self.call("GET", f"rooms/{room_id}"))

    async def make_room(self, name: str, *, kind: str = "group", member_ids: list[int] | None = None) -> FullRoom:
        """Make a group or a channel. These accounts are invited into it."""
        body = {"kind": kind, "name": name, "member_ids": member_ids}
        return cast(FullRoom, await self.call("POST", "rooms", body))

    async def direct_room(self, account_id: int) -> FullRoom:
        """Ask somebody for a direct room, which also accepts what they asked, or return the one that exists."""
        return cast(FullRoom, await self.call("POST", "rooms", {"kind": "direct", "member_ids": [account_id]}))

    async def members(self, room_id: int, *, cursor: str | None = None, limit: int = 50) -> MemberPage:
        """Return a page of the members of a room, by id."""
        return cast(MemberPage, await self.call("GET", f"rooms/{room_id}/members", cursor=cursor, limit=limit))

    async def history(
        self,
        room_id: int,
        *,
        before_seq: int | None = None,
        after_seq: int | None = None,
        around_seq: int | None = None,
        limit: int = 50,
    ) -> History:
        """Return messages, oldest first: the newest ones, or those before, after or around a seq."""
        where = {"before_seq": before_seq, "after_seq": after_seq, "around_seq": around_seq, "limit": limit}
        return cast(History, await self.call("GET", f"rooms/{room_id}/messages", **where))

    async def limits(self) -> dict[str, int]:
        """Return the limits of the server, by name."""
        return cast(dict[str, int], await self.call("GET", "limits"))

    async def call(self, method: str, path: str, body: object = None, **query: str | int | None) -> Any:
        """Make any call below /v1/, and return its answer; None if it has none."""
        return await _in_thread(lambda: self._call(method, path, body, query))

    def _call(self, method: str, path: str, body: object, query: Mapping[str, str | int | None]) -> Any:
        words = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        url = f"{self.url}/v1/{path}" + (f"?{words}" if words else "")
        headers = {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # http or https: see __init__
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                found = answer.read()
                return json.loads(found) if found else None
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal_of(error.code, error.headers, _body_of(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise VecheError("unreachable", f"The server cannot be reached: {error}", temporary=True) from None


async def _in_thread(call: Callable[[], Any]) -> Any:
    """Make a call in a thread that does not keep a program from ending, unlike one of asyncio."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: Exception | None) -> None:
        if future.done():  # nobody waits any more
            return
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)

    def run() -> None:
        answer, error = None, None
        try:
            answer = call()
        except Exception as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, answer, error)

    threading.Thread(target=run, daemon=True).start()
    return await future


def _body_of(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        found = json.loads(error.read())
    except (OSError, HTTPException, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refusal_of(status: int, headers: Headers, found: dict[str, Any]) -> VecheError:
    """Return the refusal. A proxy may answer without a problem document: then the status decides."""
    wait = headers.get("Retry-After", "")
    found["retry_after_ms"] = 1000 * int(wait) if wait.isdecimal() else 0
    if "code" not in found:
        code = "unauthenticated" if status == 401 else f"http_{status}"
        found |= {"code": code, "temporary": status >= 500 or status == 429}
    return refusal(found)
