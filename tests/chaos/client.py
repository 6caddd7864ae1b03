"""A native client that follows the five rules of docs/native.md and records what it sends and receives."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .frames import (
    Bye,
    ChangeAnswer,
    DeletedBody,
    EditedBody,
    ErrorBody,
    GoneBody,
    HelloAnswer,
    MessageBody,
    ResetBody,
    SendAnswer,
    SyncAnswer,
)
from .records import (
    ME,
    Ack,
    CaughtUp,
    Change,
    Changed,
    Down,
    Gone,
    Invoke,
    Journal,
    Nack,
    Opened,
    Recv,
    Reset,
    Turn,
    Turned,
    Unexpected,
    Verdict,
    Welcome,
    judge,
)
from .switches import Switch, Switches

WINDOW = 4
KNOWN = 50  # messages that a client may change, the last ones
OPEN_LIMIT = 2.0
SILENCE_LIMIT = 40.0


@dataclass(frozen=True)
class Account:
    """The account of a client. `name` is also the prefix of its client message ids."""

    name: str
    id: int
    token: str


@dataclass(frozen=True)
class Traffic:
    """How a client behaves. `burst` is the mean number of messages before a pause; times are means in seconds."""

    burst: float = 4.0
    pause: float = 0.08
    lifetime: float = 2.5
    read_share: float = 0.02
    change_share: float = 0.15
    delete_share: float = 0.15  # of the changes
    switch_share: float = 0.1


@dataclass(frozen=True)
class Pending:
    """A message, a change of one, or a turn of a switch, that has no answer yet. A deletion has no text.

    `turn`: the command that turns a switch, and its fields.
    """

    room: int
    cid: str
    text: str | None
    message_id: int | None = None
    turn: tuple[str, Mapping[str, Any]] | None = None


def text_of(cid: str) -> str:
    """Return the text for a client message id. It is derived from the id, so that a changed text is found."""
    return f"{hashlib.sha256(cid.encode()).hexdigest()} {cid}"


@dataclass
class Memory:
    """The state that a client keeps across sockets (rules 1 and 3)."""

    account: Account
    positions: dict[int, int]
    epoch: str | None = None
    unacked: dict[str, Pending] = field(default_factory=dict)
    sent: int = 0
    mine: list[tuple[int, int]] = field(default_factory=list)  # rooms and ids of messages that can be changed
    switches: Switches = field(default_factory=lambda: Switches(0, ()))

    def hello(self) -> dict[str, Any]:
        body: dict[str, Any] = {"token": self.account.token, **self.asked()}
        return body if self.epoch is None else {**body, "epoch": self.epoch}

    def asked(self) -> dict[str, Any]:
        rooms = {str(room): seq for room, seq in self.positions.items() if room != ME}
        return {"rooms": rooms, "me": self.positions[ME]}

    def compose(self, room: int) -> Pending:
        self.sent += 1
        cid = f"{self.account.name}-{self.sent}"
        pending = Pending(room, cid, text_of(cid))
        self.unacked[cid] = pending
        return pending

    def change(self, rng: random.Random, delete_share: float) -> Pending:
        """Compose a change of one of the client's messages. After a deletion there is no other."""
        self.sent += 1
        cid = f"{self.account.name}-{self.sent}"
        place = rng.randrange(len(self.mine))
        room, message_id = self.mine[place]
        text = text_of(cid)
        if rng.random() < delete_share:
            del self.mine[place]
            pending = Pending(room, cid, None, message_id)
        else:
            pending = Pending(room, cid, text, message_id)
        self.unacked[cid] = pending
        return pending

    def turn(self, rng: random.Random) -> tuple[Pending, Switch, bool]:
        """Compose a turn of one of the client's switches."""
        self.sent += 1
        cid = f"{self.account.name}-{self.sent}"
        switch = rng.choice(self.switches.all())
        is_on = self.switches.turn(switch)
        pending = Pending(0, cid, None, turn=switch.on if is_on else switch.off)
        self.unacked[cid] = pending
        return pending, switch, is_on

    def apply(self, room: int, seq: int) -> Verdict:
        """Move the position if the event is the next of its log. A log that is not followed has no position."""
        verdict = judge(self.positions.get(room, seq), seq)
        if verdict == "next":
            self.positions[room] = seq
        return verdict


@dataclass(frozen=True)
class Command:
    """A command that waits for its answer; a `send` has the `cid` of its message."""

    name: str
    cid: str = ""


class Connection:
    """One socket. Commands without an answer are forgotten when it ends; the memory is kept."""

    def __init__(self, number: int, memory: Memory, journal: Journal, changed: asyncio.Event) -> None:
        self.number = number
        self.bye = Bye(code=0)
        self.welcomed = False
        self.must_reconnect = False
        self.caught_up = False
        self._memory = memory
        self._journal = journal
        self._changed = changed
        self._commands: dict[int, Command] = {}
        self._last_id = 0
        self._syncing = False

    @property
    def _name(self) -> str:
        return self._memory.account.name

    def command(self, name: str, body: Mapping[str, Any], cid: str = "") -> str:
        """Make the frame of a command, and remember its id for the answer."""
        self._last_id += 1
        self._commands[self._last_id] = Command(name, cid)
        return msgspec.json.encode({"id": self._last_id, name: body}).decode()

    def send(self, pending: Pending) -> str:
        if pending.turn is not None:
            name, body = pending.turn
            return self.command(name, {**body, "client_id": pending.cid}, pending.cid)
        if pending.message_id is None:
            body = {"room_id": pending.room, "text": pending.text, "client_message_id": pending.cid}
            return self.command("send", body, pending.cid)
        change = {"room_id": pending.room, "message_id": pending.message_id, "client_id": pending.cid}
        if pending.text is None:
            return self.command("delete", change, pending.cid)
        return self.command("edit", change | {"text": pending.text}, pending.cid)

    def take(self, raw: str | bytes) -> str | None:
        """Handle a frame of the server; return the frame to send in reply, if any."""
        try:
            frame = msgspec.json.decode(raw, type=dict[str, Any])
            if not frame:
                return "{}"
            if "id" not in frame:
                return self._pushed(frame)
            self._answered(frame)
        except msgspec.ValidationError as error:
            self._record_unexpected(f"{error}: {raw!r:.300}")
        except msgspec.DecodeError:
            self._record_unexpected(f"not JSON: {raw!r:.300}")
        finally:
            self._changed.set()
        return None

    def _record_unexpected(self, sentence: str) -> None:
        self._journal.add(Unexpected(self._journal.clock(), self._name, sentence))

    def _answered(self, frame: Mapping[str, Any]) -> None:
        command = self._commands.pop(frame["id"], None)
        if command is None:
            self._record_unexpected(f"an answer to no command: {frame}")
        elif "error" in frame:
            self._refused(command, msgspec.convert(frame["error"], ErrorBody))
        elif command.name not in frame:
            self._record_unexpected(f"{command.name} was answered by {sorted(frame)}")
        elif command.name == "send":
            self._acked(command.cid, msgspec.convert(frame["send"], SendAnswer))
        elif command.name in ("edit", "delete"):
            self._changed_message(command.cid, msgspec.convert(frame[command.name], ChangeAnswer))
        elif command.cid:
            self._turned(command.cid, frame[command.name])
        elif command.name == "hello":
            self._greeted(msgspec.convert(frame["hello"], HelloAnswer))
        elif command.name == "sync":
            self._synced(msgspec.convert(frame["sync"], SyncAnswer, strict=False))

    def _acked(self, cid: str, answer: SendAnswer) -> None:
        if answer.client_message_id != cid:
            self._record_unexpected(f"the answer to {cid} has {answer.client_message_id}")
            return
        if self._memory.unacked.pop(cid, None) is not None:
            if answer.room_id not in self._memory.switches.kept:
                self._memory.switches.kept[answer.room_id] = answer.message_id
            else:
                self._memory.mine = [*self._memory.mine[1 - KNOWN :], (answer.room_id, answer.message_id)]
        at = self._journal.clock()
        room, seq, message_id = answer.room_id, answer.seq, answer.message_id
        self._journal.add(Ack(at, self._name, self.number, room, cid, seq, message_id, answer.duplicate))

    def _changed_message(self, cid: str, answer: ChangeAnswer) -> None:
        self._memory.unacked.pop(cid, None)
        at, room, seq = self._journal.clock(), answer.room_id, answer.seq
        told = answer.message_id, answer.revision, answer.duplicate
        self._journal.add(Changed(at, self._name, self.number, room, cid, seq, *told))

    def _turned(self, cid: str, answer: Mapping[str, Any]) -> None:
        self._memory.unacked.pop(cid, None)
        self._journal.add(Turned(self._journal.clock(), self._name, self.number, cid, answer["duplicate"]))

    def _refused(self, command: Command, error: ErrorBody) -> None:
        """On a temporary refusal, reconnect: all unacked messages are then sent again, after a wait and in order."""
        self.must_reconnect = error.temporary
        if command.cid:
            self._journal.add(Nack(self._journal.clock(), self._name, command.cid, error.code, error.temporary))
            if not error.temporary:
                self._memory.unacked.pop(command.cid, None)
        elif not error.temporary:
            self._record_unexpected(f"{command.name} was refused: {error.code} {error.message}")

    def _greeted(self, answer: HelloAnswer) -> None:
        self._memory.epoch = answer.epoch
        self._welcome({head.id: head.head_seq for head in answer.rooms} | {ME: answer.me.seq})
        self.welcomed = True

    def _synced(self, answer: SyncAnswer) -> None:
        self._syncing = False
        self._welcome(answer.rooms if answer.me is None else {**answer.rooms, ME: answer.me})

    def _welcome(self, heads: Mapping[int, int]) -> None:
        asked = {room: head for room, head in heads.items() if room in self._memory.positions}
        self._journal.add(Welcome(self._journal.clock(), self._name, self.number, asked))

    def _pushed(self, frame: Mapping[str, Any]) -> str | None:
        at, name = self._journal.clock(), self._name
        for event, body in frame.items():
            if event == "caught_up":
                self.caught_up = True
                self._journal.add(CaughtUp(at, name, self.number))
            elif event == "reset":
                self._reset(msgspec.convert(body, ResetBody))
            elif event == "gone":
                for room in msgspec.convert(body, GoneBody).room_ids:
                    self._journal.add(Gone(at, name, self.number, room))
            elif event == "bye":
                self.bye = msgspec.convert(body, Bye)
            elif event == "message":
                return self._received_message(msgspec.convert(body, MessageBody))
            elif event == "edited":
                edited = msgspec.convert(body, EditedBody)
                shown = {"text": edited.message.text, "revision": edited.message.revision}
                recv = Recv(at, name, self.number, edited.room_id, edited.seq, event, edited.message.id, **shown)
                return self._received(msgspec.structs.replace(recv, change=edited.revision))
            elif event == "deleted":
                deleted = msgspec.convert(body, DeletedBody)
                recv = Recv(at, name, self.number, deleted.room_id, deleted.seq, event, deleted.message_id)
                return self._received(msgspec.structs.replace(recv, change=deleted.revision))
            elif isinstance(body, dict) and "seq" in body:
                return self._received(Recv(at, name, self.number, body.get("room_id", ME), body["seq"], event))
            else:
                self._record_unexpected(f"unknown frame {frame}")
        return None

    def _reset(self, body: ResetBody) -> None:
        at = self._journal.clock()
        self._journal.add(Reset(at, self._name, self.number, body.room_id, body.seq, body.reason))
        self._memory.positions[body.room_id] = body.seq

    def _received_message(self, body: MessageBody) -> str | None:
        return self._received(
            Recv(
                self._journal.clock(),
                self._name,
                self.number,
                body.room_id,
                body.seq,
                "message",
                body.id,
                body.client_message_id,
                body.sender.get("id"),
                body.text,
                body.revision,
            )
        )

    def _received(self, recv: Recv) -> str | None:
        self._journal.add(recv)
        verdict = self._memory.apply(recv.room, recv.seq)
        if verdict == "gap" and not self._syncing:
            self._syncing = True
            return self.command("sync", self._memory.asked())
        return None


def reconnect_delay(bye: Bye, rng: random.Random) -> float | None:
    """Return the seconds to wait before the next connect, by rule 5; None: do not reconnect."""
    jitter = rng.uniform(0.05, 0.3)
    if 4000 <= bye.code < 4100:
        return None
    if 4100 <= bye.code < 4200:
        return 1.0 + jitter
    return bye.retry_after_ms / 1000 + jitter


class Client:
    """Connects to one of the nodes, resumes, sends up to `WINDOW` messages at once, sometimes drops its socket.

    Then it reconnects, perhaps to another node.
    """

    def __init__(
        self,
        account: Account,
        url: str | Sequence[str],
        rooms: Iterable[int],
        journal: Journal,
        rng: random.Random,
        traffic: Traffic,
        listen_only: bool = False,
        switches: Switches | None = None,
    ) -> None:
        self.memory = Memory(account, {ME: 0} | dict.fromkeys(rooms, 0))
        self.memory.switches = switches or Switches(account.id, ())
        self.listen_only = listen_only
        self._urls = (url,) if isinstance(url, str) else tuple(url)
        self._rooms = sorted(rooms)
        self._journal = journal
        self._rng = rng
        self._traffic = traffic
        self._changed = asyncio.Event()
        self._connections = 0
        self._connection: Connection | None = None
        self.failures: list[str] = []  # attempts to connect that failed

    async def run(self) -> None:
        """Reconnect until it is cancelled, or until the server forbids it."""
        pause: float | None = 0.0
        while pause is not None:
            await asyncio.sleep(pause)
            pause = await self._connect_once()

    def stop_sending(self) -> None:
        """Send no new messages from now on; unacked ones are still repeated at each reconnect."""
        self.listen_only = True
        self._changed.set()

    async def wait_answered(self, limit: float) -> bool:
        """Wait until all messages are acked; False after `limit` seconds."""
        return await self._until(lambda: not self.memory.unacked, limit)

    async def wait_caught_up(self, heads: Mapping[int, int], limit: float) -> bool:
        """Wait until it has caught up and applied all events up to `heads`; False after `limit` seconds."""
        return await self._until(lambda: self._is_caught_up(heads), limit)

    def _is_caught_up(self, heads: Mapping[int, int]) -> bool:
        positions = self.memory.positions
        at_heads = all(positions[room] >= head for room, head in heads.items())
        return at_heads and self._connection is not None and self._connection.caught_up

    async def _until(self, holds: Callable[[], bool], limit: float) -> bool:
        try:
            async with asyncio.timeout(limit):
                while not holds():
                    await self._wait_for_change()
        except TimeoutError:
            return False
        return True

    async def _wait_for_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _lifetime(self) -> float:
        mean = self._traffic.lifetime
        return SILENCE_LIMIT if self.listen_only else min(self._rng.expovariate(1 / mean), SILENCE_LIMIT)

    async def _connect_once(self) -> float | None:
        url = self._rng.choice(self._urls)
        try:
            socket = await connect(
                url, compression=None, ping_interval=None, open_timeout=OPEN_LIMIT, close_timeout=OPEN_LIMIT
            )
        except (OSError, TimeoutError, EOFError, WebSocketException) as error:
            self.failures.append(repr(error))
            return reconnect_delay(Bye(code=0), self._rng)
        self._connections += 1
        self._connection = connection = Connection(self._connections, self.memory, self._journal, self._changed)
        self._journal.add(Opened(self._journal.clock(), self.memory.account.name, connection.number, url))
        own = await self._read_and_write(socket, connection)
        self._connection = None
        code = connection.bye.code or socket.close_code
        self._journal.add(Down(self._journal.clock(), self.memory.account.name, connection.number, code, own))
        return reconnect_delay(connection.bye, self._rng)

    async def _read_and_write(self, socket: ClientConnection, connection: Connection) -> bool:
        """Read and write until the socket ends; tell whether this client dropped it."""
        writer = asyncio.create_task(self._write(socket, connection))
        try:
            async with asyncio.timeout(self._lifetime()):
                await socket.send(connection.command("hello", self.memory.hello()))
                async for raw in socket:
                    reply = connection.take(raw)
                    if reply is not None:
                        await socket.send(reply)
                    if connection.must_reconnect:
                        return True
            return False
        except TimeoutError:
            return True
        except ConnectionClosed:
            return False
        finally:
            writer.cancel()
            socket.transport.abort()
            await _ended(writer)

    async def _write(self, socket: ClientConnection, connection: Connection) -> None:
        while not connection.welcomed:
            await self._wait_for_change()
        for pending in tuple(self.memory.unacked.values()):
            await socket.send(connection.send(pending))
        while True:
            while self.listen_only or len(self.memory.unacked) >= WINDOW:
                await self._wait_for_change()
            await self._send_message(socket, connection)

    async def _send_change(self, socket: ClientConnection, connection: Connection) -> None:
        pending = self.memory.change(self._rng, self._traffic.delete_share)
        at, name, message_id = self._journal.clock(), self.memory.account.name, pending.message_id or 0
        self._journal.add(Change(at, name, pending.room, pending.cid, message_id, pending.text))
        await socket.send(connection.send(pending))

    async def _send_turn(self, socket: ClientConnection, connection: Connection) -> None:
        pending, switch, is_on = self.memory.turn(self._rng)
        name = self.memory.account.name
        self._journal.add(Turn(self._journal.clock(), name, pending.cid, switch.name, is_on))
        await socket.send(connection.send(pending))

    async def _send_message(self, socket: ClientConnection, connection: Connection) -> None:
        if self.memory.mine and self._rng.random() < self._traffic.change_share:
            await self._send_change(socket, connection)
            return
        if self.memory.switches.all() and self._rng.random() < self._traffic.switch_share:
            await self._send_turn(socket, connection)
            return
        room = self._rng.choice(self._rooms)
        pending = self.memory.compose(room)
        name = self.memory.account.name
        self._journal.add(Invoke(self._journal.clock(), name, room, pending.cid, pending.text or ""))
        await socket.send(connection.send(pending))
        if self._rng.random() < self._traffic.read_share and (seq := self.memory.positions[room]):
            await socket.send(connection.command("read", {"room_id": room, "seq": seq}))
        if self._rng.random() < 1 / self._traffic.burst:
            await asyncio.sleep(self._rng.expovariate(1 / self._traffic.pause))


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a cancelled task. An exception other than ConnectionClosed is a bug in this client."""
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, ConnectionClosed):
        raise error
