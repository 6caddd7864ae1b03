"""Operations: what is in the log and what never is, what an error tells, and what is switched off.

Each test runs a server as an operator does.
"""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.veche_process import VecheProcess, run_veche

SENTINEL = "SentinelSecret-6f1d0a7c3e9b48521f0e7d6c"
PASSWORD = "SentinelPassword-1"
LOBBY = 2147483647


class Running(VecheProcess):
    """A server with a sentinel as its secret."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        super().__init__(folder, {"VECHE_SECRET": SENTINEL} | settings)
        self.start()
        self.http = httpx.Client(base_url=self.base, timeout=30, trust_env=False)

    def close(self) -> None:
        self.http.close()
        super().close()

    def text(self) -> str:
        """Stop the server and return its log."""
        assert self.stop() == 0
        return self.log

    def lines(self) -> list[dict[str, Any]]:
        """Stop the server and return its log in JSON, line by line."""
        return [json.loads(line) for line in self.text().splitlines()]

    def register(self, username: str = "ann") -> str:
        body = {"username": username, "password": PASSWORD}
        return str(self.http.post("/v1/register", json=body).raise_for_status().json()["token"])

    def sign_in(self, username: str, password: str) -> int:
        return self.http.post("/v1/login", json={"username": username, "password": password}).status_code


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Running]:
    server = Running(folder, settings)
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)


JSON = {"VECHE_LOG_FORMAT": "json"}


def messages(lines: list[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in lines]


@pytest.mark.one_node("it reads the log of one process")
def test_an_operator_sees_what_happens(tmp_path: Path) -> None:
    """Start, sign-ins, wrong passwords, throttles, refused origins, a proxy that is not trusted, and the stop."""
    settings = {**JSON, "VECHE_WRONG_LOGINS_PER_MINUTE": "2", "VECHE_ORIGINS": "https://chat.example.com"}
    with running(tmp_path, **settings) as server:
        server.register()
        assert server.sign_in("ann", PASSWORD) == 200
        assert server.sign_in("ann", "wrong password") == 401
        assert server.sign_in("hunter2", "wrong password") == 401
        assert server.sign_in("ann", PASSWORD) == 429
        server.http.get("/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
        server.http.get("/healthz", headers={"X-Forwarded-For": "192.0.2.8"})
        with pytest.raises(InvalidStatus):
            connect(f"{server.base.replace('http', 'ws')}/v1/socket", origin="https://evil.example").__enter__()
        lines = server.lines()
    said = messages(lines)
    assert said[0].startswith("Veche ")
    assert "account 1 was registered from 127.0.0.1 (native)" in said
    assert "account 1 signed in from 127.0.0.1 (native)" in said
    assert "a wrong password for account 1 from 127.0.0.1 (native)" in said
    assert "a wrong password for a name that no account has from 127.0.0.1 (native)" in said
    assert "too many requests from 127.0.0.1: POST /v1/login was answered 429" in said
    assert sum("sent X-Forwarded-For" in line for line in said) == 1, "one warning is enough"
    assert any("set VECHE_TRUSTED_PROXIES=127.0.0.1" in line for line in said)
    assert any("a page of https://evil.example was refused" in line for line in said)
    assert said[-2].startswith("stopping; ")
    assert re.fullmatch(r"stopped; it took \d+\.\d s to close \d+ connections", said[-1])
    assert "hunter2" not in json.dumps(lines), "people type passwords into the wrong field"
    assert {line["level"] for line in lines} == {"info", "warning"}


def test_a_level_leaves_out_what_is_below_it(tmp_path: Path) -> None:
    with running(tmp_path, VECHE_LOG_LEVEL="Warning") as server:
        server.register()
        assert server.sign_in("ann", "wrong password") == 401
        log = server.text()
    assert len(log.splitlines()) == 1
    assert " WARNING veche.accounts: a wrong password for account 1" in log


def test_a_flood_of_one_kind_does_not_fill_the_log(tmp_path: Path) -> None:
    with running(tmp_path, **JSON, VECHE_ORIGINS="https://chat.example.com") as server:
        for number in range(300):
            server.http.get("/healthz", headers={"Origin": f"https://evil{number}.example"})
        lines = server.lines()
    refused = [line for line in lines if "was refused" in line["message"] and "left_out" not in line]
    left_out = sum(line.get("left_out", 0) for line in lines)
    assert len(refused) + left_out == 300
    assert len(refused) <= 60, "20 in ten seconds"


FORGED = 'a\n{"level":"info","message":"admin login"}\x1b[2J'


def test_nobody_forges_a_line(tmp_path: Path) -> None:
    """The count of lines is the count of events, whatever is in names, paths and headers."""
    with running(tmp_path, **JSON, VECHE_ACCESS_LOG="1", VECHE_ORIGINS="https://chat.example.com") as server:
        for text in (FORGED, "\x85\u2028\u2029\u202e", "x" * 3000, "\ud800", '"}\n{"'):
            body = json.dumps({"username": text, "password": "wrong password"})
            server.http.post("/v1/login", content=body, headers={"Content-Type": "application/json"})
        server.http.get(httpx.URL(server.base, raw_path=b"/%0a%7b%22level%22%3a1%7d%1b%5b2J%E2%80%AE"))
        server.http.get("/healthz", headers={"Origin": '{"level":"x"}'})
        lines = server.lines()
    access = [line for line in lines if line["logger"] == "veche.access"]
    assert len(access) == 7, access
    assert not any("admin login" in line["message"] for line in lines)
    assert all(len(json.dumps(line)) < 4000 for line in lines)
    assert access[5]["path"].startswith('/\n{"level":1}\x1b[2J'), "JSON keeps it, escaped"


def test_the_log_for_people_has_no_line_of_others(tmp_path: Path) -> None:
    with running(tmp_path, VECHE_ACCESS_LOG="1") as server:
        server.http.get(httpx.URL(server.base, raw_path=b"/%0aERROR%20veche%3a%20forged%1b%5b2J"))
        log = server.text()
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (INFO|WARNING)\s+veche", line) for line in log.splitlines())
    assert "\x1b" not in log
    assert r"GET /\nERROR veche: forged\x1b[2J 404" in log


@pytest.mark.one_node("it breaks the SQLite file")
def test_no_secret_is_in_the_log_or_in_an_answer(tmp_path: Path) -> None:
    """Sentinels as the secret, a password, a token in a query, and a bug whose traceback is logged."""
    settings = {**JSON, "VECHE_LOG_LEVEL": "debug", "VECHE_ACCESS_LOG": "1"}
    answers = ""
    with running(tmp_path, **settings) as server:
        token = server.register()
        server.sign_in("ann", PASSWORD + "x")
        for path in (
            "/rooms/ws",
            "/messenger/ws/1",
            "/v1/me",
            "/healthz",
            "/docs",
            "/openapi.json",
            "/v1/limits",
            "/nowhere",
        ):
            for method in ("GET", "POST"):
                answers += server.http.request(method, path, params={"token": token}).text
        server.http.get("/v1/me", headers={"Authorization": f"Bearer {token}x"})
        with pytest.raises(InvalidStatus):
            connect(f"{server.base.replace('http', 'ws')}/rooms/ws?token={token}x").__enter__()
        break_tables(tmp_path)
        answers += server.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).text
        answers += server.http.post("/v1/login", json={"username": "ann", "password": PASSWORD}).text
        log = server.text()
    for secret in (SENTINEL, PASSWORD, token, token.split(".")[2]):
        assert secret not in log
        assert secret not in answers
    assert "Traceback" in log, "or this test has tested nothing"
    assert "Traceback" not in answers


def break_tables(folder: Path) -> None:
    """Take a table away, so that what needs it fails as a bug does."""
    with sqlite3.connect(folder / "veche.db") as database:
        database.execute("ALTER TABLE sessions RENAME TO gone")
        database.execute("ALTER TABLE accounts RENAME TO gone_too")
    database.close()


CALLS = [
    ("GET", "/v1/me", None),
    ("POST", "/v1/login", {"username": "ann", "password": PASSWORD}),
    ("POST", "/v1/register", {"username": "bob", "password": PASSWORD}),
    ("GET", "/v1/rooms", None),
    ("GET", "/v1/rooms/2147483647/messages", None),
    ("POST", "/dispatch/signin", {"username": "ann", "password": PASSWORD}),
    ("PUT", "/rooms/login", {"email": "ann@example.com", "password": PASSWORD}),
    ("POST", "/api/auth/login", {"username": "ann", "password": PASSWORD}),
    ("POST", "/api/v1/login", {"username": "ann", "password": PASSWORD}),
    ("POST", "/messenger/login", {"email": "ann@example.com", "password": PASSWORD}),
]


@pytest.mark.one_node("it breaks the SQLite file")
def test_an_error_tells_nothing_of_the_inside_and_opens_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        token = server.register()
        break_tables(tmp_path)
        for method, path, body in CALLS:
            answer = server.http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code in (401, 500, 503), (path, answer.text)
            assert not re.search(r"Traceback|sqlite|OperationalError|no such table|site-packages|\.py", answer.text)
        assert server.http.get("/healthz").status_code == 200
        log = server.text()
    assert "GET /v1/me was answered 500" in log


SOCKETS = ["/rooms/ws", "/messenger/ws/1"]
"""Whose token is read before the upgrade is answered."""


@pytest.mark.one_node("it breaks the SQLite file")
@pytest.mark.parametrize("style", ["json", "text"])
def test_a_bug_has_an_id_in_its_answer_and_in_the_line_with_its_traceback(tmp_path: Path, style: str) -> None:
    with running(tmp_path, VECHE_LOG_FORMAT=style) as server:
        token = server.register()
        break_tables(tmp_path)
        answers = []
        for method, path, body in CALLS:
            headers = {"Authorization": token if path.startswith("/rooms") else f"Bearer {token}"}
            answers.append(server.http.request(method, path, json=body, headers=headers))
        ids = [answer.headers["X-Request-Id"] for answer in answers if answer.status_code == 500]
        for path in SOCKETS:
            with pytest.raises(InvalidStatus) as refused:
                connect(f"{server.base.replace('http', 'ws')}{path}?token={token}").__enter__()
            assert refused.value.response.status_code == 500
            ids.append(refused.value.response.headers["X-Request-Id"])
        log = server.text()
    assert len({answer.request.url.path for answer in answers if answer.status_code == 500}) > 6
    assert len(set(ids)) == len(ids)
    native = [answer for answer in answers if answer.status_code == 500 and answer.request.url.path.startswith("/v1")]
    assert native
    assert all(answer.json()["request_id"] == answer.headers["X-Request-Id"] for answer in native)
    if style == "json":
        lines = [json.loads(line) for line in log.splitlines()]
        traces = [line["request_id"] for line in lines if "trace" in line]
        answered = [line["request_id"] for line in lines if line["logger"] == "veche.http" and "status" in line]
        assert answered == [answer.headers["X-Request-Id"] for answer in answers if answer.status_code == 500]
    else:
        traces = re.findall(r"ERROR .*request ([0-9a-f]{16}).*\n  \| Traceback", log)
    assert traces == ids, "one traceback for each, and none without its id"


@pytest.mark.one_node("it looks into the SQLite file")
def test_a_command_that_fails_on_a_socket_has_an_id(tmp_path: Path) -> None:
    with running(tmp_path, **JSON) as server:
        token = server.register()
        with connect(f"{server.base.replace('http', 'ws')}/v1/socket") as socket:
            socket.send(json.dumps({"id": 1, "hello": {"token": token}}))
            received(socket, 1)
            with sqlite3.connect(server.database) as database:
                database.execute("ALTER TABLE messages RENAME TO gone")
            database.close()
            socket.send(json.dumps({"id": 2, "send": {"room_id": LOBBY, "text": "hi", "client_message_id": "c-1"}}))
            error = received(socket, 2)["error"]
        lines = server.lines()
    assert error["code"] == "internal"
    assert [line["request_id"] for line in lines if "trace" in line] == [error["request_id"]]


def received(socket: ClientConnection, id: int) -> dict[str, Any]:
    """Return the answer with this id."""
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(30))
        if frame.get("id") == id:
            return frame


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_methods_that_nobody_serves_are_refused(
    tmp_path_factory: pytest.TempPathFactory, surface: Running, method: str
) -> None:
    answer = surface.http.request(method, "/", headers={"X-Secret": SENTINEL})
    assert answer.status_code in (400, 404, 405)
    assert SENTINEL not in answer.text


@pytest.fixture(scope="module")
def surface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("surface")) as server:
        yield server
        server.stop()


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/.git/config",
            "/.env",
            "/.git/HEAD",
            "/static/",
            "/static-offline-docs/",
            "/static-offline-docs/../core.py",
        ),
        *("/static-offline-docs/..%2fcore.py", "/static-offline-docs/%2e%2e/core.py", "/%2e%2e/..%2fveche.db"),
        *("/..%2f..%2fetc/passwd", "//etc/passwd", "/veche.db", "/veche.db.secret", "/server.log"),
        *("/debug", "/metrics", "/admin", "/console", "/server-status"),
    ],
)
def test_no_file_and_no_listing_is_served(surface: Running, path: str) -> None:
    answer = surface.http.get(httpx.URL(surface.base, raw_path=path.encode()))
    assert answer.status_code == 404, answer.text[:200]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/", "/v1/limits", "/nowhere", "/rooms/ws?token=x"])
def test_no_answer_lets_a_browser_pass_the_address_on(surface: Running, path: str) -> None:
    assert surface.http.get(path).headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/"])
def test_no_page_of_others_frames_ours(surface: Running, path: str) -> None:
    answer = surface.http.get(path)
    assert answer.status_code == 200
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_loads_nothing_from_other_hosts(surface: Running, path: str) -> None:
    page = surface.http.get(path).text
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page)
    for script in re.findall(r'src="([^"]+)"', page):
        answer = surface.http.get(script)
        assert answer.status_code == 200
        assert not re.search(rb"https?://[\w.-]*redoc\.ly/[\w/.-]*\.(svg|png)", answer.content)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_documentation_can_be_switched_off(tmp_path: Path) -> None:
    with running(tmp_path, VECHE_DOCS="false") as server:
        for path in (
            "/docs",
            "/redoc",
            "/openapi.json",
            "/docs/socket",
            "/asyncapi.json",
            "/static-offline-docs/redoc.standalone.js",
        ):
            assert server.http.get(path).status_code == 404, path
        assert server.http.get("/healthz").status_code == 200
        server.stop()


def test_a_page_of_another_origin_reads_how_long_to_wait(tmp_path: Path) -> None:
    page = {"Origin": "https://page.example"}
    with running(tmp_path, VECHE_LOGINS_PER_MINUTE="1") as server:
        for method, path, body in CALLS:
            if "login" in path or "signin" in path:
                answer = server.http.request(method, path, json=body, headers=page)
                if answer.status_code != 429:  # the first one
                    answer = server.http.request(method, path, json=body, headers=page)
                assert answer.status_code == 429, (path, answer.text)
                assert int(answer.headers["Retry-After"]) > 0
                exposed = answer.headers["Access-Control-Expose-Headers"]
                assert exposed == "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"
                assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://page.example")
        server.stop()


def test_one_list_of_origins_decides_for_every_transport(tmp_path: Path) -> None:
    """WebSockets, Engine.IO by polling and by WebSocket, and CORS; the server's own page is always allowed."""
    with running(tmp_path, VECHE_ORIGINS="HTTPS://Chat.Example.com:443/") as server:
        base = str(server.http.base_url).rstrip("/")
        ws = base.replace("http", "ws")
        origins = {"https://chat.example.com": True, base: True, "https://evil.example": False, "null": False}
        for origin, allowed in origins.items():
            polled = server.http.get("/socket.io/?EIO=4&transport=polling", headers={"Origin": origin})
            assert (polled.status_code == 200) is allowed, origin
            for path in ("/v1/socket", "/socket.io/?EIO=4&transport=websocket"):
                assert opens(f"{ws}{path}", origin) is allowed, (path, origin)
            asked = server.http.options(
                "/v1/me", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
            ).headers.get("Access-Control-Allow-Origin")
            if origin != base:  # a browser does not ask for its own origin
                assert asked == (origin if allowed else None)
        server.stop()


def opens(url: str, origin: str) -> bool:
    try:
        with connect(url, origin=origin):  # type: ignore[arg-type]
            return True
    except InvalidStatus as refused:
        if refused.response.status_code != 403:
            raise
        return False


@pytest.mark.parametrize("secret", ["changeme", "a" * 40, "some_long_secret_key", "dev-secret"])
@pytest.mark.parametrize("name", ["VECHE_SECRET", "JWT_SECRET", "VECHE_OLD_SECRET"])
def test_a_weak_secret_stops_the_start(tmp_path: Path, name: str, secret: str) -> None:
    words = ["serve", "--port", "0", "--database-url", f"sqlite:///{tmp_path}/x.db"]
    done = run_veche(*words, settings={name: secret})
    assert done.returncode == 1
    assert done.stderr.startswith(f"veche: {name} is too weak")
    assert secret not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.one_node("it looks for the secret beside the SQLite file")
def test_an_old_secret_that_still_signs_stops_the_start(tmp_path: Path) -> None:
    """Otherwise an operator would think that it has been replaced."""
    with running(tmp_path, VECHE_SECRET="") as server:
        server.stop()
    made = server.database.with_name("veche.db.secret").read_text()
    words = ["serve", "--port", "0", "--database-url", server.database_url]
    for wrong in ({}, {"VECHE_SECRET": made}):
        done = run_veche(*words, settings=wrong | {"VECHE_OLD_SECRET": made})
        assert (done.returncode, done.stderr) == (
            1,
            "veche: VECHE_OLD_SECRET is the secret that signs: give VECHE_SECRET another one.\n",
        )


@pytest.mark.one_node("it looks into the SQLite file")
def test_a_backup_holds_no_secret_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    with running(tmp_path) as server:
        token = server.register()
        run_veche("backup", str(target), "--database-url", server.database_url).check_returncode()
        server.stop()
    assert target.stat().st_mode & 0o077 == 0
    stored = target.read_bytes()
    assert b"$argon2id$" in stored, "or this test has tested nothing"
    for secret in (SENTINEL, PASSWORD, token, token.split(".")[2]):
        assert secret.encode() not in stored
