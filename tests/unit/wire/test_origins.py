"""Which pages may connect: how origins are read, and that the server's own page always may."""

from __future__ import annotations

import contextlib
import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.wire.origins import Origins, normal_origin, own_origins


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://chat.example.com", "https://chat.example.com"),
        ("HTTPS://Chat.Example.COM", "https://chat.example.com"),
        ("https://chat.example.com/", "https://chat.example.com"),
        ("https://chat.example.com:443", "https://chat.example.com"),
        ("http://chat.example.com:80/", "http://chat.example.com"),
        ("http://chat.example.com:443", "http://chat.example.com:443"),
        ("https://chat.example.com:8443", "https://chat.example.com:8443"),
        ("http://[::0001]:3000", "http://[::1]:3000"),
        ("https://чат.рф", "https://xn--80a0bn.xn--p1ai"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
    ],
)
def test_an_origin_is_read_as_browsers_write_it(text: str, origin: str) -> None:
    assert normal_origin(text) == origin
    assert normal_origin(origin) == origin


@pytest.mark.parametrize(
    "text",
    [
        *(
            "foo",
            "chat.example.com",
            "chat.example.com:443",
            "//chat.example.com",
            "https:chat.example.com",
            "null",
            "",
        ),
        *("https://", "https://:443", "https://a/b", "https://a?b", "https://a#b", "https://u@a", "https://a:99999"),
        *("https://*.example.com", "https://a b", "https://a,b", "https://[::1", "https://a:b", "https://a:", "/"),
        *(f"https://{'a.' * 130}com", f"https://{'é.' * 30_000}com", f"https://[{'1:' * 30_000}]"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_origin_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin: give one like https://chat"):
        normal_origin(text)


def test_a_long_host_takes_no_time() -> None:
    """The Host of a request may have 60,000 characters."""
    began = time.thread_time()
    own_origins({"host": "é." * 30_000}.get, from_proxy=True)
    assert time.thread_time() - began < 0.02


@given(st.text(max_size=40) | st.text("htps:/.[]@?#*0123456789aA", max_size=40))
def test_any_text_is_an_origin_or_is_refused(text: str) -> None:
    origin = None
    with contextlib.suppress(ValueError):
        origin = normal_origin(text)
    assert origin is None or normal_origin(origin) == origin


def allow(origins: Origins, from_proxy: bool = False, **headers: str) -> bool:
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return origins.allow(found.get, from_proxy=from_proxy, client="192.0.2.1")


LISTED = Origins.of(["https://chat.example.com"])


@pytest.mark.parametrize("texts", [[], ["*"], ["https://chat.example.com", "*"]])
def test_without_a_list_and_with_a_star_every_page_may_connect(texts: list[str]) -> None:
    assert allow(Origins.of(texts), origin="https://other.example", host="x")
    assert allow(Origins.of(texts), origin="null", host="x")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://chat.example.com", True),
        ("https://chat.example.com:444", False),
        ("http://chat.example.com", False),
        ("https://chat.example.com.evil", False),
        ("https://good.chat.example.com", False),
        ("null", False),
        ("", False),
        ("*", False),
    ],
)
def test_with_a_list_only_its_pages_may_connect(origin: str, allowed: bool) -> None:
    assert allow(LISTED, origin=origin, host="inside:8000") is allowed


def test_programs_send_no_origin_and_may_connect() -> None:
    assert allow(LISTED, host="inside")


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("chat.local:8000", "http://chat.local:8000", True),
        ("Chat.Local:8000", "http://chat.local:8000", True),
        ("chat.local:80", "http://chat.local", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("chat.local:8000", "https://chat.local:8000", False),
        ("chat.local:8000", "http://chat.local", False),
        ("chat.local", "http://other.local", False),
        ("*", "*", False),
        ("", "http://", False),
    ],
)
def test_the_page_of_this_server_may_always_connect(host: str, origin: str, allowed: bool) -> None:
    assert allow(LISTED, origin=origin, host=host) is allowed


FORWARDED = {"host": "app:8000", "x_forwarded_proto": "https", "x_forwarded_host": "chat.local"}


def test_a_trusted_proxy_tells_the_scheme_and_the_host() -> None:
    assert allow(LISTED, True, origin="https://chat.local", **FORWARDED)
    assert not allow(LISTED, True, origin="http://chat.local", **FORWARDED)
    assert not allow(LISTED, True, origin="http://app:8000", **FORWARDED)
    assert allow(LISTED, True, origin="https://a", host="a", x_forwarded_proto="https, http")


def test_a_trusted_proxy_that_does_not_tell_the_scheme_may_speak_either() -> None:
    assert allow(LISTED, True, origin="https://chat.local", host="chat.local")
    assert allow(LISTED, True, origin="http://chat.local", host="chat.local")


def test_anybody_else_cannot_tell_them() -> None:
    assert not allow(LISTED, False, origin="https://chat.local", **FORWARDED)
    assert allow(LISTED, False, origin="http://app:8000", **FORWARDED)


def test_a_refused_page_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "veche.wire"):
        assert not allow(LISTED, origin="https://evil.example", host="chat.local")
        assert allow(LISTED, origin="https://chat.example.com", host="chat.local")
    [line] = caplog.messages
    assert "https://evil.example" in line
    assert "192.0.2.1" in line
    assert "VECHE_ORIGINS" in line
    assert "http://chat.local" in line


@given(st.text(max_size=60), st.text(max_size=20), st.booleans())
def test_no_host_and_no_scheme_breaks_it(host: str, proto: str, from_proxy: bool) -> None:
    headers = {"host": host, "x-forwarded-proto": proto, "x-forwarded-host": host}
    for origin in own_origins(headers.get, from_proxy=from_proxy):
        assert origin == normal_origin(origin) != "*"
