"""Several workers on PostgreSQL: they share one port, are replaced one by one, and start again after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.rolling import Workers, run
from tests.services import MissingError, Redis
from tests.services.fixtures import skip
from tests.veche_process import free_port, run_veche

BUS = {"VECHE_BUS_URL": "postgresql", "VECHE_DRAIN_SECONDS": "1"}
on_both_buses = pytest.mark.parametrize("bus", ["postgresql", "redis"], indirect=True)
JOIN, ANSWER = "40", "44"  # without a token, the answer is that the client may not enter


@pytest.fixture
def bus(request: pytest.FixtureRequest) -> str:
    """The URL of the bus: PostgreSQL, unless the test is `on_both_buses`."""
    kind = getattr(request, "param", "postgresql")
    return str(request.getfixturevalue("redis_url")) if kind == "redis" else kind


@pytest.fixture
def server(tmp_path: Path, postgres_url: str, bus: str) -> Iterator[Workers]:
    settings = BUS | {"VECHE_BUS_URL": bus, "VECHE_WORKERS": "2"}
    with Workers(tmp_path, settings, stored_at=postgres_url) as found:
        until(lambda: found.log.count("Veche 0.1.0 is on") == 2)
        yield found


def until(holds: Callable[[], object]) -> None:
    while not holds():  # the test's timeout ends it
        time.sleep(0.02)


def workers_of(server: Workers) -> list[int]:
    process = server.process.pid
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def fails(url: str, *words: str, **settings: str) -> str:
    """Run `veche serve`, which must end by itself with one sentence, and return it."""
    done = run_veche("serve", "--port", str(free_port()), "--database-url", url, *words, settings=settings)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def test_several_workers_need_a_database_and_a_bus_that_they_can_share(tmp_path: Path) -> None:
    on_sqlite = fails(f"sqlite:///{tmp_path}/x.db", "--workers", "2", **BUS)
    assert "VECHE_DATABASE_URL" in on_sqlite
    assert "VECHE_BUS_URL" in fails("postgresql://127.0.0.1/x", VECHE_WORKERS="2")
    assert list(tmp_path.iterdir()) == []


def test_a_first_worker_that_cannot_start_says_why_once(tmp_path: Path) -> None:
    said = fails(f"postgresql://127.0.0.1:{free_port()}/x", "--workers", "2", **BUS)
    assert said.count("connection failed") == 1


def test_a_second_node_without_a_bus_is_refused(tmp_path: Path, postgres_url: str) -> None:
    with Workers(tmp_path, stored_at=postgres_url):
        assert "Several nodes need a bus: set VECHE_BUS_URL" in fails(postgres_url)


@pytest.mark.long
@pytest.mark.timeout(180)
@on_both_buses
def test_three_rolling_restarts_lose_nothing_and_show_no_error(server: Workers) -> None:
    before = workers_of(server)
    outcome = asyncio.run(run(server, [Workers.roll] * 3, clients=4))
    assert outcome.violations == []
    assert outcome.errors == []
    assert outcome.acked > 100
    assert outcome.sent_away >= 4 * 3, "each client was on a worker that was replaced, at least once in each restart"
    assert set(before).isdisjoint(workers_of(server))


@pytest.mark.long
def test_a_worker_that_was_killed_is_started_again(server: Workers) -> None:
    killed, other = workers_of(server)
    os.kill(killed, signal.SIGKILL)
    until(lambda: server.log.count("Veche 0.1.0 is on") == 3)
    assert killed not in workers_of(server)
    assert other in workers_of(server)
    assert httpx.get(f"{server.base}/readyz").status_code == 200
    assert "has ended by itself (-9); it is started again" in server.log


@pytest.mark.long
def test_a_roll_waits_while_the_bus_is_away(tmp_path: Path, postgres_url: str) -> None:
    settings = {"VECHE_WORKERS": "2", "VECHE_DRAIN_SECONDS": "0"}
    try:
        redis = Redis()
    except MissingError as missing:
        skip(missing)
    with redis, Workers(tmp_path, settings | {"VECHE_BUS_URL": redis.url()}, stored_at=postgres_url) as server:
        until(lambda: server.log.count("Veche 0.1.0 is on") == 2)
        old = workers_of(server)
        redis.kill()
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "INFO    veche[3]: Veche 0.1.0 is on" in server.log)
        until(lambda: "WARNING veche.bus[3]" in server.log)
        assert set(old) < set(workers_of(server)), "ready workers were replaced by one that is not"
        redis.start()
        until(lambda: "all workers were replaced" in server.log)
        assert set(old).isdisjoint(workers_of(server))


@pytest.mark.timeout(180)
@on_both_buses
def test_nothing_is_lost_if_workers_are_killed(server: Workers) -> None:
    async def kill_one(of: Workers) -> None:
        starts = of.log.count("Veche 0.1.0 is on")
        os.kill(workers_of(of)[0], signal.SIGKILL)
        while of.log.count("Veche 0.1.0 is on") == starts:  # noqa: ASYNC110  # another process writes the log
            await asyncio.sleep(0.05)

    outcome = asyncio.run(run(server, [kill_one] * 2, clients=4))
    assert outcome.violations == []
    assert outcome.acked > 50


@pytest.mark.long
def test_it_gives_up_if_workers_end_again_and_again(tmp_path: Path, postgres_url: str) -> None:
    server = Workers(tmp_path, BUS | {"VECHE_WORKERS": "2"}, stored_at=postgres_url).start()
    while server.process.poll() is None:
        with contextlib.suppress(OSError):  # they have ended meanwhile
            for worker in workers_of(server):
                os.kill(worker, signal.SIGKILL)
        time.sleep(0.02)
    assert server.ended() == 1
    assert "the workers end again and again" in server.log


@pytest.mark.long
def test_workers_do_not_outlive_their_parent(server: Workers) -> None:
    workers = workers_of(server)
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_the_log_names_the_worker_and_the_greeting_comes_once(server: Workers) -> None:
    named = re.findall(r"worker (\d) is process (\d+)", server.log)
    assert [number for number, _ in named] == ["1", "2"]
    assert {int(process) for _, process in named} == set(workers_of(server))
    assert "INFO    veche[1]: Veche 0.1.0 is on" in server.log
    assert "INFO    veche[2]: Veche 0.1.0 is on" in server.log
    server.process.send_signal(signal.SIGTERM)
    assert server.process.stdout is not None
    assert server.process.stdout.read() == ""
    assert server.ended() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.base}/healthz")


# Sessions of Socket.IO.


class Browser:
    """A client with one HTTP connection, so that one worker gets all its requests, and with a session of its own."""

    def __init__(self, server: Workers) -> None:
        self.http = http.client.HTTPConnection(*server.address, timeout=20)
        self.sid = json.loads(self.ask("GET")[1][1:])["sid"]

    @property
    def worker(self) -> str:
        return str(self.sid.rpartition(".")[2])

    def ask(self, method: str, sid: str = "", body: str | None = None) -> tuple[int, str]:
        path = "/socket.io/?EIO=4&transport=polling" + (f"&sid={sid}" if sid else "")
        self.http.request(method, path, body)
        answer = self.http.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture
def two(server: Workers) -> Iterator[tuple[Browser, Browser]]:
    """Two clients whose connections are with two workers."""
    first, others = Browser(server), []
    until(lambda: others.append(Browser(server)) or others[-1].worker != first.worker)
    yield first, others[-1]
    for one in (first, *others):
        one.http.close()


def test_a_poll_that_reaches_another_worker_is_passed_on(two: tuple[Browser, Browser]) -> None:
    first, second = two
    assert second.ask("POST", first.sid, JOIN) == (200, "ok")
    status, body = second.ask("GET", first.sid)
    assert (status, body[:2]) == (200, ANSWER)
    assert first.ask("GET", second.sid[:-1] + "x") == (400, '{"code":1,"message":"Session ID unknown"}')
    assert first.ask("GET", "nobody.77") == (400, '{"code":1,"message":"Session ID unknown"}')


@pytest.mark.long
def test_a_poll_waits_at_the_other_worker_and_ends_when_the_client_goes(two: tuple[Browser, Browser]) -> None:
    first, second = two
    path = f"/socket.io/?EIO=4&transport=polling&sid={first.sid}"
    second.http.request("GET", path)
    assert first.ask("POST", first.sid, JOIN) == (200, "ok")
    assert second.http.getresponse().read().startswith(ANSWER.encode())
    second.http.request("GET", path)
    second.http.close()
    until(lambda: first.ask("POST", first.sid, "3")[0] == 400)  # the session has ended with its poll


def test_a_websocket_that_reaches_another_worker_moves_there(two: tuple[Browser, Browser]) -> None:
    first, second = two
    connection = second.http.sock
    lines = [
        f"GET /socket.io/?EIO=4&transport=websocket&sid={first.sid} HTTP/1.1",
        *("Host: x", "Upgrade: websocket", "Connection: Upgrade"),
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", ""),
    ]
    connection.sendall("\r\n".join(lines).encode())
    with connection.makefile("rb") as received:
        assert received.readline().startswith(b"HTTP/1.1 101")
        while received.readline() != b"\r\n":
            pass
        connection.sendall(b"\x81\x86\0\0\0\0" + b"2probe")
        assert received.read(8) == b"\x81\x06" + b"3probe"
        connection.sendall(b"\x81\x81\0\0\0\0" + b"5" + b"\x81\x82\0\0\0\0" + JOIN.encode())
        assert received.read(4)[2:] == ANSWER.encode()
