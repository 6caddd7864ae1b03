"""A network namespace for a node, so that its network can really go away: no packet comes, and no end is told.

It needs root and ip(8). See network_namespaces(7) and veth(4).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from ipaddress import ip_address
from types import TracebackType
from typing import Self

FIRST = ip_address("198.18.0.0")
"""Of the addresses for tests of networks (RFC 2544)."""
BLOCKS = 16_384


class NamespaceError(Exception):
    """This machine makes no network namespaces for us."""


class Namespace:
    """One namespace, and a link from here to it. Programs in it have the address `there`, and we have `here`."""

    def __init__(self, number: int) -> None:
        self.name = f"veche-{os.getpid()}-{number}"
        self._link = f"vt{os.getpid()}-{number}"
        block = FIRST + 4 * ((2 * os.getpid() + number) % BLOCKS)
        self.here, self.there = str(block + 1), str(block + 2)

    @property
    def prefix(self) -> Sequence[str]:
        """The words before a command that is to run in it. The command has the pid of these words."""
        return ("ip", "netns", "exec", self.name)

    def __enter__(self) -> Self:
        """Make it. Raises NamespaceError."""
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NamespaceError("it needs root and the command ip")
        try:
            _ip("netns", "add", self.name)
            inside = f"{self._link}i"
            _ip("link", "add", self._link, "type", "veth", "peer", "name", inside)
            _ip("link", "set", inside, "netns", self.name)
            _ip("address", "add", f"{self.here}/30", "dev", self._link)
            self.join()
            _ip("-n", self.name, "address", "add", f"{self.there}/30", "dev", inside)
            for link in (inside, "lo"):
                _ip("-n", self.name, "link", "set", link, "up")
        except NamespaceError:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def part(self) -> None:
        """Lose all packets from and to it."""
        _ip("link", "set", self._link, "down")

    def join(self) -> None:
        """Let packets through again."""
        _ip("link", "set", self._link, "up")

    def close(self) -> None:
        """Remove it, and the link with it."""
        for words in (("link", "del", self._link), ("netns", "del", self.name)):
            subprocess.run(["ip", *words], capture_output=True, check=False)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NamespaceError(f"ip {' '.join(words)}: {done.stderr}")
