"""A client that disconnects in the middle of a request causes no traceback and does not affect other clients."""

from __future__ import annotations

import re
import socket
import time

import httpx
from conftest import TIMEOUT, Servers
from transcript import Head

PEOPLE = (
    b'{"username": "ann", "email": "ann@example.com", "password": "Correct1horse"}',
    b'{"username": "ann", "password": "Correct1horse"}',
    b'{"email": "ann@example.com", "password": "Correct1horse"}',
)


def test_disconnecting_before_the_body_is_complete(servers: Servers) -> None:
    running = servers.new(Head(own=True))
    try:
        with httpx.Client(base_url=running.base, timeout=TIMEOUT, trust_env=False) as http:
            token = http.post("/v1/register", json={"username": "eve", "password": "correct horse"}).json()["token"]
            calls = [
                (method.upper(), re.sub(r"{\w+}", "1", path))
                for path, methods in http.get("/openapi.json").json()["paths"].items()
                for method, call in methods.items()
                if "requestBody" in call
            ]
            assert len(calls) > 15
            for method, path in calls:
                for body in PEOPLE:
                    _disconnect(running.port, method, path, body, token)
                    _disconnect(running.port, method, path, body, f"Bearer {token}")
            response = http.post("/v1/login", json={"username": "ann", "password": "Correct1horse"})
            assert response.status_code == 401, "an incomplete request must change nothing"
            assert _asked(http, "/v1/me", token).status_code == 200
    finally:
        running.end()  # checks the log for tracebacks


def _asked(http: httpx.Client, path: str, token: str) -> httpx.Response:
    """Ask as often as the server wants a client to: on a busy machine the account has had more than its share."""
    until = time.monotonic() + TIMEOUT
    while (response := http.get(path, headers={"Authorization": f"Bearer {token}"})).status_code == 429:
        assert time.monotonic() < until, response.text
        time.sleep(int(response.headers["Retry-After"]))
    return response


def _disconnect(port: int, method: str, path: str, body: bytes, authorization: str) -> None:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: {authorization}\r\nContent-Length: {len(body) + 100}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as peer:
        peer.sendall(head.encode() + body)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(4096):
            pass
