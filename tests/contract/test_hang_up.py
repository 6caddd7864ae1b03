"""Who goes away in the middle of a request is no error of ours: no trace in the log, and nobody else is disturbed."""

from __future__ import annotations

import socket

import httpx
from conftest import PATIENCE, Servers
from transcript import Head

PEOPLE = (
    b'{"username": "ann", "email": "ann@example.com", "password": "Correct1horse"}',
    b'{"username": "ann", "password": "Correct1horse"}',
    b'{"email": "ann@example.com", "password": "Correct1horse"}',
)


def test_hanging_up_before_the_body_is_whole(servers: Servers) -> None:
    running = servers.new(Head(own=True))
    try:
        with httpx.Client(base_url=running.base, timeout=PATIENCE, trust_env=False) as http:
            token = http.post("/v1/register", json={"username": "eve", "password": "correct horse"}).json()["token"]
            calls = [
                (method.upper(), path.format(chat_id=1, room_id=1, account_id=1))
                for path, methods in http.get("/openapi.json").json()["paths"].items()
                for method, call in methods.items()
                if "requestBody" in call
            ]
            assert len(calls) > 15
            for method, path in calls:
                for body in PEOPLE:
                    _hang_up(running.port, method, path, body, token)
                    _hang_up(running.port, method, path, body, f"Bearer {token}")
            nobody = http.post("/v1/login", json={"username": "ann", "password": "Correct1horse"})
            assert nobody.status_code == 401, "nothing is done of what was not whole"
            assert http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    finally:
        running.end()  # which looks for traces in the log


def _hang_up(port: int, method: str, path: str, body: bytes, authorization: str) -> None:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: {authorization}\r\nContent-Length: {len(body) + 100}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
        peer.sendall(head.encode() + body)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(4096):
            pass
