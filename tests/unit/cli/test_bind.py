"""Listening on an address."""

from __future__ import annotations

import pytest

from veche.cli.serve import BindError, bind, bind_all
from veche.settings import ServerSettings


def test_a_free_port_is_bound() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_two_servers_that_start_at_once_do_not_share_a_port() -> None:
    """With SO_REUSEADDR two sockets can bind an address until one listens, so `bind` has to listen at once."""
    with bind("127.0.0.1", 0) as first, pytest.raises(BindError, match="is in use"):
        bind("127.0.0.1", first.getsockname()[1]).close()


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0), ("no.such.host.invalid", 0), ("::1%nowhere", 0)]
)
def test_an_address_of_another_machine_is_refused(host: str, port: int) -> None:
    with pytest.raises(BindError, match=f"Cannot listen on {host} port {port}"):
        bind(host, port).close()


@pytest.mark.parametrize("host", ["a" * 300, "a..b", ".", "a\0b", "\udcff", "[::1"])
def test_a_host_that_is_none_is_refused_with_a_sentence(host: str) -> None:
    with pytest.raises(BindError, match=r"^Cannot listen on "):
        bind(host, 0).close()


@pytest.mark.parametrize(
    "text", ["x", ":1", "x:", "127.0.0.1:1x", f"127.0.0.1:{'9' * 5000}", "127.0.0.1:-1", "127.0.0.1:٣"]
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BindError, match="is no address to listen on"):
        bind_all(ServerSettings(bind=(text,)))
