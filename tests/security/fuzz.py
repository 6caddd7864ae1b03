"""Bad input without end: `python -m tests.security.fuzz --minutes 10 [--seed N] [--dialect NAME] [--case N]`.

Each case is one connection with something wrong in it (`cases.py`). After each case the server has to be alive, no
callback may have held the loop for 50 ms of CPU time, and nothing may have failed. From time to time, a message of
another account has to arrive, and the memory has to be within its bound. A case that fails is played again, and counts
only if it fails each time. `--case` plays the case of a seed and a number again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import attack
from .cases import Case, case_of, shortened
from .corpus import frame
from .doors import LOBBY, PASSWORD, POLL, REQUESTS, TALKS
from .fairness import call
from .witness import LIMIT, TIMEOUT, WitnessedServer

SETTINGS = {
    "VECHE_TRUSTED_PROXIES": "127.0.0.1",
    "VECHE_ORIGINS": "https://chat.example.com",
    "VECHE_ACCESS_LOG": "true",
    "VECHE_REGISTRATIONS_AT_ONCE": "100000",
    "VECHE_LOOKUPS_PER_MINUTE": "100000",
    "VECHE_PEOPLE_PER_HOUR": "100000",
}
DIALECTS = sorted({one.dialect for one in (*REQUESTS, *TALKS)})
PATIENCE = 2.0  # seconds to wait for the answer to a whole case
SHORT_PATIENCE = 0.03  # seconds, if perhaps no answer comes
WAIT = 0.1  # seconds that /healthz may take; a longer wait is looked into
TRIES = 3  # a fault counts if it is seen each time
OFTEN = 100  # cases between two messages of another account
GROWTH = 200_000_000  # bytes that the memory may grow by
_DONE = b"all is done"
_PING = frame(_DONE, 9)
_ENDED = re.compile(rb"\x8a" + bytes((len(_DONE),)) + _DONE + rb"|\x88[\x00-\x7d](|[\x03-\x13].{1,124})$", re.DOTALL)
"""The pong, or a close frame."""
_INTERNAL = re.compile(rb"\x88[\x02-\x7d]\x03\xf3", re.DOTALL)  # a close frame with 1011
_ERROR = re.compile(r"Traceback .*?\n(?:[ |]+ .*\n)*(?:[ |]*)?([A-Za-z_.]+(?:Error|Exception|Group)?:? .*)\n")
_STATUS = re.compile(rb"HTTP/1\.[01] (5\d\d) ")
_numbers = count(1)


# The world: accounts, rooms with many messages, and people who listen.


@dataclass
class World:
    """A server with people. The account `ann` sends what is bad. Bob and Carol have a room of their own."""

    server: WitnessedServer
    names: dict[str, str]
    bob: str
    room: int
    """Bob's room."""


def world_of(server: WitnessedServer, people: int, messages: int) -> World:
    """Fill a server: ann owns a room with all people and many messages; the lobby has large ones."""

    def register(name: str) -> tuple[str, int]:
        made = call(server, "/v1/register", {"username": name, "password": PASSWORD})
        return made["token"], made["me"]["id"]

    (ann, ann_id), (bob, _), (carol, carol_id) = map(register, ("ann", "bob", "carol"))
    with ThreadPoolExecutor(8) as pool:
        others = list(pool.map(register, (f"p{number}" for number in range(people))))
        ids = [id for _, id in others]
        team = {"kind": "group", "name": "Team", "member_ids": ids[:100]}
        room = call(server, "/v1/rooms", team, ann)["id"]
        list(pool.map(lambda other: call(server, f"/v1/rooms/{room}/join", {}, other[0]), others[:100]))
    for number in range(people // 4):
        call(server, "/v1/rooms", {"kind": "channel", "name": f"Room {number}"}, ann)
    ended = call(server, "/v1/login", {"username": "ann", "password": PASSWORD})["token"]
    names = {
        "token": ann,
        "ended": f"{ended[:-4]}AAAA",
        "room": str(room),
        "person": str(ids[0]),
        "direct": str(call(server, "/v1/rooms", {"kind": "direct", "member_ids": ids[:1]}, ann)["id"]),
        "channel": str(call(server, "/v1/rooms", {"kind": "channel", "name": "Open"}, bob)["id"]),
        "ann": str(ann_id),
    }
    _say(server, ann, room, messages)
    _say_in_the_lobby(server, ann, messages // 50)
    own = call(server, "/v1/rooms", {"kind": "group", "name": "Own", "member_ids": [carol_id]}, bob)["id"]
    call(server, f"/v1/rooms/{own}/join", {}, carol)
    return World(server, names, bob, own)


def _say(server: WitnessedServer, token: str, room_id: int, number: int) -> None:
    """Send messages. One of ten is as large as a frame may be."""
    with attack.connect(*server.address) as opened:
        attack.hello(opened, token)
        read_until(opened, b'"caught_up"')
        for id in range(2, number + 2):
            text = "\x01" * 10_500 if id % 10 == 0 else "hi"
            send = {"id": id, "send": {"room_id": room_id, "text": text}}
            opened.sendall(attack.frame(json.dumps(send, ensure_ascii=True)))
            if id % 100 == 0 or id == number + 1:
                read_until(opened, b'{"id":%d,' % id)


def _say_in_the_lobby(server: WitnessedServer, token: str, number: int) -> None:
    """Send texts that are as large as they may be, and six times as large as JSON."""
    with attack.connect(*server.address, "/connect") as opened:
        opened.sendall(attack.frame(token))
        for _ in range(number):
            opened.sendall(attack.frame("\x01" * 65_000))
            read_until(opened, b'"timestamp"')


def read_until(opened: socket.socket, part: bytes) -> None:
    received = b""
    while part not in received:
        more = opened.recv(1 << 16)
        assert more, "the server closed the connection"
        received = received[-len(part) :] + more


@contextlib.contextmanager
def listeners(world: World) -> Iterator[None]:
    """Listen in the lobby through every dialect, as people do, during the block."""
    token, room = world.bob, LOBBY
    talks = (
        ("/v1/socket", json.dumps({"id": 1, "hello": {"token": token, "rooms": {str(LOBBY): LOBBY}}})),
        ("/connect", token),
        (f"/ws?token={token}", json.dumps({"type": "join", "content": str(room)})),
        (f"/pub_ws/bob?token={token}", ""),
        (f"/ws/{room}?token={token}", ""),
        ("/socket.io/?EIO=4&transport=websocket", f'40{{"token":"{token}"}}'),
    )
    with contextlib.ExitStack() as closing:
        opened = []
        for path, first in talks:
            peer = closing.enter_context(attack.connect(*world.server.address, path))
            if first:
                peer.sendall(attack.frame(first))
            opened.append(peer)
        stop = threading.Event()
        thread = threading.Thread(target=_listen, args=(opened, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(TIMEOUT)


def _listen(opened: list[socket.socket], stop: threading.Event) -> None:
    """Read all, and answer each heartbeat."""
    beats = {b"\x81\x02{}": frame(b"{}"), b"\x89\x00": frame(b"", 10), b"\x81\x012": frame(b"3")}
    while opened and not stop.is_set():
        for peer in select.select(opened, [], [], 0.2)[0]:
            try:
                data = peer.recv(1 << 20)
                for beat, answer in beats.items():
                    if data.endswith(beat):
                        peer.sendall(answer)
            except OSError:
                data = b""
            if not data:
                opened.remove(peer)


# Playing a case.


def filled_in(world: World, data: bytes) -> bytes:
    """Put the values of the world's names in the place of the names in braces."""
    if b"{" not in data:
        return data
    for name, value in world.names.items():
        data = data.replace(b"{%b}" % name.encode(), value.encode())
    if b"{new}" in data or b"{short}" in data:
        number = next(_numbers)
        data = data.replace(b"{new}", b"new%d" % number).replace(b"{short}", b"s%d" % number)
    if b"{sid}" in data:
        data = data.replace(b"{sid}", _polling(world).encode())
    return data


def _polling(world: World) -> str:
    """Enter the namespace by polling. Return the id of the connection."""
    host = "Host: localhost\r\nConnection: close\r\n"
    opening = exchange(world.server, [f"GET {POLL} HTTP/1.1\r\n{host}\r\n".encode()])
    sid = opening.partition(b'"sid":"')[2].partition(b'"')[0].decode()
    packet = f'40{{"token":"{world.names["token"]}"}}'
    head = f"POST {POLL}&sid={sid} HTTP/1.1\r\n{host}Content-Length: {len(packet)}\r\n\r\n"
    exchange(world.server, [(head + packet).encode()])
    return sid


def play(world: World, case: Case) -> bytes:
    """Play a case. Return what the server sent, at least its beginning and its end."""
    patience = PATIENCE if case.is_whole else SHORT_PATIENCE
    if not case.is_websocket:
        return exchange(world.server, case.writes, None, patience)
    return exchange(world.server, [*case.writes, _PING], _ENDED, patience)


def exchange(
    server: WitnessedServer,
    writes: list[bytes],
    ended: re.Pattern[bytes] | None = None,
    patience: float = PATIENCE,
    keep: int | None = 500_000,
) -> bytes:
    """Write to a new connection, and read until the server closes it, or until what came last is `ended`.

    With several writes, the others follow when the head of an answer with 101 has come. Also ends when nothing has
    come, and nothing could be written, for `patience` seconds. Returns the first and the last `keep` bytes, or all.
    """
    received = bytearray()
    left = writes[0]
    waiting = writes[1:]
    with socket.create_connection(server.address, TIMEOUT) as peer:
        peer.setblocking(False)
        while True:
            readable, writable, _ = select.select([peer], [peer] if left else [], [], patience)
            if not readable and not writable:
                return bytes(received)
            try:
                if readable:
                    data = peer.recv(1 << 20)
                    received += data
                    if not data or (ended is not None and ended.search(received[-len(data) - 200 :])):
                        return bytes(received)
                    if keep is not None:
                        del received[keep:-keep]
                if writable:
                    left = left[peer.send(left) :]
            except OSError:  # the server has closed the connection
                return bytes(received)
            if waiting and b"\r\n\r\n" in received:
                if b" 101 " not in received[:20]:
                    return bytes(received)
                left, waiting = left + b"".join(waiting), []


# Judging.


def faults_in(received: bytes, is_websocket: bool) -> list[str]:
    """Find what a server may never send: a 5xx that is not 503, or a close with 1011."""
    faults = [f"answered {found.decode()}" for found in _STATUS.findall(received) if found != b"503"]
    if is_websocket and _INTERNAL.search(received):
        faults.append("closed with 1011")
    return faults


@dataclass
class Judge:
    """Reads what the server reports about its callbacks and in its log, from where it read the last time."""

    server: WitnessedServer
    worst: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By dialect, the longest callback."""
    held: set[str] = field(default_factory=set)
    """What held the loop for too long, since the last call but one of `failures`."""
    _reported: int = 0
    _logged: int = 0

    def __post_init__(self) -> None:
        self.memory = self.server.memory
        self.skip()

    def skip(self) -> None:
        self._read_callbacks()
        self._read_log()

    def failures(self, dialect: str) -> list[str]:
        """Return what has failed since the last call, and set `held`. Fails if the server is not there any more."""
        began = time.perf_counter()
        _healthz(self.server)
        waited = time.perf_counter() - began
        callbacks = self._read_callbacks()
        if callbacks:
            self.worst[dialect] = max(self.worst.get(dialect, (0.0, "")), *callbacks)
        self.held = {f"{name} held the loop" for took, name in callbacks if took > LIMIT}
        if waited > WAIT and not self.held:
            self.held = {"the loop stood still"}
        return [f"logged {re.sub('0x[0-9a-f]+', '', found)}" for found in _ERROR.findall(self._read_log())]

    def _read_callbacks(self) -> list[tuple[float, str]]:
        with self.server._report.open("rb") as report:
            report.seek(self._reported)
            lines = report.read()
        lines = lines[: lines.rfind(b"\n") + 1]
        self._reported += len(lines)
        found = (line.partition(" ") for line in lines.decode().splitlines())
        return [(float(took), name) for took, _, name in found]

    def _read_log(self) -> str:
        with (self.server.folder / "server.log").open("rb") as log:
            log.seek(self._logged)
            lines = log.read()
        self._logged += len(lines)
        return lines.decode(errors="replace")


def _healthz(server: WitnessedServer) -> None:
    answer = exchange(server, [b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"], patience=TIMEOUT)
    assert b'{"status":"ok"}' in answer, f"/healthz answered {answer!r}"


def judged(world: World, judge: Judge, make: Callable[[], Case]) -> list[str]:
    """Play a case. Return what went wrong. That the loop was held counts only if it is so each time."""
    held: set[str] = set()
    for tried in range(TRIES):
        case = make()
        received = play(world, case)
        if faults := [*faults_in(received, case.is_websocket), *judge.failures(case.dialect)]:
            return faults
        held = judge.held & held if tried else judge.held
        if not held:
            return []
    return sorted(held)


def check_others(world: World) -> None:
    """Check that a message of another account arrives."""
    text = f"message {next(_numbers)}"
    with attack.connect(*world.server.address) as opened:
        attack.hello(opened, world.bob)
        read_until(opened, b'"caught_up"')
        send = {"id": 2, "send": {"room_id": world.room, "text": text}}
        opened.sendall(attack.frame(json.dumps(send)))
        read_until(opened, b'"text":"%b"' % text.encode())


def check(world: World, judge: Judge) -> None:
    """Check what takes longer: others, and the memory."""
    check_others(world)
    grown = world.server.memory - judge.memory
    assert grown < GROWTH, f"the memory has grown by {grown // 1_000_000} MB"


def run(
    world: World, judge: Judge, numbers: Iterator[int], seed: int, dialect: str | None, tell: Callable[[str], Any]
) -> dict[str, int]:
    """Play cases. Tells each fault once, with its case. Returns how many cases there were, by dialect."""
    played: dict[str, int] = {}
    told: set[tuple[str, str]] = set()
    for number in numbers:
        make = partial(case_of, seed, number, partial(filled_in, world), dialect)
        case = make()
        played[case.dialect] = played.get(case.dialect, 0) + 1
        for fault in judged(world, judge, make):
            if (case.dialect, fault) not in told:
                told.add((case.dialect, fault))
                replay = f"--seed {seed} --case {number}" + (f" --dialect {dialect}" if dialect else "")
                writes = "\n    ".join(map(shortened, case.writes))
                tell(f"{fault}: {replay}: {case.dialect}: {'; '.join(case.what)}\n    {writes}")
        if number % OFTEN == 0:
            check(world, judge)
    check(world, judge)
    return played


def until(seconds: float) -> Iterator[int]:
    """Yield numbers until the time is over."""
    end = time.monotonic() + seconds
    for number in count(1):
        if time.monotonic() > end:
            return
        yield number


@contextlib.contextmanager
def _served(folder: Path, faults: list[str]) -> Iterator[WitnessedServer]:
    """Serve during the block. At its end the server complains of its log, unless that is among the faults already."""
    try:
        with WitnessedServer(folder, SETTINGS) as server:
            yield server
    except AssertionError:
        if not any("logged" in fault for fault in faults):
            raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--dialect", choices=DIALECTS)
    parser.add_argument("--case", type=int, help="play this case again")
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--messages", type=int, default=3_000)
    chosen = parser.parse_args()
    faults: list[str] = []
    with TemporaryDirectory() as folder, _served(Path(folder), faults) as server:
        world = world_of(server, chosen.people, chosen.messages)
        judge = Judge(server)
        numbers = iter([chosen.case]) if chosen.case is not None else until(60 * chosen.minutes)

        def tell(fault: str) -> None:
            faults.append(fault)
            print(fault, flush=True)

        with listeners(world):
            played = run(world, judge, numbers, chosen.seed, chosen.dialect, tell)
        for dialect, number in sorted(played.items()):
            took, name = judge.worst.get(dialect, (0.0, "none over 10 ms"))
            print(f"{dialect:10} {number:7,} cases; the longest callback: {1000 * took:3.0f} ms ({name})")
        grown = (server.memory - judge.memory) / 1_000_000
        print(f"seed {chosen.seed}; {sum(played.values()):,} cases; {len(faults)} faults; memory: {grown:+.0f} MB")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
