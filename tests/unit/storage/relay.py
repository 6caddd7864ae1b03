"""A TCP relay between the server and PostgreSQL, which cuts the connection at a chosen message."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlsplit


class Relay:
    """Forwards connections to a database. After `cut_at(word, forward=...)`, the next client bytes with `word` are
    forwarded or not, their answer never arrives, and the connection ends. With `after`, only those of a connection that
    has sent these bytes before. With `refuses_after_cut`, no further connection is forwarded until `move` names another
    server.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        who = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{who}@127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self._word = b""
        self._forward = False
        self._after = b""
        self.cuts = 0
        self.refuses_after_cut = False
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._open):
            _end(one)

    def cut_at(self, word: bytes, *, forward: bool, after: bytes = b"") -> None:
        self._word, self._forward, self._after = word, forward, after

    def move(self, port: int) -> None:
        """Forward new connections to another server on this machine."""
        self._to = ("127.0.0.1", port)
        self.refuses_after_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.cuts and self.refuses_after_cut:
                    client.close()
                    continue
                server = socket.create_connection(self._to)
                self._open += [client, server]
                threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        sent_before = b""  # of what `after` may name
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self._after and self._after in data:
                    sent_before = self._after
                if from_client and sent_before == self._after and self._word and self._word in data:
                    self._word = b""
                    self.cuts += 1
                    _end(source)  # first, so that no answer gets through
                    if self._forward:
                        target.sendall(data)
                        _read_to_the_end(target)
                    break
                target.sendall(data)
        _end(source)
        _end(target)


def _read_to_the_end(server: socket.socket) -> None:
    """Let the server do what it was sent: it is done when it waits for more, which it shows with ReadyForQuery."""
    server.shutdown(socket.SHUT_WR)
    while server.recv(1 << 16):
        pass


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
