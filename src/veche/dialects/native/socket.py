"""The WebSocket of the native dialect: hello first, then commands and events (docs/native.md, The socket).

The handler receives text frames and answers each command. The hub writes the events of the subscribed logs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

from msgspec import UNSET

from veche.core.actor import Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError, Code
from veche.core.membership import Entered, JoinRoom, LeaveRoom
from veche.core.messages import Sent
from veche.core.reading import ReadUpTo
from veche.core.values import LOBBY_ID, LogId, Person, account_log
from veche.core.views import Welcome
from veche.dialects.native import answers as a
from veche.dialects.native import frames as f
from veche.dialects.native.encode import SERIALIZER, to_json
from veche.dialects.native.errors import (
    CLOSE_CODES,
    HELLO_TIMEOUT,
    TOKEN_EXPIRED,
    retry_after_ms,
    socket_error,
)
from veche.dialects.native.feature import Incoming, InstantCommand, InstantFields, SocketCommand
from veche.dialects.native.features import COMMANDS, INSTANT
from veche.dialects.native.lifetime import Lifetime
from veche.dialects.native.limits import HELLO_WITHIN, MAX_PAGE, check_text_size
from veche.dialects.native.out import Empty, Outgoing, RoomRef, RoomSeq
from veche.dialects.native.resume import Replay, Resumption, hello_result, resume, resume_hello
from veche.dialects.native.views import time_of
from veche.gateway.client import Client
from veche.gateway.endings import Ending
from veche.gateway.handler import DialectHandler
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat
from veche.wire.frames import text_frame
from veche.wire.handler import Socket

logger = logging.getLogger("veche.native")

HEARTBEAT = text_frame(to_json(a.Heartbeat()))
CAUGHT_UP = a.CaughtUpPush(Empty())
# What commands that store nothing count for the account's share, in units of work: about one for a message.
BAD_FRAME = 0.5
ROOMS_OF_A_UNIT = 10  # of a sync
PEOPLE_OF_A_UNIT = 50  # of a who
SLICE = 100  # logs that are subscribed in one turn of the loop


class NativeHandler(DialectHandler):
    """One connection. `client` is None until the token of its hello has been checked."""

    __slots__ = (
        "_chat",
        "_early_texts",
        "_guest",
        "_hello_task",
        "_lifetime",
        "_replay",
        "_token",
    )
    heartbeat: bytes | None = HEARTBEAT
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, accounts: Accounts, guest: Actor, token: str | None) -> None:
        super().__init__()
        self._chat = chat
        self._guest = guest
        self._token = token
        self._hello_task: asyncio.Task[None] | None = None
        self._lifetime = Lifetime(accounts)
        self._replay: Replay | None = None  # an idle client has none, because it would hold memory
        # Received while hello is answered, or from a sync on that waits for its turn. Few, as reading is paused.
        self._early_texts: list[str] = []

    # From the wire.

    def opened(self, socket: Socket) -> None:
        super().opened(socket)
        self._lifetime.limit(HELLO_WITHIN, self._hello_timed_out)

    def text(self, text: str) -> None:
        if self._hello_task is not None or self._early_texts:
            self._early_texts.append(text)  # a client need not wait for the answer to its hello
            return
        try:
            command = f.decode(text)
        except f.BadFrame as refusal:
            self._send_error(refusal.id, refusal)
            if self.client is not None:
                self.client.work(BAD_FRAME)
            return
        if command is not None:
            id, name, fields = command
            if name == "sync" and self._replay is not None:
                self._hold_back(text)
                return
            try:
                _COMMANDS[name](self, id, fields)
            except ChatError as refusal:
                self._send_error(id, refusal)

    def resumed(self) -> None:
        if self.client is not None or self._hello_task is None:  # nothing is read while hello is answered
            super().resumed()

    def closed(self) -> None:
        self._lifetime.cancel()
        if self._hello_task is not None:
            self._hello_task.cancel()
        self._replay = None
        super().closed()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        if (replay := self._replay) is not None and log_id in replay.catching_up:
            replay.catching_up.discard(log_id)
            replay.unsubscribed.pop(log_id, None)
            self._go_on(replay)

    def joined(self, room_id: int, after: int) -> None:
        if self.client is not None:
            self.client.subscribe(room_id, SERIALIZER, after)

    def removed(self, room_id: int, seq: int) -> None:
        self.caught_up(room_id)

    # Hello and sync.

    def _start_hello(self, id: int, hello: f.Hello) -> None:
        if self._hello_task is not None or self.client is not None:
            raise ChatError(Code.BAD_REQUEST, "There is one hello.")
        token = hello.token or self._token
        self._token = None
        self._replay = Replay()
        self.socket.pause_reading()
        self._hello_task = asyncio.get_running_loop().create_task(self._answer_hello(id, hello, token or ""))

    async def _answer_hello(self, id: int, hello: f.Hello, token: str) -> None:
        try:
            login = await self._lifetime.login(self._guest, token)
            client = self._attach(login)
            welcome = await self._chat.welcome(client.account_id, login.session_id, MAX_PAGE)
            self._start(id, hello, login, welcome, client)
            self._handle_early_texts(client)
        except ChatError as refusal:
            self._send_error(id, refusal)
            self.end(Ending.UNAVAILABLE if refusal.temporary else Ending.NOT_ADMITTED)
        except Exception:
            logger.exception("hello failed")
            self.end(Ending.INTERNAL)

    def _attach(self, login: Login) -> Client:
        """Attach to the hub before the snapshot is read, so that no commit after the snapshot is missed."""
        self._lifetime.limit_to(login, self._token_expired)
        self._guest = login.actor  # replaces the guest, to keep only one actor for each connection
        self.client = client = Client(self._chat, login.account.person, login.actor, self)
        self.socket.admitted()
        client.open(self.socket)
        return client

    def _start(self, id: int, hello: f.Hello, login: Login, welcome: Welcome, client: Client) -> None:
        """Answer hello, subscribe the client, and follow the account's own log from its head in `welcome`."""
        self._write(a.HelloAnswer(id, hello_result(login, welcome)))
        self._subscribe(resume_hello(hello, login, welcome))
        client.begin(welcome.heads[account_log(client.account_id)])

    def _handle_early_texts(self, client: Client) -> None:
        self._hello_task = None
        early, self._early_texts = self._early_texts, []
        for index, text in enumerate(early):
            if self._early_texts:  # a sync among them waits for its turn, and so does what came after it
                self._early_texts += early[index:]
                return
            if not client.ended:
                self.text(text)
        client.resume_reading()

    def _hold_back(self, text: str) -> None:
        """Keep a sync until the replay before it has ended. Until then the client is not read."""
        self._early_texts.append(text)
        self._require_client().held_back = True
        self.socket.pause_reading()

    def _subscribe(self, resumption: Resumption) -> None:
        """Push what the client must know, and subscribe to the logs, a slice in each turn of the loop."""
        if resumption.pushes:
            self.socket.write(b"".join(text_frame(to_json(push)) for push in resumption.pushes))
        if (replay := self._replay) is not None:
            replay.catching_up = set(resumption.positions)
            replay.unsubscribed = dict(resumption.positions)
            replay.heads = resumption.heads
            self._subscribe_slice(replay)
            if not resumption.positions:
                self._go_on(replay)

    def _subscribe_slice(self, replay: Replay) -> None:
        replay.next_slice = None
        client = self.client
        if client is None or client.ended:
            return
        for log_id in list(islice(replay.unsubscribed, SLICE)):
            if (seq := replay.unsubscribed.pop(log_id, None)) is not None:
                client.subscribe(log_id, SERIALIZER, seq, replay.heads.get(log_id, 0))

    def _go_on(self, replay: Replay) -> None:
        """Subscribe to the next logs if those before are live. After the last one, say `caught_up`."""
        if not replay.catching_up:
            self._replay = None
            self._write(CAUGHT_UP)
            if (client := self.client) is not None and client.held_back:
                client.held_back = False
                self._handle_early_texts(client)
        elif replay.next_slice is None and len(replay.catching_up) == len(replay.unsubscribed):
            replay.next_slice = asyncio.get_running_loop().call_soon(self._subscribe_slice, replay)

    def _sync(self, id: int, sync: f.Sync) -> None:
        client = self._require_client()
        own = account_log(client.account_id)
        asked: dict[LogId, int] = dict(sync.rooms or {})
        if sync.me is not None:
            asked[own] = sync.me
        client.work(len(asked) / ROOMS_OF_A_UNIT)
        known = [log_id for log_id in asked if self._may_sync(client, log_id)]
        self._replay = Replay()
        try:
            self._chat.heads(client.actor.party, partial(self._synced, id, own, asked), list({own, *known}))
        except ChatError:
            self._replay = None
            raise

    def _synced(self, id: int, own: LogId, asked: dict[LogId, int], heads: dict[LogId, int] | None) -> None:
        client = self.client
        if heads is None:
            self.lost()
        if heads is None or client is None or client.ended:
            return
        # In the order of the question: databases give the heads in any order.
        known = (log_id for log_id in (own, *asked) if log_id in heads)
        allowed = {log_id: heads[log_id] for log_id in known if self._may_sync(client, log_id)}
        rooms = {log_id: head_seq for log_id, head_seq in allowed.items() if log_id != own}
        self._write(a.SyncAnswer(id, a.SyncResult(rooms, heads[own])))
        self._subscribe(resume(asked, allowed))

    def _may_sync(self, client: Client, log_id: LogId) -> bool:
        return client.is_subscribed(log_id) or log_id == LOBBY_ID

    # Other commands.

    def _send(self, id: int, send: f.Send) -> None:
        check_text_size(send.text, may_be_empty=bool(send.files))
        self._submit(id, send.command(), partial(self._sent, id))

    def _sent(self, id: int, sent: Sent) -> None:
        message = sent.message
        result = a.SendResult(
            message.log_id, message.seq, message.id, message.client_message_id, time_of(message.at), sent.duplicate
        )
        # The only answer that waits for its event: others may be written before it.
        self._require_client().answer(to_json(a.SendAnswer(id, result)))

    def _join(self, id: int, join: f.InRoom) -> None:
        self._submit(id, JoinRoom(join.room_id), partial(self._entered, id))

    def _entered(self, id: int, entered: Entered) -> None:
        room_id, client = entered.room.id, self._require_client()
        self._write(a.JoinAnswer(id, a.JoinResult(room_id, entered.head_seq)))
        if room_id == LOBBY_ID and not client.is_subscribed(room_id):
            client.subscribe(room_id, SERIALIZER, entered.head_seq)

    def _leave(self, id: int, leave: f.InRoom) -> None:
        client, room_id = self._require_client(), leave.room_id
        if room_id == LOBBY_ID:
            client.unsubscribe(room_id)
            self.caught_up(room_id)  # the lobby cannot catch up any more, so `caught_up` must not wait for it
        self._submit(id, LeaveRoom(room_id), lambda _: self._write(a.LeaveAnswer(id, RoomRef(room_id))))

    def _read(self, id: int, read: f.Read) -> None:
        answer = a.ReadAnswer(id, RoomSeq(read.room_id, read.seq))
        self._submit(id, ReadUpTo(read.room_id, read.seq), lambda _: self._write(answer))

    def _who(self, id: int, who: f.Who) -> None:
        client = self._require_client()
        if not client.is_subscribed(who.room_id):
            raise ChatError(Code.NOT_FOUND, "You do not hear this room.", what="room")
        client.work(1)
        client.online(partial(self._found, id, who.room_id), who.room_id, int(who.cursor or 0), MAX_PAGE + 1)

    def _found(self, id: int, room_id: int, found: list[Person] | ChatError) -> None:
        client = self._require_client()
        if isinstance(found, ChatError):
            self._send_error(id, found)
        elif not client.is_subscribed(room_id):  # removed while other nodes were asked
            self._send_error(id, ChatError(Code.NOT_FOUND, "You do not hear this room.", what="room"))
        else:
            client.work(len(found) / PEOPLE_OF_A_UNIT)
            cursor = str(found[MAX_PAGE - 1].id) if len(found) > MAX_PAGE else None
            self._write(a.WhoAnswer(id, a.WhoResult(room_id, found[:MAX_PAGE], cursor)))

    def _refresh(self, id: int, refresh: f.Refresh) -> None:
        client = self._require_client()
        client.work(1)
        self._lifetime.refresh(client, refresh.token, partial(self._refreshed, id))

    def _refreshed(self, id: int, outcome: Login | ChatError) -> None:
        if isinstance(outcome, ChatError):
            self._send_error(id, outcome)
        else:
            left = self._lifetime.limit_to(outcome, self._token_expired)
            self._write(a.RefreshAnswer(id, a.RefreshResult(left)))

    def _require_client(self) -> Client:
        if self.client is None or self.client.ended:
            raise ChatError(Code.UNAUTHENTICATED, "Say hello first.")
        return self.client

    def _submit(self, id: int, command: Command[T], done: Callable[[T], None]) -> None:
        def reply(outcome: T | ChatError) -> None:
            if isinstance(outcome, ChatError):
                self._send_error(id, outcome)
            else:
                done(outcome)

        self._require_client().submit(command, reply)

    # Frames to the client.

    def _write(self, frame: Outgoing) -> None:
        self.socket.send(to_json(frame))

    def _send_error(self, id: int | None, refusal: ChatError) -> None:
        self._write(a.ErrorAnswer(id=UNSET if id is None else id, error=socket_error(refusal)))

    # The end.

    def _hello_timed_out(self) -> None:
        if self._hello_task is None:
            self.close(*HELLO_TIMEOUT)

    def _token_expired(self) -> None:
        self.close(*TOKEN_EXPIRED)

    def close(self, code: int | None, reason: str = "") -> None:
        """Send `bye`, then close. Detach the client first, because no event may follow `bye` or the close frame."""
        if self.client is not None:
            self.client.detach()
        self._write(a.ByePush(a.Bye(code or 1000, reason, retry_after_ms(code))))
        super().close(code, reason)


def _of_feature(command: SocketCommand) -> Callable[[NativeHandler, int, Any], None]:
    def submit(handler: NativeHandler, id: int, fields: Incoming) -> None:
        asked = fields.command()
        handler._chat.charge_command(handler._require_client().actor, asked)
        handler._submit(id, asked, lambda answer: handler._write(command.answer(id, answer)))

    return submit


def _at_once(command: InstantCommand) -> Callable[[NativeHandler, int, Any], None]:
    def act(handler: NativeHandler, id: int, fields: InstantFields) -> None:
        handler._write(command.act(id, fields, handler._require_client()))

    return act


_COMMANDS: dict[str, Callable[[NativeHandler, int, Any], None]] = {
    "send": NativeHandler._send,
    "hello": NativeHandler._start_hello,
    "join": NativeHandler._join,
    "leave": NativeHandler._leave,
    "read": NativeHandler._read,
    "sync": NativeHandler._sync,
    "who": NativeHandler._who,
    "refresh": NativeHandler._refresh,
    **{name: _of_feature(command) for name, command in COMMANDS.items()},
    **{name: _at_once(command) for name, command in INSTANT.items()},
}
