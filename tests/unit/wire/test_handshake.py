"""The opening handshake: request heads in, answers out (RFC 6455, section 4.2)."""

from __future__ import annotations

import pytest

from veche.wire.handshake import UpgradeRefused, accept_response, check_origin, read_upgrade, refusal_response
from veche.wire.proxy import Trusted

from .client import ACCEPTED, request

NOBODY = Trusted()


def test_what_is_read() -> None:
    head = request(
        "/v1/%D1%87at?token=a%20b&token=second&empty=&flag",
        sec_websocket_protocol="veche.v1, bearer.TOKEN",
        x_repeated="one\r\nX-Repeated: two",
    )
    upgrade = read_upgrade(head, "192.0.2.1", NOBODY)
    assert upgrade.path == "/v1/чat"
    assert upgrade.query == {"token": "a b", "empty": "", "flag": ""}
    assert upgrade.headers["host"] == "test"
    assert upgrade.headers["x-repeated"] == "one, two"
    assert upgrade.subprotocols == ("veche.v1", "bearer.TOKEN")
    assert upgrade.client == "192.0.2.1"


def test_the_client_behind_a_trusted_proxy() -> None:
    head = request(x_forwarded_for="198.51.100.7")
    assert read_upgrade(head, "10.0.0.1", Trusted.parse("10.0.0.0/8")).client == "198.51.100.7"
    assert read_upgrade(head, "10.0.0.1", NOBODY).client == "10.0.0.1"


def test_credentials_do_not_show() -> None:
    upgrade = read_upgrade(request("/echo?token=SECRET", sec_websocket_protocol="bearer.SECRET"), "", NOBODY)
    assert "SECRET" not in repr(upgrade)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request(method="POST"), 405),
        (request(sec_websocket_version="8"), 426),
        (request(sec_websocket_version=None), 426),
        (request(sec_websocket_key=None), 400),
        (request(sec_websocket_key=""), 400),
        (request(sec_websocket_key="c2hvcnQ="), 400),
        (request(sec_websocket_key="not base64, 24 characters"), 400),
        (request("/?" + "&".join(f"a{n}=1" for n in range(65))), 400),
    ],
)
def test_what_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(UpgradeRefused) as refused:
        read_upgrade(head, "", NOBODY)
    assert refused.value.status == status
    if status == 426:
        assert ("Sec-WebSocket-Version", "13") in refused.value.headers


def test_the_answer() -> None:
    upgrade = read_upgrade(request(sec_websocket_protocol="a, b"), "", NOBODY)
    lines = accept_response(upgrade, "b").decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    assert set(lines[1:]) == {
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {ACCEPTED}",
        "Sec-WebSocket-Protocol: b",
        "",
    }
    assert b"Protocol" not in accept_response(upgrade).split(b"\r\n", 1)[1]


def test_only_an_offered_subprotocol_is_answered() -> None:
    with pytest.raises(ValueError, match="not offered"):
        accept_response(read_upgrade(request(), "", NOBODY), "b")


def test_refusals() -> None:
    plain = refusal_response(UpgradeRefused(403))
    assert plain == b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert b"Content-Type: application/json\r\n" in refusal_response(UpgradeRefused(401, b"{}"))
    html = refusal_response(UpgradeRefused(499, b"<p>", (("Content-Type", "text/html"), ("X-Why", "so"))))
    assert html.startswith(b"HTTP/1.1 499 \r\n")
    assert html.count(b"Content-Type") == 1
    assert html.endswith(b"X-Why: so\r\nContent-Length: 3\r\nConnection: close\r\n\r\n<p>")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://chat.example", True),
        ("https://chat.example:444", False),
        ("http://chat.example", False),
        ("https://chat.example.evil", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    upgrade = read_upgrade(request(origin=origin), "", NOBODY)
    check_origin(upgrade, None)
    if allowed:
        check_origin(upgrade, frozenset({"https://chat.example", "null"}))
    else:
        with pytest.raises(UpgradeRefused):
            check_origin(upgrade, frozenset({"https://chat.example", "null"}))
