"""The server stops: polls that wait are answered, sockets are let go, and the real client would come back."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from messenger.harness import PATIENCE, Served, closed_with

from .conftest import opened, person_at
from .test_polling import POLLING


def test_nothing_keeps_the_server_from_stopping(tmp_path: Path) -> None:
    with Served(tmp_path, {"DIALECTS": "socketio"}) as served:
        ann = person_at(served, "ann")
        with opened(served) as client, served.http() as http:
            client.send(f"40{json.dumps({'token': ann.token})}")
            assert client.frame().startswith("40")
            sid = http.get("/socket.io/", params=POLLING).text.split('"')[3]
            asked, answers = threading.Event(), []

            def poll() -> None:
                with served.http() as other:
                    request = other.build_request("GET", "/socket.io/", params=POLLING | {"sid": sid})
                    asked.set()
                    answers.append(other.send(request))

            polling = threading.Thread(target=poll)
            polling.start()
            assert asked.wait(PATIENCE)
            client.emit("hi")
            client.hears_next("hi")
            served.tell_to_stop()
            closed_with(client.socket)
            polling.join(PATIENCE)
            assert not polling.is_alive()
        served.stop()
        assert "Traceback" not in served.log


def test_only_the_pages_that_may(tmp_path: Path) -> None:
    with (
        Served(tmp_path, {"DIALECTS": "socketio", "ORIGINS": "https://chat.example.com"}) as served,
        served.http() as http,
    ):
        found = {
            origin: http.get("/socket.io/", params=POLLING, headers={"Origin": origin}).status_code
            for origin in ("https://chat.example.com", "https://evil.example.com", "null")
        }
        assert list(found.values()) == [200, 403, 403]
        assert http.get("/socket.io/", params=POLLING).status_code == 200
