"""The client's address behind trusted and untrusted proxies."""

from __future__ import annotations

import pytest

from veche.wire.proxy import Trusted, client_address


@pytest.mark.parametrize(
    ("listed", "inside", "outside"),
    [
        ("", [], ["127.0.0.1", "", "::1"]),
        ("127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1"], ["127.0.0.2", "", "nonsense"]),
        ("10.0.0.0/8, ::1", ["10.1.2.3", "::1", "0:0:0:0:0:0:0:1"], ["11.0.0.1", "::2"]),
        ("2001:db8::/32", ["2001:db8:1::5"], ["2001:db9::1", "10.0.0.1"]),
        ("unix", [""], ["127.0.0.1"]),
        ("*", ["", "127.0.0.1", "2001:db8::1", "nonsense"], []),
    ],
)
def test_trusted(listed: str, inside: list[str], outside: list[str]) -> None:
    trusted = Trusted.parse(listed)
    assert [host for host in inside if host not in trusted] == []
    assert [host for host in outside if host in trusted] == []


@pytest.mark.parametrize("listed", ["localhost", "10.0.0.1/8", "10.0.0.0/33"])
def test_an_invalid_address_raises(listed: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|host bits"):
        Trusted.parse(listed)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # the peer is not trusted, so its header is ignored
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),  # the left entry comes from the client itself
        ("10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),  # all are trusted proxies: take the leftmost
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("", "198.51.100.7", "198.51.100.7"),
    ],
)
def test_client_address(peer: str, forwarded_for: str | None, client: str) -> None:
    assert client_address(peer, forwarded_for, Trusted.parse("10.0.0.0/8, unix")) == client


def test_if_all_peers_are_trusted_the_leftmost_is_the_client() -> None:
    assert client_address("192.0.2.1", "1.1.1.1, 198.51.100.7", Trusted.parse("*")) == "1.1.1.1"


def test_a_proxy_that_the_operator_forgot_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    trusted = Trusted.parse("10.0.0.0/8")
    for peer in ("10.0.0.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"):
        client_address(peer, "198.51.100.7", trusted)
    assert [record.getMessage() for record in caplog.records] == [
        "192.0.2.1 sent X-Forwarded-For, which is ignored: if it is your proxy, set VECHE_TRUSTED_PROXIES=192.0.2.1, "
        "or everybody behind it counts as one address"
    ]


def test_without_a_proxy_the_log_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    client_address("192.0.2.1", None, Trusted())
    assert not caplog.records
