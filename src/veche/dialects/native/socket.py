"""A native connection's life: hello, commands, events, goodbye (docs/native.md, The socket).

Gets: text frames. Gives: one answer for each command; the events of every log it hears come from the hub.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import UNSET

from veche.core import commands as c
from veche.core.errors import ChatError, Code
from veche.core.rooms import LOBBY_ID, LogId, account_log
from veche.core.views import Welcome
from veche.dialects.native import answers as a
from veche.dialects.native import frames as f
from veche.dialects.native.encode import SERIALIZER, to_json
from veche.dialects.native.errors import socket_error
from veche.dialects.native.limits import HELLO_WITHIN, check_text_size
from veche.dialects.native.meanwhile import Meanwhile
from veche.dialects.native.out import Empty, Outgoing, RoomRef, RoomSeq
from veche.dialects.native.resume import Resumption, hello_result, resume, resume_hello
from veche.dialects.native.views import time_of
from veche.gateway.client import Client
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat, Outcome
from veche.wire.frames import text_frame
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade

log = logging.getLogger("veche.native")

SUBPROTOCOL = "veche.v1"
HEARTBEAT = text_frame(to_json(a.Heartbeat()))
CAUGHT_UP = a.CaughtUpPush(Empty())
EXPIRY_GRACE = 10.0  # seconds that an open socket outlives its token
RESTART_SPREAD = 1000  # milliseconds over which clients come back after a restart


class NativeSocket:
    """One connection. Until its token was found good it has no client."""

    __slots__ = (
        "_accounts",
        "_catching_up",
        "_chat",
        "_client",
        "_early",
        "_hello",
        "_meanwhile",
        "_socket",
        "_timer",
        "_token",
    )
    heartbeat: bytes | None = HEARTBEAT

    def __init__(self, chat: Chat, accounts: Accounts, token: str | None) -> None:
        self._chat = chat
        self._accounts = accounts
        self._token = token
        self._socket: Socket
        self._client: Client | None = None
        self._hello: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._catching_up: list[set[LogId]] = []  # what each hello or sync still waits for
        self._meanwhile: Meanwhile | None = None  # while hello is under way
        self._early: list[str] = []  # bounded by one read: while hello is under way, nothing more is read

    # From the wire.

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        self._timer = asyncio.get_running_loop().call_later(HELLO_WITHIN, self._no_hello)

    def text(self, text: str) -> None:
        if self._hello is not None:
            self._early.append(text)  # a client need not wait for the answer to its hello
            return
        try:
            command = f.decode(text)
        except f.BadFrame as refusal:
            self._refuse(refusal.id, refusal)
            return
        if command is not None:
            id, name, fields = command
            try:
                _COMMANDS[name](self, id, fields)
            except ChatError as refusal:
                self._refuse(id, refusal)

    def binary(self, data: bytes) -> None:
        self._end(1003, "text_only")

    def paused(self) -> None:
        if self._client is not None:
            self._client.paused()
        else:
            self._socket.pause_reading()  # who does not read answers may not ask for more

    def resumed(self) -> None:
        if self._client is not None:
            self._client.resumed()
        else:
            self._socket.resume_reading()

    def draining(self) -> None:
        self._end(4200, "restart", random.randrange(RESTART_SPREAD))

    def unanswered(self) -> None:
        self._end(4103, "no_pong", 1000)

    def stalled(self) -> None:
        self._end(4101, "slow", 1000)

    def closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._hello is not None:
            self._hello.cancel()
        if self._client is not None:
            self._client.detach()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        for waited in tuple(self._catching_up):
            waited.discard(log_id)
            if not waited:
                self._catching_up.remove(waited)
                self._write(CAUGHT_UP)

    def joined(self, room_id: int, after: int) -> None:
        if self._meanwhile is not None:
            self._meanwhile.joined(room_id, after)
        elif self._client is not None:
            self._client.subscribe(room_id, SERIALIZER, after)

    def removed(self, room_id: int, seq: int) -> None:
        if self._meanwhile is not None:
            self._meanwhile.removed(room_id)
        self.caught_up(room_id)

    def session_ended(self) -> None:
        self._end(4004, "session_ended")

    def lost(self) -> None:
        self._end(4202, "resync", random.randrange(RESTART_SPREAD))

    # Hello and sync.

    def _say_hello(self, id: int, hello: f.Hello) -> None:
        if self._hello is not None or self._client is not None:
            raise ChatError(Code.BAD_REQUEST, "There is one hello.")
        token = hello.token or self._token
        self._token = None
        self._socket.pause_reading()
        self._meanwhile = Meanwhile()
        self._hello = asyncio.get_running_loop().create_task(self._welcome(id, hello, token))

    async def _welcome(self, id: int, hello: f.Hello, token: str | None) -> None:
        try:
            login = await self._accounts.authenticate(token or "")
            self._attach(login)
            welcome = await self._chat.welcome(login.account.id, login.session_id)
        except ChatError as refusal:
            self._refuse(id, refusal)
            self._end(*((4100, "unavailable", 1000) if refusal.temporary else (4001, "unauthenticated", None)))
        except Exception:
            log.exception("hello failed")
            self._end(4100, "unavailable", 1000)
        else:
            self._begin(id, hello, login, welcome)

    def _begin(self, id: int, hello: f.Hello, login: Login, welcome: Welcome) -> None:
        """Answer, subscribe, and follow the account's own log from its head in the same snapshot."""
        seat, meanwhile = self._client, self._meanwhile
        if seat is None or seat.ended or meanwhile is None:
            return  # the session ended while the snapshot was read
        welcome = meanwhile.without_left(welcome)
        self._write(a.HelloAnswer(id, hello_result(login, welcome)))
        self._go_on(resume_hello(hello, login, welcome))
        for room_id, after in meanwhile.joined_rooms():
            if not client.is_subscribed(room_id):
                client.subscribe(room_id, SERIALIZER, after)
        self._meanwhile = None
        seat.begin(welcome.heads[account_log(login.account.id)])
        self._read_on()

    def _read_on(self) -> None:
        self._hello = None
        early, self._early = self._early, []
        for text in early:
            if self._client is not None and not self._client.ended:
                self.text(text)
        if self._client is not None:
            self._client.read_on()

    def _attach(self, login: Login) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = max(0.0, login.expires_at - time.time()) + EXPIRY_GRACE
        self._timer = asyncio.get_running_loop().call_later(left, self._expired)
        self._client = Client(self._chat, login.account.person, login.session_id, self, "native")
        self._client.open(self._socket)

    def _go_on(self, resumption: Resumption) -> None:
        for push in resumption.pushes:
            self._write(push)
        if not resumption.positions:
            self._write(CAUGHT_UP)
            return
        self._catching_up.append(set(resumption.positions))
        for log_id, seq in resumption.positions.items():
            self._signed_in().subscribe(log_id, SERIALIZER, seq, resumption.heads.get(log_id, 0))

    def _sync(self, id: int, sync: f.Sync) -> None:
        own = account_log(self._by())
        asked: dict[LogId, int] = dict(sync.rooms)
        if sync.me is not None:
            asked[own] = sync.me
        self._chat.heads(partial(self._synced, id, own, asked), [own, *asked])

    def _synced(self, id: int, own: LogId, asked: dict[LogId, int], heads: dict[LogId, int] | None) -> None:
        if heads is None:
            self.lost()
        if heads is None or self._client is None or self._client.ended:
            return
        heard = {id: head for id, head in heads.items() if self._client.is_subscribed(id) or id == LOBBY_ID}
        rooms = {log_id: head for log_id, head in heard.items() if log_id != own}
        self._write(a.SyncAnswer(id, a.SyncResult(rooms, heads[own])))
        self._go_on(resume(asked, heard))

    # Other commands.

    def _send(self, id: int, send: f.Send) -> None:
        check_text_size(send.text)
        command = c.SendMessage(self._by(), send.room_id, send.text, "native", send.client_message_id)
        self._submit(id, command, partial(self._sent, id))

    def _sent(self, id: int, sent: c.Sent) -> None:
        message = sent.message
        result = a.SendResult(
            message.log_id, message.seq, message.id, message.client_message_id, time_of(message.at), sent.duplicate
        )
        self._write(a.SendAnswer(id, result))

    def _join(self, id: int, join: f.InRoom) -> None:
        self._submit(id, c.JoinRoom(self._by(), join.room_id), partial(self._joined, id))

    def _joined(self, id: int, entered: c.Entered) -> None:
        room_id, client = entered.room.id, self._signed_in()
        self._write(a.JoinAnswer(id, a.JoinResult(room_id, entered.head_seq)))
        if room_id == LOBBY_ID and not client.is_subscribed(room_id):
            client.subscribe(room_id, SERIALIZER, entered.head_seq)

    def _leave(self, id: int, leave: f.InRoom) -> None:
        client, room_id = self._signed_in(), leave.room_id
        if room_id == LOBBY_ID:
            client.unsubscribe(room_id)
        command = c.LeaveRoom(self._by(), room_id)
        self._submit(id, command, lambda _: self._write(a.LeaveAnswer(id, RoomRef(room_id))))

    def _read(self, id: int, moved: f.Read) -> None:
        answer = a.ReadAnswer(id, RoomSeq(moved.room_id, moved.seq))
        command = c.ReadUpTo(self._by(), moved.room_id, moved.seq)
        self._submit(id, command, lambda _: self._write(answer))

    def _who(self, id: int, who: f.InRoom) -> None:
        client = self._signed_in()
        if not client.is_subscribed(who.room_id):
            raise ChatError(Code.NOT_FOUND, "You do not hear this room.", what="room")
        online = client.online(who.room_id)
        self._write(a.WhoAnswer(id, a.WhoResult(who.room_id, online)))

    # Words to the client.

    def _submit(self, id: int, command: c.Command, done: Callable[[Any], None]) -> None:
        self._signed_in().submit(command, partial(self._decided, id, done))

    def _decided(self, id: int, done: Callable[[Any], None], outcome: Outcome) -> None:
        if isinstance(outcome, ChatError):
            self._refuse(id, outcome)
        else:
            done(outcome)

    def _write(self, frame: Outgoing) -> None:
        self._socket.send(to_json(frame))

    def _refuse(self, id: int | None, refusal: ChatError) -> None:
        self._write(a.ErrorAnswer(id=UNSET if id is None else id, error=socket_error(refusal)))

    # Coming and going.

    def _signed_in(self) -> Client:
        if self._client is None or self._client.ended:
            raise ChatError(Code.UNAUTHENTICATED, "Say hello first.")
        return self._client

    def _by(self) -> int:
        return self._signed_in().account_id

    def _expired(self) -> None:
        self._end(4201, "token_expired", 0)

    def _no_hello(self) -> None:
        if self._hello is None:
            self._end(4002, "hello_timeout")

    def _end(self, code: int, reason: str, retry_after_ms: int | None = None) -> None:
        """Say why, and close: nothing may follow a close frame, so the hub lets go first."""
        if self._client is not None:
            self._client.detach()
        self._write(a.ByePush(a.Bye(code, reason, UNSET if retry_after_ms is None else retry_after_ms)))
        self._socket.close(code, reason)


_COMMANDS: dict[str, Callable[[NativeSocket, int, Any], None]] = {
    "send": NativeSocket._send,
    "hello": NativeSocket._say_hello,
    "join": NativeSocket._join,
    "leave": NativeSocket._leave,
    "read": NativeSocket._read,
    "sync": NativeSocket._sync,
    "who": NativeSocket._who,
}


class Accept:
    """Takes native connections in: the token may come as a subprotocol, `veche.v1, bearer.TOKEN`."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        offered = upgrade.subprotocols
        bearers = [name.removeprefix("bearer.") for name in offered if name.startswith("bearer.")]
        session = NativeSocket(self._chat, self._accounts, bearers[0] if bearers else None)
        return Accepted(session, SUBPROTOCOL if SUBPROTOCOL in offered else None)
