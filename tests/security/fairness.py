"""Measures how much longer an account waits while others attack: `python -m tests.security.fairness [--turns N]`.

In each turn, an account sends messages to a server, one after another, while `attack.py` attacks an idle second server,
and then while it attacks the same server. So the attack takes the same part of the machine both times.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import attack
from .witness import Seen, WitnessedServer

ATTACK = Path(attack.__file__)
WARM_UP = 3.0  # seconds until all attacks run
MESSAGES, PAUSE = 300, 0.02
TIMES_SLOWER, HEALTHZ_SECONDS, TIMES_LARGER = 2.0, 0.05, 1.5  # the limits
_names = count()


def call(server: WitnessedServer, path: str, body: dict[str, Any], token: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(server.base + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def token_of_new_account(server: WitnessedServer) -> str:
    login = {"username": f"person{next(_names)}", "password": "correct horse battery"}
    call(server, "/v1/register", login)
    token: str = call(server, "/v1/login", login)["token"]
    return token


@contextlib.contextmanager
def attacked(server: WitnessedServer, token: str) -> Iterator[None]:
    """Attack a server during the block. `token` is that of the account that attacks."""
    host, port = server.address
    command = [sys.executable, str(ATTACK), host, str(port), token]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def send_messages(server: WitnessedServer, token: str, messages: int) -> list[float]:
    """Send messages, each after the answer to the last one. Returns how long each answer took, in seconds."""
    room_id = call(server, "/v1/rooms", {"kind": "group", "name": "Ours"}, token)["id"]
    waited: list[float] = []
    with attack.connect(*server.address) as opened:
        attack.hello(opened, token)
        _read_until(opened, b'"caught_up"')
        opened.sendall(attack.frame(json.dumps({"id": 2, "leave": {"room_id": attack.LOBBY}})))
        _read_until(opened, b'{"id":2,')
        for id in range(100, 100 + messages):
            began = time.perf_counter()
            send = {"id": id, "send": {"room_id": room_id, "text": "hi"}}
            opened.sendall(attack.frame(json.dumps(send)))
            _read_until(opened, b'{"id":%d,"send"' % id)
            waited.append(time.perf_counter() - began)
            time.sleep(PAUSE)
    return waited


def _read_until(opened: Any, part: bytes) -> None:
    received = b""
    while part not in received:
        more = opened.recv(1 << 16)
        if not more:
            raise ConnectionError("the server closed the connection")
        received += more


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * len(seconds))]


def show(name: str, waited: list[float], seen: Seen) -> None:
    p50 = sorted(waited)[len(waited) // 2]
    figures = {"p50": p50, "p99": p99(waited), "/healthz p99": p99(seen.waits)}
    print(f"{name:12}", *(f"{figure} {1000 * value:6.1f} ms " for figure, value in figures.items()), seen, flush=True)


def measure(turns: int) -> list[str]:
    """Print the figures of each turn. Returns a sentence for each limit that was not kept."""
    calm, busy, health = list[float](), list[float](), list[float]()
    grown = 1.0
    with (
        TemporaryDirectory() as one,
        TemporaryDirectory() as two,
        WitnessedServer(Path(one)) as server,
        WitnessedServer(Path(two)) as other,
    ):
        token, attacker, elsewhere = map(token_of_new_account, (server, server, other))
        memory = 0
        for _ in range(turns):
            with attacked(other, elsewhere):
                time.sleep(WARM_UP)
                with server.watch() as seen:
                    calm += (waited := send_messages(server, token, MESSAGES))
            memory = memory or server.memory  # once the server has done what it does every day
            show("undisturbed", waited, seen)
            with attacked(server, attacker):
                time.sleep(WARM_UP)
                with server.watch() as seen:
                    busy += (waited := send_messages(server, token, MESSAGES))
                grown = server.memory / memory
            show("attacked", waited, seen)
            health += seen.waits
    slower = p99(busy) / p99(calm)
    print(f"p99: {slower:.2f} times as long; /healthz p99: {1000 * p99(health):.1f} ms; memory: {grown:.2f} times")
    limits = {"p99": slower <= TIMES_SLOWER, "/healthz": p99(health) < HEALTHZ_SECONDS, "memory": grown < TIMES_LARGER}
    return [f"{name} is over its limit" for name, kept in limits.items() if not kept]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    if broken := measure(parser.parse_args().turns):
        sys.exit("; ".join(broken))
