"""HEAD works wherever GET does, because proxies check with it; a socket asked without an upgrade says so."""

from __future__ import annotations

import httpx
import pytest
from conftest import Servers
from transcript import Head

READABLE = ["/healthz", "/health", "/", "/docs", "/openapi.json", "/v1/limits", "/native/v1/limits", "/v1/me"]
SOCKETS = ["/v1/socket", "/native/v1/socket", "/ws/", "/ws/1", "/echo_ws/ann", "/connect", "/messenger/ws/1"]


@pytest.mark.parametrize("path", READABLE)
def test_head_is_get_without_the_body(servers: Servers, path: str) -> None:
    base = servers.shared(Head()).base
    got, head = httpx.get(base + path), httpx.head(base + path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert set(got.headers) == set(head.headers)
    assert head.headers["content-length"] == got.headers["content-length"]


def test_head_of_a_path_that_takes_no_get(servers: Servers) -> None:
    assert httpx.head(servers.shared(Head()).base + "/v1/login").status_code == 405


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_without_an_upgrade_requires_one(servers: Servers, path: str, method: str) -> None:
    """A proxy that does not pass upgrades on makes such a request."""
    response = httpx.request(method, servers.shared(Head()).base + path)
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"


def test_a_path_beside_a_socket_is_not_found(servers: Servers) -> None:
    assert httpx.get(servers.shared(Head()).base + "/v1/sockets").status_code == 404
