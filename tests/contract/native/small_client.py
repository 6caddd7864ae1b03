"""A small client, written from docs/native.md alone: it uses nothing that the page does not say.

It keeps a copy of its rooms and of the account, sends messages until they are answered, and reconnects.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from . import copies

Json = dict[str, Any]
LOBBY = 2147483647
SIGN_IN_AGAIN = (4001, 4004, 4201)
SETTINGS = "topic", "archived", "slow_seconds", "notify"
PATIENCE = 0.05  # what the page calls a second: the tests need not wait so long


@dataclass
class Room:
    """A copy of a room. `position` is the seq of the last entry that was applied."""

    id: int
    position: int
    kind: str = ""
    name: str = ""
    role: str | None = None
    read_seq: int = 0
    unread: int = 0
    counted: int = 0  # the `head_seq` of the room from which `unread` was taken
    messages: dict[int, Json] = field(default_factory=dict)
    pins: list[int] = field(default_factory=list)
    more: Json = field(default_factory=dict)  # topic, archived, slow_seconds and notify, if they are set
    fetched: bool | None = None  # whether all messages before the live ones were fetched; None: that has not begun


class SmallClient:
    """One person's client. What is in `epoch`, `me` and `rooms` would be stored on a device."""

    def __init__(self, base: str, username: str, password: str) -> None:
        self.base = base
        self.login = {"username": username, "password": password}
        self.token = ""
        self.epoch: str | None = None
        self.account: Json = {}
        self.me: int | None = None  # the position in the own log
        self._past = 0  # the own log's head in the last answer to hello or sync: up to it, its entries are replayed
        self._current: set[int] = set()  # the rooms in that answer: it shows what the replayed entries led to
        self.rooms: dict[int, Room] = {}
        self.invitations: dict[int, Json] | None = None  # by room; None before they were fetched
        self.outbox: dict[str, Json] = {}  # by client_message_id, until the answer
        self.refused: dict[str, str] = {}  # by client_message_id: the code
        self.answers: dict[str, Json] = {}
        self.caught_up = False
        self.connections = 0
        self.codes: list[int | None] = []
        self.resets: list[Json] = []
        self.problems: list[str] = []
        self._http = httpx.AsyncClient(base_url=f"{base}/v1", trust_env=False, timeout=15)
        self._socket: ClientConnection | None = None
        self._waiting: dict[int, tuple[str, Callable[[Json], None]]] = {}
        self._sent: dict[int, str] = {}  # by command id: the client_message_id
        self._last_id = 0
        self._fetching: set[asyncio.Task[None]] = set()
        self._syncing = False
        self._ahead: set[int] = set()  # logs with a gap; 0 is the own log
        self._changed = asyncio.Event()

    # For the test.

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not (holds() and not self._fetching):
                self._changed.clear()
                await self._changed.wait()

    def send(self, room_id: int, text: str) -> str:
        """Rule 3: a new id before the first try, and the same id in every other try."""
        id = uuid.uuid4().hex
        self.outbox[id] = {"room_id": room_id, "text": text, "client_message_id": id}
        if self.caught_up:
            self._send_message(id)
        return id

    def read(self, room_id: int) -> None:
        self._command("read", {"room_id": room_id, "seq": self.rooms[room_id].position}, lambda answer: None)

    async def run(self) -> None:
        """Rule 5: when the socket closes, follow the rule for its close code."""
        wait, again = 0.0, PATIENCE
        while True:
            await asyncio.sleep(wait + random.random() * PATIENCE)
            code, bye = await self._connect()
            if self.caught_up:
                again = PATIENCE
            self.caught_up = False
            self.codes.append(code)
            self._changed.set()
            if code in SIGN_IN_AGAIN:
                self.token, wait = "", 0.0
            elif code is not None and 4000 <= code < 4100:
                self.problems.append(f"must not reconnect: {code}")
                return
            elif code is not None and 4200 <= code < 4300:
                wait = bye.get("retry_after_ms", 0) / 1000
            else:
                wait, again = again, min(30 * PATIENCE, again * 2)

    async def close(self) -> None:
        for task in self._fetching:
            task.cancel()
        await self._http.aclose()

    # The connection.

    async def _connect(self) -> tuple[int | None, Json]:
        self._waiting, self._sent, self._syncing, self._ahead = {}, {}, False, set()
        bye: Json = {}
        try:
            if not self.token:
                answer = await self._http.post("/login", json=self.login)
                self.token = answer.raise_for_status().json()["token"]
            limits = (await self._http.get("/limits")).raise_for_status().json()
            silence = (limits["ping_interval_ms"] + limits["pong_timeout_ms"]) / 1000 + 5
            address = self.base.replace("http", "ws", 1) + "/v1/socket"
            async with connect(address, proxy=None, ping_interval=None, max_size=None) as socket:
                self._socket = socket
                self.connections += 1
                self._say_hello()
                while True:
                    async with asyncio.timeout(silence):
                        frame = json.loads(await socket.recv())
                    bye = frame.get("bye", bye)
                    self._receive(frame)
                    self._changed.set()
        except ConnectionClosed as closed:
            return (closed.rcvd.code if closed.rcvd else None), bye
        except (OSError, TimeoutError, InvalidHandshake, httpx.HTTPError, EOFError):
            return None, bye
        finally:
            self._socket = None

    def _write(self, frame: Json) -> None:
        if self._socket is not None:
            socket = self._socket
            self._spawn(self._write_now(socket, json.dumps(frame)))

    async def _write_now(self, socket: ClientConnection, text: str) -> None:
        with contextlib.suppress(ConnectionClosed):  # the loop that reads sees it too
            await socket.send(text)

    def _command(self, name: str, fields: Json, done: Callable[[Json], None]) -> None:
        self._last_id += 1
        self._waiting[self._last_id] = name, done
        self._write({"id": self._last_id, name: fields})

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._fetching.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._fetching.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self.problems.append(repr(error))
            self._changed.set()

        task.add_done_callback(done)

    async def _ask(self, path: str, query: Json | None = None) -> httpx.Response:
        """Ask by REST. While the server does not answer, for example because it restarts, ask again."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                return await self._http.get(path, params=query, headers=self._bearer)
            await asyncio.sleep(0.1)

    # Hello. Rules 1 and 2: the epoch and all positions.

    def _say_hello(self) -> None:
        hello: Json = {"token": self.token}
        if self.epoch is not None:
            hello |= {"epoch": self.epoch, "me": self.me, "rooms": self._positions()}
        self._command("hello", hello, self._greeted)

    def _positions(self) -> dict[str, int]:
        return {str(room.id): room.position for room in self.rooms.values()}

    def _greeted(self, answer: Json) -> None:
        self.epoch, self.account, self._past = answer["epoch"], answer["me"], answer["me"]["seq"]
        self._current = {room["id"] for room in answer["rooms"]}
        if self.me is None:
            self.me = answer["me"]["seq"]
        if self.invitations is None:
            self.invitations = {}
            self._spawn(self._fetch_invitations())
        for room in answer["rooms"]:
            self._take_room(room)
        if "rooms_cursor" in answer:
            self._spawn(self._fetch_rooms(answer["rooms_cursor"]))

    async def _fetch_rooms(self, cursor: str | None = None) -> None:
        """Get the list of rooms, from a cursor or from the start. Forget rooms that are not in it."""
        begun, unlisted = True, set(self.rooms) - {LOBBY}
        while begun or cursor is not None:
            page = await self._get("/rooms", limit=200, **({} if cursor is None else {"cursor": cursor}))
            for room in page["items"]:
                self._take_room(room)
                unlisted.discard(room["id"])
            begun, cursor = False, page["cursor"]
        for id in unlisted:
            self.rooms.pop(id, None)

    async def _fetch_invitations(self) -> None:
        """Get what the account is invited into. If the own log moves meanwhile, the answer may be older than that."""
        before: int | None = -1
        while before != self.me:
            before = self.me
            page = await self._get("/invitations", limit=200)
        self.invitations = {one["room"]["id"]: one for one in page["items"]}

    def _take_room(self, data: Json) -> Room:
        """Take a room as of its `head_seq`. If there is no position yet, it is this seq. Ask again if it is too old."""
        room = self.rooms.get(data["id"])
        if room is not None and (data["head_seq"] < room.position or (data["read_seq"] or 0) < room.read_seq):
            self._spawn(self._refresh(room.id))
            return room
        if room is None:
            room = self.rooms[data["id"]] = Room(data["id"], data["head_seq"])
        if room.fetched is None:
            room.fetched = False
            self._spawn(self._fetch_history(room, room.position))
        room.kind, room.name, room.role = data["kind"], data["name"], data["role"]
        room.more = {key: data[key] for key in SETTINGS if key in data}
        room.read_seq, room.unread = data["read_seq"] or 0, data["unread"] or 0
        room.counted = data["head_seq"]
        return room

    async def _fetch_history(self, room: Room, upto: int) -> None:
        """Get all messages before the live ones, and the pins. Whoever was put out meanwhile may not read them."""
        try:
            await self._fetch_messages(room, upto + 1)
            if room.id != LOBBY:
                await self._fetch_pins(room)
            room.fetched = True
        except httpx.HTTPStatusError as refused:
            if refused.response.status_code not in (403, 404):
                raise
            await self._refresh(room.id)

    async def _fetch_messages(self, room: Room, before: int) -> None:
        while True:
            page = await self._get(f"/rooms/{room.id}/messages", before_seq=before, limit=200)
            if page["head_seq"] < room.position:
                continue  # it is older than events that were applied already
            for message in page["items"]:
                room.messages[message["seq"]] = message
            if not page["has_more_before"]:
                return
            before = page["items"][0]["seq"]

    async def _fetch_pins(self, room: Room) -> None:
        page = {"head_seq": -1}
        while page["head_seq"] < room.position:
            page = await self._get(f"/rooms/{room.id}/pins", limit=200)
        room.pins = [one["message"]["id"] for one in page["items"]]

    async def _refresh(self, room_id: int) -> None:
        """Get a room of which only an event is known, or that was reset, and forget it if it is not ours any more.

        If the own log moves meanwhile, the answer may be older than a `left`.
        """
        before: int | None = -1
        while before != self.me:
            before = self.me
            answer = await self._ask(f"/rooms/{room_id}")
        found = None if answer.status_code == 404 else answer.raise_for_status().json()
        if found is None or (found["role"] is None and room_id != LOBBY):
            self.rooms.pop(room_id, None)
        else:
            self._take_room(found)

    async def _get(self, path: str, **query: Any) -> Json:
        answer = await self._ask(path, query)
        found: Json = answer.raise_for_status().json()
        return found

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    # Frames.

    def _receive(self, frame: Json) -> None:
        if frame == {}:
            self._write({})
        elif "id" in frame:
            self._answered(frame)
        elif "caught_up" in frame:
            self._syncing = False
            if self._ahead:
                self._sync()
            if not self.caught_up:
                self.caught_up = True
                for id in list(self.outbox):
                    self._send_message(id)
        elif "reset" in frame:
            self._reset(frame["reset"])
        elif "gone" in frame:
            for id in frame["gone"]["room_ids"]:
                self.rooms.pop(id, None)
        elif "error" in frame:
            self.problems.append(f"{frame}")
        elif "me" in frame:
            self._own_event(frame["me"])
        else:
            [(kind, body)] = frame.items()
            if "seq" in body and "room_id" in body:
                self._room_event(kind, body)

    def _answered(self, frame: Json) -> None:
        name, done = self._waiting.pop(frame["id"])
        if "error" not in frame:
            done(frame[name])
        elif name == "send":
            self._refused(frame["error"], self._sent.pop(frame["id"]))
        elif name == "read" and frame["error"]["code"] in ("not_found", "not_member"):
            pass  # it was put out of the room, and hears of it next
        elif name != "hello":  # after that one, `bye` follows
            self.problems.append(f"{name}: {frame}")

    def _refused(self, error: Json, id: str) -> None:
        """Send the message again, or give it up. `unauthenticated` refuses the socket, and not the message."""
        if error["temporary"]:
            self._spawn(self._send_again(id, error["retry_after_ms"] / 1000))
        elif error["code"] != "unauthenticated":
            self.refused[id] = error["code"]
            self.outbox.pop(id, None)

    async def _send_again(self, id: str, wait: float) -> None:
        await asyncio.sleep(wait + random.random() * PATIENCE)
        if self.caught_up and id in self.outbox:
            self._send_message(id)

    def _send_message(self, id: str) -> None:
        message = self.outbox[id]
        self._last_id += 1
        command_id = self._last_id

        def done(answer: Json) -> None:
            self.answers[id] = answer
            self._sent.pop(command_id)
            self.outbox.pop(id, None)

        self._sent[command_id] = id
        self._waiting[command_id] = "send", done
        self._write({"id": command_id, "send": message})

    def _reset(self, reset: Json) -> None:
        self.resets.append(reset)
        if reset.get("me"):
            self.me = reset["seq"]
            self._spawn(self._fetch_rooms())
            self._spawn(self._fetch_account())
            self._spawn(self._fetch_invitations())
            return
        self.rooms[reset["room_id"]] = Room(reset["room_id"], reset["seq"])
        self._spawn(self._refresh(reset["room_id"]))

    async def _fetch_account(self) -> None:
        self.account |= await self._get("/me")

    def _is_next(self, log: int, position: int, seq: int) -> bool:
        """Rule 4: apply an event only if it is the next of its log. If it is a later one, ask for the gap."""
        if seq == position + 1:
            self._ahead.discard(log)
            return True
        if seq > position:
            self._ahead.add(log)
            if not self._syncing:
                self._sync()
        return False

    def _sync(self) -> None:
        self._syncing = True
        positions = {str(id): room.position for id, room in self.rooms.items() if id in self._ahead}
        self._command("sync", {"rooms": positions} | ({"me": self.me} if 0 in self._ahead else {}), self._synced)

    def _synced(self, answer: Json) -> None:
        self._past, self._current = answer["me"], set()

    def _own_event(self, event: Json) -> None:
        if self.me is None or not self._is_next(0, self.me, event["seq"]):
            return
        self.me = event["seq"]
        self._take_invitation(event)
        if self.me <= self._past and ("joined" in event or "left" in event):
            id = event["left"]["room_id"] if "left" in event else event["joined"]["room"]["id"]
            if id not in self._current:  # what is so now is not in the answer
                self._spawn(self._refresh(id))
        elif "joined" in event:
            room = event["joined"]["room"]
            if room["id"] not in self.rooms:
                self.rooms[room["id"]] = Room(room["id"], room["head_seq"], room["kind"], room["name"])
                self._spawn(self._refresh(room["id"]))
        elif "left" in event:
            self.rooms.pop(event["left"]["room_id"], None)
        elif "read" in event:
            self._read_elsewhere(**event["read"])
        elif "notify" in event and event["notify"]["room_id"] in self.rooms:
            self._set(self.rooms[event["notify"]["room_id"]], notify=event["notify"]["level"])
        elif "account" in event:
            self.account |= event["account"]
            self._spawn(self._fetch_account())

    def _take_invitation(self, event: Json) -> None:
        invitations = self.invitations if self.invitations is not None else {}
        if "invited" in event:
            invitations[event["invited"]["room"]["id"]] = event["invited"]
        elif "uninvited" in event:
            invitations.pop(event["uninvited"]["room_id"], None)
        elif "joined" in event:
            invitations.pop(event["joined"]["room"]["id"], None)

    def _read_elsewhere(self, room_id: int, seq: int) -> None:
        room = self.rooms.get(room_id)
        if room is None or seq <= room.read_seq:
            return
        if not room.fetched:
            self._spawn(self._refresh(room_id))
            return
        room.read_seq, room.counted = seq, room.position
        room.unread = sum(self._counts(message, room) for message in room.messages.values())

    def _room_event(self, kind: str, event: Json) -> None:
        room = self.rooms.get(event["room_id"])
        if room is None:
            room = self.rooms[event["room_id"]] = Room(event["room_id"], event["seq"] - 1)
            self._spawn(self._refresh(room.id))
        if not self._is_next(room.id, room.position, event["seq"]):
            return
        room.position = event["seq"]
        counted = kind == "deleted" and self._counts(room.messages.get(event["message_seq"]), room)
        copies.apply(room.messages, room.pins, kind, event, self.account["id"])
        if event["seq"] <= room.counted:
            return  # the room was taken as of a later seq
        if kind == "message":
            self._count(room, event)
        elif kind == "owner":
            if event["account"]["id"] == self.account["id"]:
                room.role = "owner"
            elif event["by_id"] == self.account["id"]:
                room.role = "member"
        elif kind == "role" and event["account"]["id"] == self.account["id"]:
            room.role = event["role"]
        elif kind == "renamed":
            room.name = event["name"]
        elif kind == "updated":
            self._set(room, **{key: event[key] for key in SETTINGS if key in event})
        elif counted:
            room.unread -= 1

    def _counts(self, message: Json | None, room: Room) -> bool:
        """Whether a message counts as unread."""
        if message is None or "deleted_by_id" in message or message["kind"] != "text":
            return False
        return message["seq"] > room.read_seq and message["sender"]["id"] != self.account["id"]

    @staticmethod
    def _set(room: Room, **settings: Any) -> None:
        """A setting that is as in a new room is left out."""
        room.more |= settings
        room.more = {key: value for key, value in room.more.items() if value and value != "all"}

    def _count(self, room: Room, message: Json) -> None:
        if message["sender"]["id"] == self.account["id"]:
            room.read_seq, room.unread = message["seq"], 0
        elif message["kind"] == "text" and message["seq"] > room.read_seq:
            room.unread += 1
