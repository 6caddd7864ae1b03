"""Resources: two attacks on the edge of HTTP and WebSocket that no other test here has.

What many clients or long inputs may cost is in test_connections.py, test_sign_in.py, test_socketio.py, tests/unit/wire.
"""

from __future__ import annotations

import socket
import zlib

import pytest
from laws.town import Server


def sent(server: Server, data: bytes) -> bytes:
    """Send bytes, and return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as opened:
        opened.sendall(data)
        got = b""
        while piece := opened.recv(65_536):
            got += piece
        return got


SECOND = b"GET /v1/limits HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /v1/login HTTP/1.1\r\nHost: x\r\n"
AMBIGUOUS = {
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 57\r\n\r\n" + SECOND,
    "a length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SECOND,
    "chunks by another name": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
    "chunks not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SECOND,
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SECOND,
    "a length that is no number": POST + b"Content-Length: 0x0\r\n\r\n" + SECOND,
    "a folded line": POST + b"Content-Length:\r\n 57\r\nX: a\r\n b\r\n\r\n" + SECOND,
    "a blank before the colon": POST + b"Content-Length : 38\r\n\r\n" + SECOND,
    "a chunk size that is none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" + SECOND,
    "a line feed alone": b"POST /v1/login HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + SECOND,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_that_a_proxy_may_read_in_another_way_is_one_request(server: Server, name: str) -> None:
    """Otherwise, behind a proxy that reads it differently, a client could put a request in front of another's."""
    got = sent(server, AMBIGUOUS[name])
    assert got.startswith(b"HTTP/1.1 400 "), got
    assert got.count(b"HTTP/1.1 ") == 1


def test_two_plain_requests_are_two(server: Server) -> None:
    """This shows that the second request above would be answered."""
    got = sent(server, POST + b"Content-Length: 0\r\n\r\n" + SECOND)
    assert got.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 200 OK" in got


@pytest.mark.parametrize("path", ["/v1/socket", "/connect", "/socket.io/?EIO=4&transport=websocket"])
def test_nothing_compressed_is_inflated(server: Server, path: str) -> None:
    """A bomb of 60 KB would be 60 MB: compression is never agreed upon, and a compressed frame is a protocol error."""
    upgrade = (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(bytes(60_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 65_536
    compressed = bytes((0xC1, 0xFE)) + len(bomb).to_bytes(2, "big") + bytes(4) + bomb
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as opened:
        opened.sendall(upgrade.encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += opened.recv(1)
        opened.sendall(compressed)
        while piece := opened.recv(65_536):
            got += piece
    head, _, frames = got.partition(b"\r\n\r\n")
    assert b" 101 " in head
    assert b"deflate" not in head.lower()
    assert (1002).to_bytes(2, "big") in frames, frames
