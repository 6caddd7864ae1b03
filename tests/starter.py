"""Forks a `veche` command for each request that comes through a socket: `starter.py SOCKET MODULE...`. See starting.py.

It has imported the program once, and the modules, which is most of what a start costs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass

import veche.storage.upgrade  # a server imports it for a new database, which takes long
from veche.cli.main import main as veche


@dataclass
class Child:
    """A command that runs."""

    pid: int
    status: int
    """The pipe that is told its exit code."""

    def tell_end(self) -> None:
        """Tell the exit code before the pid is free for another process."""
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(self.status, b"%d" % code)
        os.close(self.status)
        os.waitpid(self.pid, 0)


def become(request: bytes, files: list[int]) -> None:
    """Be the command of a request: with its words, folder, environment and output, and no other open file."""
    words, folder, environ = json.loads(request)
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(folder)
    sys.argv = words


def serve(control: socket.socket) -> bool:
    """Start commands until the other end closes. Return True in the process of a command, and False at the end."""
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not control:
                selector.unregister(key.fileobj)
                os.close(key.fd)
                key.data.tell_end()
                continue
            request, files, _, _ = socket.recv_fds(control, 1 << 20, 3)
            if not request:
                return False
            if (pid := os.fork()) == 0:
                selector.close()
                control.close()
                become(request, files)
                return True
            for file in files[:2]:
                os.close(file)
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, Child(pid, files[2]))
            control.send(b"%d" % pid)


if __name__ == "__main__":
    for module in sys.argv[2:]:
        importlib.import_module(module)
    gc.freeze()  # as `veche` does after its imports
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        sys.exit(veche())
