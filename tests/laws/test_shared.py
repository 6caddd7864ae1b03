"""What is decided for all nodes: who is connected, which sessions have ended, and how often somebody may try."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.services import MissingError, Redis
from tests.services.fixtures import skip

from .dialects import DISPATCH, IN_LOBBY, Dialect, DialectClient, PollingClient, opened, polling
from .town import LOBBY, PASSWORD, TIMEOUT, Person, Server, serving

WITHIN = 2.0  # seconds until every node acts on the end of a session
BUSES = ("redis", "postgresql")


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A Redis that the test may kill and pause."""
    try:
        with Redis() as redis:
            yield redis
    except MissingError as missing:
        skip(missing)


@pytest.fixture(params=BUSES)
def bus_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else "postgresql"


@contextlib.contextmanager
def two_nodes(folder: Path, url: str, bus_url: str, **settings: str) -> Iterator[tuple[Server, Server]]:
    settings = {"VECHE_SECRET": secrets.token_hex(32), "VECHE_BUS_URL": bus_url} | settings
    for name in ("one", "two"):
        (folder / name).mkdir()
    with serving(folder / "one", url, **settings) as one, serving(folder / "two", url, **settings) as two:
        yield one, two


def on(node: Server, person: Person) -> Person:
    """The same person, who calls another node."""
    there = copy.copy(person)
    there.server = node
    return there


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  # what is waited for happens in another process
            await asyncio.sleep(0.05)


async def is_refused(port: int, dialect: Dialect, person: Person, seconds: float) -> bool:
    """Return whether a socket is refused, or closed within some seconds."""
    try:
        async with asyncio.timeout(seconds):
            async with connect(f"ws://127.0.0.1:{port}{dialect.path(person, LOBBY)}", ping_interval=None) as socket:
                for frame in dialect.greet(person, LOBBY):
                    await socket.send(frame)
                async for frame in socket:
                    if str(frame).startswith("44"):  # Socket.IO refuses a namespace, and lets the client try again
                        return True
        return True
    except (InvalidStatus, ConnectionClosedError):
        return True
    except TimeoutError:
        return False


async def refusals(node: Server, people: dict[Dialect, Person], seconds: float) -> dict[str, bool]:
    found = await asyncio.gather(*(is_refused(node.port, dialect, people[dialect], seconds) for dialect in people))
    return dict(zip((dialect.name for dialect in people), found, strict=True))


async def names_of_late(waiting: dict[str, Coroutine[None, None, None]], seconds: float) -> list[str]:
    """Wait for some seconds. Return the names of those that have not ended then."""
    tasks = {name: asyncio.create_task(one) for name, one in waiting.items()}
    done, late = await asyncio.wait(tasks.values(), timeout=seconds)
    for task in late:
        task.cancel()
    for task in done:
        task.result()
    return [name for name, task in tasks.items() if task in late]


def has_ended(client: DialectClient) -> bool:
    """Return whether the server has closed the socket, or disconnected the client of Socket.IO from its namespace."""
    return client.closed or "41" in client.frames


async def closed(poll: PollingClient) -> None:
    """Poll until the server has closed the session, or the client's part in it."""
    with contextlib.suppress(httpx.HTTPStatusError):  # a closed session is unknown
        while not any(packet.startswith(("41", "1")) for packet in await poll.packets()):
            pass


@pytest.mark.parametrize("trouble", ["none", "killed", "paused"])
async def test_a_session_that_ends_on_one_node_ends_on_all_in_every_dialect(
    tmp_path: Path, postgres_url: str, own_redis: Redis, trouble: str
) -> None:
    with two_nodes(tmp_path, postgres_url, own_redis.url()) as (one, two):
        people = {dialect: one.person() for dialect in IN_LOBBY}
        poller = one.person()
        assert not any((await refusals(two, people, 1.0)).values())
        async with contextlib.AsyncExitStack() as stack:
            clients: list[DialectClient] = [
                await stack.enter_async_context(opened(two.port, dialect, person, LOBBY))
                for dialect, person in people.items()
            ]
            poll = await stack.enter_async_context(polling(two.port, poller))
            for person in (*people.values(), poller):
                on(two, person).call("GET", "/me", expect=200)  # it remembers the token now
            if trouble == "killed":
                own_redis.kill()
            elif trouble == "paused":
                own_redis.pause()
            for person in (*people.values(), poller):
                person.call("POST", "/logout", expect=204)
            for person in (*people.values(), poller):
                assert on(two, person).call("GET", "/me", expect=401)["code"] == "unauthenticated"
            # Moments on a machine that has nothing else to do. On a busy one, these calls take as long as it is late.
            waiting = {client.dialect.name: client.until(has_ended) for client in clients}
            open_yet = await names_of_late(waiting | {"polling": closed(poll)}, WITHIN)
            assert not open_yet, f"open after {WITHIN} s"
        assert all((await refusals(two, people, TIMEOUT)).values())
        if trouble == "paused":
            own_redis.resume()


async def test_an_account_of_dispatch_has_one_connection_on_all_nodes(
    tmp_path: Path, postgres_url: str, bus_url: str
) -> None:
    with two_nodes(tmp_path, postgres_url, bus_url) as (one, two):
        ann = one.person()
        body = {"username": ann.name, "password": PASSWORD}

        def sign_in(node: Server) -> tuple[int, str]:
            answer = node.http.post("/dispatch/signin", json=body)
            return answer.status_code, answer.text

        async def is_already_in(node: Server) -> bool:
            """A node that does not answer in time counts as one that cannot be asked: then it is not so."""
            return await asyncio.to_thread(sign_in, node) == (409, "Already in")

        assert sign_in(two)[0] == 200
        async with opened(one.port, DISPATCH, ann, LOBBY) as first:
            await first.say("first")
            await first.receives("first")
            await eventually(lambda: is_already_in(two))
            async with opened(two.port, DISPATCH, ann, LOBBY) as second:
                await first.until(lambda client: client.closed)
                assert (first.socket.close_code, first.socket.close_reason) == (1008, "replaced")
                await second.receives("first")
                await eventually(lambda: is_already_in(one))
                assert not second.closed
            await eventually(lambda: asyncio.to_thread(lambda: sign_in(one)[0] == 200))


@pytest.mark.long
async def test_nobody_is_already_in_on_a_node_that_cannot_be_asked(
    tmp_path: Path, postgres_url: str, own_redis: Redis
) -> None:
    with two_nodes(tmp_path, postgres_url, own_redis.url()) as (one, two):
        ann = one.person()
        body = {"username": ann.name, "password": PASSWORD}
        async with opened(one.port, DISPATCH, ann, LOBBY) as first:
            await first.say("first")
            await first.receives("first")
            assert two.http.post("/dispatch/signin", json=body).status_code == 409
            own_redis.kill()
            assert two.http.post("/dispatch/signin", json=body).status_code == 200
            assert one.http.post("/dispatch/signin", json=body).status_code == 409
            own_redis.start()
            await eventually(
                lambda: asyncio.to_thread(lambda: two.http.post("/dispatch/signin", json=body).status_code == 409),
                20.0,
            )


async def test_who_names_the_people_of_all_nodes(tmp_path: Path, postgres_url: str, bus_url: str) -> None:
    with two_nodes(tmp_path, postgres_url, bus_url) as (one, two):
        ann, bob, eve = (one.person() for _ in range(3))
        room = ann.make_room(bob, eve)
        async with ann.socket() as socket:

            async def names() -> list[str]:
                return [person["username"] for person in (await socket.ask("who", room_id=room))["online"]]

            async def are(*people: Person) -> None:
                """Wait, because a node that does not answer in half a second is left out."""

                async def so() -> bool:
                    return await names() == [person.name for person in people]

                await eventually(so)

            async with on(two, bob).socket(), on(two, ann).socket():
                await are(ann, bob)
            await are(ann)
            async with on(two, bob).socket():
                await are(ann, bob)
                two.process.send_signal(signal.SIGSTOP)  # it does not answer, and nobody waits long for it
                assert await names() == [ann.name]
                two.process.send_signal(signal.SIGCONT)
                await are(ann, bob)


async def test_a_guesser_has_no_more_guesses_on_two_nodes(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    """What is used on one node counts on the other within moments, so the next half a second may have a guess more."""
    allowed = 8
    with two_nodes(tmp_path, postgres_url, redis_url, VECHE_WRONG_LOGINS_PER_MINUTE=str(allowed)) as (one, two):

        def guess(node: Server) -> int:
            body = {"username": f"nobody{secrets.token_hex(4)}", "password": "wrong password"}
            return node.http.post("/v1/login", json=body).status_code

        assert [guess(one) for _ in range(allowed)] == [401] * allowed
        passed = 0
        while (status := await asyncio.to_thread(guess, two)) == 401:
            passed += 1
            await asyncio.sleep(0.5)
        assert status == 429
        assert passed <= allowed // 2


@pytest.mark.long
def test_guesses_for_one_account_are_delayed_by_those_on_other_nodes(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    with two_nodes(tmp_path, postgres_url, redis_url) as (one, two):
        ann = one.person()
        body = {"username": ann.name, "password": "wrong password"}
        for _ in range(9):
            assert one.http.post("/v1/login", json=body).status_code == 401
        started_at = time.monotonic()
        assert two.http.post("/v1/login", json=body).status_code == 401
        assert time.monotonic() - started_at > 1.0
