"""Taking the address before anything else is done."""

from __future__ import annotations

import pytest

from veche.cli.serve import BindError, bind


def test_a_free_port_is_taken() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_two_that_start_at_once_do_not_both_get_the_port() -> None:
    """SO_REUSEADDR lets two bind; only who listens has it, so the first must listen before the second looks."""
    with bind("127.0.0.1", 0) as first, pytest.raises(BindError, match="is in use"):
        bind("127.0.0.1", first.getsockname()[1]).close()


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0), ("no.such.host.invalid", 0), ("::1%nowhere", 0)]
)
def test_an_address_that_is_not_ours_is_said_so(host: str, port: int) -> None:
    with pytest.raises(BindError, match=f"Cannot listen on {host} port {port}"):
        bind(host, port).close()
