"""A wire passes on, is cut, falls silent, and is mended."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from .network import Network, Wire

LIMIT = 10.0


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A wire to a server that sends back what it receives."""
    with socket.create_server(("127.0.0.1", 0)) as server, Network() as network:
        threading.Thread(target=answer_all, args=(server,), daemon=True).start()
        yield network.wire(server.getsockname()[1])


def answer_all(server: socket.socket) -> None:
    while True:
        try:
            accepted, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(accepted,), daemon=True).start()


def answer(accepted: socket.socket) -> None:
    with accepted:
        try:
            while data := accepted.recv(65536):
                accepted.sendall(data)
        except OSError:
            return


def connect(wire: Wire) -> socket.socket:
    return socket.create_connection((wire.host, wire.port), LIMIT)


def ask(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return client.recv(65536)


def test_it_passes_on(wire: Wire) -> None:
    with connect(wire) as client:
        assert ask(client, b"hello") == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_a_cut_resets_all_connections_and_new_ones(wire: Wire) -> None:
    with connect(wire) as client:
        assert ask(client, b"hello") == b"hello"
        wire.cut()
        with pytest.raises(ConnectionError):
            ask(client, b"again")
        # The reset may arrive while `connect` still waits.
        with pytest.raises(ConnectionError), connect(wire) as late:
            ask(late, b"again")
        wire.mend()
        with connect(wire) as other:
            assert ask(other, b"hello") == b"hello"


def test_what_is_sent_during_a_silence_arrives_afterwards(wire: Wire) -> None:
    with connect(wire) as client:
        assert ask(client, b"hello") == b"hello"
        wire.hold()
        with connect(wire) as late:
            for one in (client, late):
                one.sendall(b"later")
                one.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    one.recv(65536)
            wire.mend()
            for one in (client, late):
                one.settimeout(LIMIT)
                assert one.recv(65536) == b"later"
