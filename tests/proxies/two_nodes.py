"""Two nodes behind a proxy that has the configuration of `deploy/`. Only ports, paths and the name are replaced.

The nodes share PostgreSQL and Redis.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from laws.town import TIMEOUT

from tests.programs import program
from tests.veche_process import VecheProcess, free_port

from .site import ROOT, SETTINGS, Proxy, Site, make_certificate, until

NODES = ("10.0.0.11:8000", "10.0.0.12:8000")  # as the files of deploy/ have them
SECRET = "a secret of these tests alone, long enough"


@dataclass
class Node(VecheProcess):
    """One of the nodes. `stored_at` is the database."""

    def requests(self, path: str) -> int:
        """Return how many requests with this path the node has answered."""
        return self.log.count(f" {path} ")


@dataclass
class TwoNodes:
    """A proxy and what is behind it."""

    site: Site
    nodes: tuple[Node, Node]

    def http(self, address: str) -> httpx.Client:
        """Return an HTTP client at an address of this machine."""
        transport = httpx.HTTPTransport(verify=self.site.tls or False, local_address=address)
        return httpx.Client(base_url=self.site.base, transport=transport, timeout=TIMEOUT)

    def both_are_asked(self, path: str) -> None:
        """Ask for a path until each node has answered it. Fail if a request fails."""
        before = [node.requests(path) for node in self.nodes]

        def asked() -> bool:
            with self.http("127.0.0.1") as http:
                assert http.get(path).status_code == 404
            return all(node.requests(path) > old for node, old in zip(self.nodes, before, strict=True))

        until(asked)


@contextlib.contextmanager
def two_nodes(proxy: Proxy, folder: Path, database: str, bus: str) -> Iterator[TwoNodes]:
    """Run two nodes behind a proxy. `database` and `bus` are the addresses of both. Raises MissingError."""
    program(proxy.name)
    make_certificate(folder)
    settings = SETTINGS | {"VECHE_SECRET": SECRET, "VECHE_SOCKETIO_ANONYMOUS": "1", "VECHE_BUS_URL": bus}
    with contextlib.ExitStack() as stack:
        nodes = []
        for number in (1, 2):
            (own := folder / f"node{number}").mkdir()
            nodes.append(stack.enter_context(Node(own, settings, stored_at=database)))
        tls = ssl.create_default_context(cafile=str(folder / "chat.pem"))
        site = Site(proxy, folder, nodes[0], free_port(), tls)  # type: ignore[arg-type]  # it needs no witness here
        addresses = dict(zip(NODES, (f"127.0.0.1:{node.port}" for node in nodes), strict=True))
        proxy.configure(folder, site.port, configuration(proxy), addresses)
        stack.callback(site.stop)
        site.start()
        found = TwoNodes(site, (nodes[0], nodes[1]))
        found.both_are_asked("/is-up")
        yield found


def configuration(proxy: Proxy) -> str:
    return (ROOT / "deploy" / proxy.file).read_text(encoding="utf-8")
