"""Starting and stopping the server. A start that fails prints one sentence and no traceback."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.veche_process import free_port

from .town import TIMEOUT, run, serving

pytestmark = pytest.mark.one_node("they are about one process and its file")


async def test_sigterm_drains_answers_and_closes_with_bye(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        ann = server.person()
        room = ann.make_room()
        stop = asyncio.Event()
        acknowledged: dict[int, str] = {}
        refused: set[str] = set()
        async with ann.socket() as sender, ann.socket() as idle:
            texts: dict[int, str] = {}

            async def send() -> None:
                with contextlib.suppress(Exception):
                    while not stop.is_set():
                        for _ in range(20):
                            text = f"m{len(texts)}"
                            texts[await sender.say("send", room_id=room, text=text)] = text
                        await asyncio.sleep(0)

            sending = asyncio.create_task(send())
            await sender.wait_for_seq(room, 100)
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            codes = [await each.ended() for each in (idle, sender)]
            stop.set()
            await sending
            for frame in sender.frames:
                if "send" in frame:
                    acknowledged[frame["send"]["seq"]] = texts[frame["id"]]
                elif "error" in frame:
                    refused.add(frame["error"]["code"])
            assert codes == [4200, 4200]
            assert [frame["bye"]["reason"] for each in (idle, sender) for frame in each.frames if "bye" in frame] == [
                "restart"
            ] * 2
        assert await asyncio.to_thread(server.process.wait, TIMEOUT) == 0
        assert time.monotonic() - begun < 20
        assert refused <= {"unavailable", "overloaded"}
        assert server.log == ""
    with contextlib.closing(sqlite3.connect(tmp_path / "veche.db")) as database:
        stored = dict(database.execute("SELECT seq, text FROM messages WHERE room_id = ?", (room,)))
    assert len(acknowledged) >= 90
    assert acknowledged.items() <= stored.items()


def test_a_crash_leaves_a_trace(tmp_path: Path) -> None:
    with serving(tmp_path, VECHE_LOG_FORMAT="json") as server:
        assert server.stop(signal.SIGSEGV) == -signal.SIGSEGV
        assert "Fatal Python error: Segmentation fault" in server.log
        assert "in _store_until_stopped" in server.log, "the trace has all threads"


def test_an_idle_server_stops_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        begun = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("dialects", "status"),
    [("", 200), ("native", 200), ("rooms,native", 200), ("rooms", 404), ("dispatch,channels", 404)],
)
def test_a_server_asks_to_be_opened_in_a_browser_where_it_has_a_page(
    tmp_path: Path, dialects: str, status: int
) -> None:
    with serving(tmp_path, VECHE_DIALECTS=dialects) as server:
        assert server.http.get("/").status_code == status
        assert ("open it in a browser" in server.greeting) == (status == 200)
        assert server.stop() == 0


async def test_messages_and_tokens_survive_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        ann = server.person()
        room = ann.make_room()
        message = ann.say(room, "hi", "c1")
        assert server.stop() == 0
    with serving(tmp_path) as server:
        ann.server = server
        assert ann.history(room) == [message]
        assert ann.say(room, "hi", "c1") == message
        async with ann.socket(rooms={str(room): 1}) as back:
            assert back.seqs(room) == [2]


def fails(*words: str, **settings: str) -> str:
    """Run a command that must fail with status 1 and one sentence without a traceback; return the sentence."""
    done = run(*words, **settings)
    out, err = done.stdout, done.stderr
    assert done.returncode == 1, (done.returncode, out, err)
    assert "Traceback" not in out + err
    assert err.startswith("veche: ")
    assert err.rstrip()[-1] in ".?"
    assert len(err.strip().splitlines()) == 1, err
    assert "is on http" not in out, "output that it serves, and did not"
    return err


def serve(database: Path | str, port: int | None = None, **settings: str) -> str:
    return fails("serve", "--port", str(port or free_port()), "--database-url", f"sqlite:///{database}", **settings)


def test_two_servers_do_not_share_a_database(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert f"Another Veche serves {server.database}" in serve(server.database)
        assert server.http.get("/healthz").status_code == 200


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert f"Port {port} of 127.0.0.1 is in use" in serve(tmp_path / "x.db", port)
    assert list(tmp_path.iterdir()) == [], "found before anything else is done"


def test_an_unknown_setting_is_reported_with_a_suggestion(tmp_path: Path) -> None:
    assert "There is no setting VECHE_PROT. Did you mean VECHE_PORT?" in serve(tmp_path / "x.db", VECHE_PROT="1")


@pytest.mark.parametrize("secret", ["secret", "dev-secret", "changeme", "x" * 31])
def test_a_weak_secret_is_refused_and_not_printed(tmp_path: Path, secret: str) -> None:
    output = serve(tmp_path / "x.db", VECHE_SECRET=secret)
    assert "VECHE_SECRET is too weak" in output
    assert not secret or f" {secret}" not in output.replace("VECHE_SECRET", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VECHE_PORT", "many"),
        ("VECHE_PORT", "70000"),
        ("VECHE_PING_SECONDS", "0"),
        ("VECHE_TRUSTED_PROXIES", "nonsense"),
    ],
)
def test_a_wrong_setting_is_reported_by_name(tmp_path: Path, name: str, value: str) -> None:
    words = ["serve", "--database-url", f"sqlite:///{tmp_path}/x.db"] + (
        [] if name == "VECHE_PORT" else ["--port", str(free_port())]
    )
    assert name in fails(*words, **{name: value})


def test_contradicting_settings_are_reported(tmp_path: Path) -> None:
    assert "VECHE_P" in serve(tmp_path / "x.db", VECHE_PING_SECONDS="5", VECHE_PONG_SECONDS="10")


@pytest.mark.parametrize("path", ["/dev/null/x/veche.db", "/proc/veche/veche.db", "/nonexistent/dir/x.db"])
def test_a_missing_folder_is_reported_and_not_created(path: str) -> None:
    assert f"There is no folder {Path(path).parent}." in serve(path)


def test_a_path_that_cannot_be_written_is_reported() -> None:
    assert "Cannot write to /proc/x.db" in serve("/proc/x.db")


@pytest.mark.parametrize("address", ["mysql://x/y", "nonsense", "sqlite:///:memory:"])
def test_an_invalid_address_is_reported(address: str) -> None:
    assert "sqlite:///" in fails("serve", "--port", str(free_port()), "--database-url", address)


def test_a_postgresql_that_does_not_answer_is_reported() -> None:
    said = fails("serve", "--port", str(free_port()), "--database-url", "postgresql://me:secret@127.0.0.1:1/veche")
    assert "postgresql://127.0.0.1:1/veche" in said
    assert "refused" in said
    assert "secret" not in said


def test_a_file_that_is_no_database_is_reported_and_unchanged(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear all,\n" * 500)
    assert str(letter) in serve(letter)
    assert letter.read_text() == "Dear all,\n" * 500


def test_a_database_of_a_newer_version_is_reported(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    assert run("migrate", "--database-url", f"sqlite:///{database}").returncode == 0
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "made by a newer Veche (schema 9999)" in serve(database)


def test_a_truncated_secret_file_is_replaced(tmp_path: Path) -> None:
    """A full disk or a power loss can leave the file truncated: the server makes a new secret."""
    (tmp_path / "veche.db.secret").touch(mode=0o600)
    with serving(tmp_path) as server:
        assert server.person().token


def test_only_the_owner_can_read_the_secret_file(tmp_path: Path) -> None:
    with serving(tmp_path):
        secret = tmp_path / "veche.db.secret"
        assert secret.stat().st_mode & 0o077 == 0
        assert len(secret.read_text()) >= 64


def test_a_server_starts_while_its_database_cannot_be_written(tmp_path: Path) -> None:
    """Also if it should close an echo conversation that was open when it was killed."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path))
        url = f"ws://127.0.0.1:{server.port}/echo_ws/x?token={server.person().token}"
        echo = stack.enter_context(connect(url))
        echo.send("hi")
        echo.recv()
        server.process.kill()
        server.process.wait()
    with contextlib.closing(sqlite3.connect(tmp_path / "veche.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with serving(tmp_path) as server:
            assert server.http.get("/healthz").status_code == 200
            other.execute("ROLLBACK")
