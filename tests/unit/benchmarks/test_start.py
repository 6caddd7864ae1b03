"""`python -m bench --only start` sends requests before the server listens. They must not take the server's port."""

import socket

import pytest

from bench.server import free_port
from bench.start import SOURCE


def test_a_request_that_comes_too_early_does_not_keep_the_port_of_the_server() -> None:
    server = ("127.0.0.1", free_port())
    with socket.socket() as early:
        early.bind((SOURCE, server[1]))  # the kernel may choose this port, too
        with pytest.raises(ConnectionRefusedError):
            early.connect(server)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(server)
