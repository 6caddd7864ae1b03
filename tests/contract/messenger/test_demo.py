"""`veche demo`: the test data of the original, added before or while a server runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.veche_process import run_veche

from .harness import LiveServer, Person, receive

PASSWORD = "password123"
NAMES = {"alice": "Алиса", "bob": "Боб", "charlie": "Чарли", "david": "Дэвид"}


def demo(url: str) -> str:
    done = run_veche("demo", "--database-url", url)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def sign_in(server: LiveServer, username: str) -> Person:
    person = Person.known(server, f"{username}@example.com", PASSWORD, 0)
    person.id = person.http.get("/me").json()["id"]
    return person


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that was started after `veche demo` ran twice."""
    server = LiveServer(tmp_path_factory.mktemp("demo"))
    demo(server.database_url)
    output = demo(server.database_url)
    assert "alice@example.com" in output
    assert PASSWORD in output
    with server:
        yield server


def test_the_people(served: LiveServer) -> None:
    for id, (username, name) in enumerate(NAMES.items(), start=1):
        person = sign_in(served, username)
        assert person.http.get("/me").json() == {"email": f"{username}@example.com", "name": name, "id": id}
        assert person.http.get("/v1/me").json()["username"] == username
        person.close()


@pytest.mark.parametrize("username", NAMES)
def test_the_chats(served: LiveServer, username: str) -> None:
    person = sign_in(served, username)
    private = [{"name": "Алиса и Боб", "chat_type": "private", "id": 1}] if username in ("alice", "bob") else []
    group = {"name": "Команда проекта", "chat_type": "group", "id": 2}
    assert person.http.get("/chats").json() == [*private, group]
    person.close()


@pytest.mark.parametrize(
    ("chat_id", "line", "count", "first_id", "senders"),
    [(1, "Тестовое сообщение", 10, 1, {1, 2}), (2, "Групповое сообщение", 15, 11, {1, 2, 3, 4})],
)
def test_the_messages(
    served: LiveServer, chat_id: int, line: str, count: int, first_id: int, senders: set[int]
) -> None:
    alice = sign_in(served, "alice")
    items = alice.http.get(f"/history/{chat_id}").json()["items"]
    alice.close()
    assert [item["text"] for item in items] == [f"{line} {ago}" for ago in reversed(range(count))]
    assert [item["id"] for item in items] == list(range(first_id, first_id + count))
    assert {item["sender_id"] for item in items} == senders
    assert all(one["sender_id"] != next["sender_id"] for one, next in pairwise(items))
    times = [datetime.fromisoformat(item["timestamp"]) for item in items]
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=1)}
    assert timedelta() < datetime.now(UTC) - times[-1] < timedelta(minutes=5)


def test_while_a_server_runs(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        eve = Person.new(server, "eve")
        demo(server.database_url)
        alice = sign_in(server, "alice")
        assert alice.id == 2
        [private, group] = alice.http.get("/chats").json()
        assert (private["name"], group["name"]) == ("Алиса и Боб", "Команда проекта")
        assert len(alice.texts(group["id"])) == 15
        socket = alice.listen(group["id"])
        alice.post(group["id"], "и мы здесь")
        assert '"text":"и мы здесь"' in receive(socket)
        demo(server.database_url)
        assert alice.texts(group["id"])[-1] == "и мы здесь"
        alice.close()
        eve.close()


def test_open_sockets_receive_the_added_messages(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        people = [Person.known(server, email, PASSWORD, id) for id, email in enumerate(_register(server), start=1)]
        alice, bob = people[:2]
        chat_id = alice.make_chat(bob, kind="private", name="раньше")
        socket = bob.listen(chat_id)
        demo(server.database_url)
        for ago in reversed(range(10)):
            assert f'"text":"Тестовое сообщение {ago}"' in receive(socket)
        assert [chat["name"] for chat in bob.http.get("/chats").json()] == ["раньше", "Команда проекта"]
        for person in people:
            person.close()


def _register(server: LiveServer) -> list[str]:
    emails = [f"{username}@example.com" for username in NAMES]
    with server.http() as http:
        for email in emails:
            http.post("/register", json={"email": email, "password": PASSWORD}).raise_for_status()
    return emails


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        with server.http() as http:
            http.post("/v1/register", json={"username": "alice", "password": "another one"}).raise_for_status()
        demo(server.database_url)
        alice = sign_in(server, "alice")
        assert alice.http.get("/v1/me").json()["username"] == "alice2"
        alice.close()


def test_an_invalid_database_url(tmp_path: Path) -> None:
    done = run_veche("demo", "--database-url", "nonsense")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
