"""Several Redis servers that work together: a cluster, and a replica with sentinels. They are real ones.

Each server is a `Redis`, which a test can stop, kill, pause and restart alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.services.redis import Redis
from tests.services.service import LOOK_SECONDS
from tests.veche_process import free_port

SLOTS = 16384
MASTER_NAME = "veche"
READY_SECONDS = 60.0


@dataclass
class Sentinels:
    """A master, its replica, and sentinels that watch the master under `name`."""

    master: Redis
    replica: Redis
    sentinels: list[Redis]
    name: str = MASTER_NAME

    def master_port(self) -> int:
        """Return the port of the present master, as the first running sentinel knows it."""
        sentinel = next(one for one in self.sentinels if one.running)
        return int(sentinel.run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)[1])


@contextmanager
def cluster(masters: int = 3, *, password: str = "", options: Mapping[str, str] | None = None) -> Iterator[list[Redis]]:
    """Start a cluster without replicas, with the slots divided evenly, and return when each node says it is whole.

    A node that is started again has its own id and slots: it keeps them in its folder.
    """
    with ExitStack() as stack:
        nodes = []
        for _ in range(masters):
            # The default port of the cluster's bus is 10000 higher, which may be above 65535.
            bus = {"cluster-enabled": "yes", "cluster-port": str(free_port()), "cluster-node-timeout": "2000"}
            nodes.append(stack.enter_context(Redis(password=password, options=bus | dict(options or {}))))
        for number, node in enumerate(nodes):
            first, last = SLOTS * number // masters, SLOTS * (number + 1) // masters - 1
            node.run("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.run("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            nodes[0].run("CLUSTER", "MEET", "127.0.0.1", node.port, node.options["cluster-port"])
        wait_until(lambda: all(whole(node, masters) for node in nodes), "the cluster is not whole")
        yield nodes


@contextmanager
def sentinels(count: int = 3, *, password: str = "", down_after_ms: int = 1000) -> Iterator[Sentinels]:
    """Start a master, a replica and 1 to 3 sentinels, and return when all know of each other.

    More than half of the sentinels must agree that the master is down. They then promote the replica.
    """
    with ExitStack() as stack:
        master = stack.enter_context(Redis(password=password, options={"repl-diskless-sync-delay": "0"}))
        follow = {"replicaof": f"127.0.0.1 {master.port}", "repl-diskless-sync-delay": "0"}
        replica = stack.enter_context(Redis(password=password, options=follow))
        wait_until(lambda: _info(replica, "replication").get("master_link_status") == "up", "no replication")
        watching: list[Redis] = []
        for _ in range(count):
            one = _Sentinel(master, count // 2 + 1, down_after_ms)
            watching.append(stack.enter_context(one))
        group = Sentinels(master, replica, watching)
        wait_until(lambda: all(_knows_all(one, count) for one in watching), "the sentinels do not know of each other")
        yield group


class _Sentinel(Redis):
    """A sentinel. It keeps what it learns in its configuration file."""

    def __init__(self, master: Redis, quorum: int, down_after_ms: int) -> None:
        super().__init__(server=master.server)
        self.file = self.folder / "sentinel.conf"
        lines = [
            "bind 127.0.0.1",
            f'dir "{self.folder}"',
            f"sentinel monitor {MASTER_NAME} 127.0.0.1 {master.port} {quorum}",
            f"sentinel down-after-milliseconds {MASTER_NAME} {down_after_ms}",
            f"sentinel failover-timeout {MASTER_NAME} {max(3 * down_after_ms, 3000)}",
        ]
        if master.password:
            lines.append(f'sentinel auth-pass {MASTER_NAME} "{master.password}"')
        self.file.write_text("\n".join((*lines, "")))
        self.file.chmod(0o600)

    def command(self) -> list[str]:
        return [str(self.server), str(self.file), "--sentinel", "--port", str(self.port)]


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    """Return when the condition holds. Raises RuntimeError after a minute."""
    until = time.monotonic() + READY_SECONDS
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(otherwise)
        time.sleep(LOOK_SECONDS)


def whole(node: Redis, masters: int) -> bool:
    """Whether a node sees this many nodes, and every slot served."""
    said = node.run("CLUSTER", "INFO")
    # A client parses the answer to a dictionary, or leaves it as lines.
    facts = said if isinstance(said, dict) else dict(line.split(":", 1) for line in said.split() if ":" in line)
    return facts["cluster_state"] == "ok" and int(facts["cluster_known_nodes"]) == masters


def _info(server: Redis, section: str) -> dict[str, Any]:
    with server.client() as client:
        return dict(client.info(section))


def _knows_all(sentinel: Redis, count: int) -> bool:
    facts = _info(sentinel, "sentinel")["master0"]
    return bool(facts["status"] == "ok" and facts["slaves"] == 1 and facts["sentinels"] == count)
