"""Names at every door: what no dialect accepts, each in its own words, and nobody taken for somebody else."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from conftest import TIMEOUT, USUAL, RunningServer, Servers, new_handle
from transcript import Head

from tests.veche_process import run_veche

PASSWORD = "Correct1horse"
RULE = "name must be 3-20 characters long and contain only letters, numbers or underscores\n"
_numbers = itertools.count(1)


class Door(NamedTuple):
    """How one dialect registers a username, and what it answers if it is not allowed, or taken."""

    path: str
    body: Callable[[str], dict[str, object]]
    made: int
    refused: tuple[int, str]
    taken: tuple[int, str]


def _usual(name: str) -> dict[str, object]:
    return {"username": name, "password": PASSWORD}


def _with_email(name: str) -> dict[str, object]:
    return {**_usual(name), "email": f"m{next(_numbers)}@example.com"}


DOORS = {
    "native": Door("/native/v1/register", _usual, 201, (422, '"code":"invalid"'), (409, '"code":"taken"')),
    "dispatch": Door(
        "/dispatch/signup",
        lambda name: {"username": name, "password": "Secret12"},
        200,
        (409, "Wrong format"),
        (409, "Already exists"),
    ),
    "rooms": Door(
        "/rooms/register", _with_email, 201, (400, RULE), (409, "user with same name or email already exists")
    ),
    "socketio": Door(
        "/socketio/api/auth/register",
        _usual,
        201,
        (400, '{"error":"Invalid username or password"}'),
        (409, '{"error":"Username already exists"}'),
    ),
    "channels": Door(
        "/channels/register",
        _usual,
        201,
        (422, "Имя пользователя слишком длинное или содержит недопустимые символы"),
        (400, '{"message":"Пользователь с таким именем уже существует"}'),
    ),
}
FREE = ("socketio", "channels")  # their own rule allows almost everything
ANY_SCRIPT = ("native", "rooms", *FREE)


@pytest.fixture
def server(servers: Servers) -> RunningServer:
    return servers.shared(Head())


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base, timeout=TIMEOUT, trust_env=False) as client:
        yield client


def register(http: httpx.Client, door: Door, username: str) -> httpx.Response:
    body = json.dumps(door.body(username)).encode()  # as escapes, so that a lone surrogate can be sent too
    return http.post(door.path, content=body, headers={"Content-Type": "application/json"})


def refused(http: httpx.Client, door: Door, username: str, why: tuple[int, str] | None = None) -> None:
    answer = register(http, door, username)
    status, text = why or door.refused
    assert answer.status_code == status, (ascii(username), answer.status_code, answer.text)
    assert text in answer.text


@pytest.mark.parametrize(
    ("name", "doors"),
    [
        *((f"nadia{unseen}", ANY_SCRIPT) for unseen in ("\u2065", "\u200b", "\u034f", "\u3164", "\u0378", "\ue000")),
        *((f"nadia{unseen}", FREE) for unseen in ("\ufe0f", "\U000e0041", "\u00ad", "\u202e", "\u0000")),
        *((name, ANY_SCRIPT) for name in ("nаdia", "аdmin", "nadia\u0661", "αnna", "日本Иван")),
        *((name, (*FREE, "dispatch")) for name in ("alice ", " alice", "al  ice", ".", "..", "al\tice")),
        ("nadia\ud800", ("channels",)),
        *((name, FREE) for name in ("alice\u00a0", "．．", "\u2025", "1\u0301", "ann" + "\u0300\u0301" * 4, "7\u20e3")),
    ],
)
def test_a_username_that_hides_what_it_is_is_refused_in_the_words_of_the_door(
    http: httpx.Client, name: str, doors: tuple[str, ...]
) -> None:
    for door in doors:
        refused(http, DOORS[door], name)


@pytest.mark.parametrize(
    "name", ["alice: hi all {}", "a b{}", "Ann O'Brien {}", "Женя{}", "日本 Tanaka{}", "🚀{}", "%2e{}"]
)
@pytest.mark.parametrize("door", FREE)
def test_what_a_contract_allows_stays_allowed(http: httpx.Client, door: str, name: str) -> None:
    assert register(http, DOORS[door], name.format(next(_numbers))).status_code == 201


@pytest.mark.parametrize("name", ["प्रिया", "วิชัย", "தமிழ்", "বাংলা", "မျှော်", "José", "Ёлка", "שָׁלוֹם"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_people_everywhere_have_usernames_and_sign_in_however_they_type_them(
    http: httpx.Client, name: str, form: str
) -> None:
    typed = unicodedata.normalize(form, f"{name}{next(_numbers)}")
    made = register(http, DOORS["native"], typed)
    assert made.status_code == 201, made.text
    assert made.json()["me"]["username"] == unicodedata.normalize("NFC", typed)
    for other in ("NFC", "NFD"):
        body = {"username": unicodedata.normalize(other, typed), "password": PASSWORD}
        assert http.post("/v1/login", json=body).status_code == 200
        refused(http, DOORS["channels"], body["username"], DOORS["channels"].taken)


def test_a_name_of_rooms_is_counted_in_its_normal_form(http: httpx.Client) -> None:
    typed = unicodedata.normalize("NFD", f"Йёлка{next(_numbers)}")
    assert register(http, DOORS["rooms"], typed).json()["username"] == unicodedata.normalize("NFC", typed)


# Look-alikes.

LATIN, CYRILLIC = "aceopxysij", "асеорхуѕіј"


def pair() -> tuple[str, str]:
    """Make two usernames that show the same letters."""
    latin = "".join(LATIN[int(digit)] for digit in f"{next(_numbers):04}")
    return latin, latin.translate(str.maketrans(LATIN, CYRILLIC))


@pytest.mark.parametrize(("first", "second"), list(itertools.product(DOORS, repeat=2)))
def test_the_second_of_two_names_that_look_alike_is_taken_at_every_door(
    http: httpx.Client, first: str, second: str
) -> None:
    for one, other in (pair(), pair()[::-1]):
        if all(door in ANY_SCRIPT or name.isascii() for door, name in ((first, one), (second, other))):
            assert register(http, DOORS[first], one).status_code == DOORS[first].made
            refused(http, DOORS[second], other, DOORS[second].taken)


def test_a_name_that_looks_like_another_cannot_be_changed_to(http: httpx.Client) -> None:
    latin, cyrillic = pair()
    register(http, DOORS["native"], latin)
    name = new_handle("zed")
    token = register(http, DOORS["native"], name).json()["token"]
    for username, status, text in (
        (cyrillic, 409, "user with same name already exists\n"),
        ("nаdia", 400, RULE),
        ("system", 409, "user with same name already exists\n"),
    ):
        answer = http.put("/rooms/change-name", json={"username": username}, headers={"Authorization": token})
        assert (answer.status_code, answer.text) == (status, text)


# Names made from an e-mail, and display names.


@pytest.mark.parametrize(
    ("local", "begins"),
    [("аdmin", "user"), ("иван", "иван"), ("admin", "admin"), ("o'brien", "o'brien"), ("müller", "müller")],
)
def test_the_username_of_an_email_keeps_the_rule_too(http: httpx.Client, local: str, begins: str) -> None:
    email = f"{local}@m{next(_numbers)}.com"
    made = http.post("/messenger/register", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    signed = http.post("/v1/login", json={"email": made.json()["email"], "password": PASSWORD}).json()
    username = signed["me"]["username"]
    assert username.startswith(begins)
    assert username not in ("admin", "system")


@pytest.mark.parametrize("local", ["system", "admin", "root"])
def test_an_email_that_begins_with_a_reserved_word_shows_the_username(http: httpx.Client, local: str) -> None:
    body = {"email": f"{local}@m{next(_numbers)}.com", "password": PASSWORD}
    name = http.post("/messenger/register", json=body).json()["name"]
    assert name.startswith(local)
    assert name != local


@pytest.mark.parametrize("name", ["system", "Admin", "ѕystem", " root ", "sys\u2065tem", "a" + "\u0300\u0301" * 4])
def test_a_reserved_word_is_no_display_name(http: httpx.Client, name: str) -> None:
    native = http.post("/v1/register", json={**_usual(new_handle("dis")), "name": name})
    assert (native.status_code, native.json()["errors"][0]["field"]) == (422, "name")
    email = f"m{next(_numbers)}@example.com"
    messenger = http.post("/messenger/register", json={"email": email, "password": PASSWORD, "name": name})
    assert (messenger.status_code, messenger.json()["detail"][0]["loc"]) == (422, ["body", "name"])


# Passwords.


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_password_may_be_typed_in_any_form(http: httpx.Client, form: str) -> None:
    password = "Корейский1 café 한글"
    body = {"username": new_handle("pw"), "password": unicodedata.normalize(form, password)}
    assert http.post("/channels/register", json=body).status_code == 201
    for other in ("NFC", "NFD"):
        body["password"] = unicodedata.normalize(other, password)
        assert http.post("/v1/login", json=body).status_code == 200
        assert http.post("/channels/login", json=body).status_code == 200


# What the server speaks as.


@pytest.fixture(scope="module")
def robot(servers: Servers) -> RunningServer:
    return servers.shared(Head(env=(("VECHE_ROOMS_SYSTEM_NAME", "robot"), ("VECHE_ROOMS_ERROR_NAME", "Ой"))))


@pytest.mark.parametrize("name", ["robot", "ROBOT", "ｒobot", "ꓣꓳꓐꓳꓔ", "ой"])
@pytest.mark.parametrize("door", DOORS)
def test_what_the_server_speaks_as_is_nobodys_name(robot: RunningServer, door: str, name: str) -> None:
    with httpx.Client(base_url=robot.base, timeout=TIMEOUT, trust_env=False) as http:
        refused(http, DOORS[door], name, DOORS[door].taken if door in ANY_SCRIPT or name.isascii() else None)


def veche(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_veche(*words, settings=USUAL | settings)


def test_the_command_line_keeps_the_same_rule(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    assert veche("migrate", "--database-url", url).returncode == 0
    for name, ok in (("ann", True), ("nаdia", False), ("robot", False), ("system", False), ("..", False), ("", False)):
        done = veche(
            "user", "add", name, "--password", PASSWORD, "--database-url", url, VECHE_ROOMS_SYSTEM_NAME="robot"
        )
        assert (done.returncode == 0) is ok, (name, done.stderr)


def test_a_server_does_not_speak_as_somebody_who_has_an_account(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    assert veche("migrate", "--database-url", url).returncode == 0
    assert veche("user", "add", "Robot", "--password", PASSWORD, "--database-url", url).returncode == 0
    for setting in ("VECHE_ROOMS_SYSTEM_NAME", "VECHE_ROOMS_ERROR_NAME"):
        done = veche("serve", "--port", "0", "--database-url", url, **{setting: "robot"})
        assert done.returncode == 1
        assert f"{setting} is 'robot', which is the username of account 1" in done.stderr
        assert "Traceback" not in done.stderr


# Accounts of older versions.


@pytest.mark.one_node("it looks into the SQLite file")
def test_an_account_that_breaks_the_rule_works_as_before_and_the_doctor_lists_it(servers: Servers) -> None:
    server = servers.new(Head(own=True))
    old = {"one": "nаdia\u2065 ", "two": "alice ", "three": "..", "four": "scope"}
    with httpx.Client(base_url=server.base, timeout=TIMEOUT, trust_env=False) as http:
        for username in (*old, "lookalike"):
            assert register(http, DOORS["native"], username).status_code == 201
        old |= {"lookalike": "ѕсоре"}
        with closing(sqlite3.connect(server.folder / "veche.db")) as database:
            for username, other in old.items():
                handle = unicodedata.normalize("NFKC", other).casefold()
                database.execute(
                    "UPDATE accounts SET username = ?, handle = ?, name = ? WHERE handle = ?",
                    (other, handle, other, username),
                )
            database.commit()
        for username in old.values():
            body = {"username": username, "password": PASSWORD}
            signed = http.post("/v1/login", json=body)
            assert signed.status_code == 200, (ascii(username), signed.text)
            headers = {"Authorization": f"Bearer {signed.json()['token']}"}
            for path in ("/channels/login", "/socketio/api/auth/login"):
                assert http.post(path, json=body).status_code == 200
            text = {"text": "I am still here"}
            sent = http.post("/v1/rooms/2147483647/messages", json=text, headers=headers)
            assert (sent.status_code, sent.json()["sender"]["username"]) == (201, username)
    found = veche("doctor", "--database-url", f"sqlite:///{server.folder}/veche.db", COLUMNS="1000").stdout
    server.end()
    line = next(line for line in found.splitlines() if "usernames" in line)
    for listed in (
        r"1 'n\u0430dia\u2065 '",
        "2 'alice '",
        "3 '..'",
        r"5 '\u0455\u0441\u043e\u0440\u0435' (it looks like",
    ):
        assert listed in line, line
    assert "4 'scope'" not in line
