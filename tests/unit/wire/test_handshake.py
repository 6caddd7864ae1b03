"""The opening handshake: parsing requests, building responses (RFC 6455, section 4.2)."""

from __future__ import annotations

import pytest

from veche.wire.handshake import UpgradeRefused, accept_response, check_origin, read_upgrade, refusal_response
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted

from .client import ACCEPTED, request

NO_PROXIES = Trusted()


def test_a_valid_upgrade() -> None:
    head = request(
        "/v1/%D1%87at?token=a%20b&token=second&empty=&flag",
        sec_websocket_protocol="veche.v1, bearer.TOKEN",
        x_repeated="one\r\nX-Repeated: two",
    )
    upgrade = read_upgrade(head, "192.0.2.1", NO_PROXIES)
    assert upgrade.path == "/v1/чat"
    assert upgrade.query == {"token": "a b", "empty": "", "flag": ""}
    assert upgrade.headers["host"] == "test"
    assert upgrade.headers["x-repeated"] == "one, two"
    assert upgrade.subprotocols == ("veche.v1", "bearer.TOKEN")
    assert upgrade.client == "192.0.2.1"


def test_the_client_behind_a_trusted_proxy() -> None:
    head = request(x_forwarded_for="198.51.100.7")
    assert read_upgrade(head, "10.0.0.1", Trusted.parse("10.0.0.0/8")).client == "198.51.100.7"
    assert read_upgrade(head, "10.0.0.1", NO_PROXIES).client == "10.0.0.1"


def test_repr_hides_credentials() -> None:
    upgrade = read_upgrade(request("/echo?token=SECRET", sec_websocket_protocol="bearer.SECRET"), "", NO_PROXIES)
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
def test_invalid_upgrades_are_refused(head: bytes, status: int) -> None:
    with pytest.raises(UpgradeRefused) as refused:
        read_upgrade(head, "", NO_PROXIES)
    assert refused.value.status == status
    if status == 426:
        assert ("Sec-WebSocket-Version", "13") in refused.value.headers


def test_the_101_response() -> None:
    upgrade = read_upgrade(request(sec_websocket_protocol="a, b"), "", NO_PROXIES)
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


def test_a_subprotocol_that_was_not_offered_raises() -> None:
    with pytest.raises(ValueError, match="not offered"):
        accept_response(read_upgrade(request(), "", NO_PROXIES), "b")


def test_refusal_responses() -> None:
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
    upgrade = read_upgrade(request(origin=origin), "", NO_PROXIES)
    check_origin(upgrade, Origins())
    listed = Origins.of(["https://chat.example"])
    if allowed:
        check_origin(upgrade, listed)
    else:
        with pytest.raises(UpgradeRefused):
            check_origin(upgrade, listed)
