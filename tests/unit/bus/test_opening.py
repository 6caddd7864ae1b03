"""Which bus a setting means, and what a server says at its start."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.services.redis import RedisAddress
from tests.services.redis_groups import wait_until
from tests.veche_process import VecheProcess, free_port, run_veche
from veche.app import ENTRIES
from veche.bus.bus import BusError
from veche.bus.frames import EntryCodec
from veche.bus.memory import MemoryBus
from veche.bus.opening import WRONG, open_bus
from veche.bus.postgresql import PostgresBus
from veche.bus.redis import RedisBus
from veche.core.event import LogEvent
from veche.storage.opening import postgres_address

from .conftest import SECRET


def bus_of(url: str) -> Any:
    return open_bus(url, SECRET, "this installation", ENTRIES, postgres_address)


def test_each_address_has_its_bus(postgres_url: str) -> None:
    assert type(bus_of("")) is MemoryBus
    for url in ("redis://a", "rediss://a:1", "redis+cluster://a,b", "rediss+sentinel://a/main"):
        assert type(bus_of(url)) is RedisBus
    for url in (postgres_url, postgres_url.replace("postgresql", "postgres")):
        bus = bus_of(url)
        assert type(bus) is PostgresBus
        assert "@" not in bus.where


@pytest.mark.parametrize("url", ["http://host", "memory", "valkey", "nats://:geheim@host", ":", "//"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BusError) as caught:
        bus_of(url)
    assert str(caught.value) == WRONG


def test_all_entries_can_travel() -> None:
    kinds = {event.kind for event in LogEvent.__subclasses__() if event.__module__.startswith("veche.")}
    assert EntryCodec(ENTRIES).kinds == kinds


def start(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    words = ("serve", "--port", str(free_port()), "--database-url", f"sqlite:///{folder}/veche.db")
    return run_veche(*words, folder=folder, settings=settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://:geheim@host", WRONG),
        ("postgresql", "this database is no PostgreSQL"),
        ("redis://x:y", "VECHE_BUS_URL is"),
    ],
)
def test_a_server_with_a_wrong_address_does_not_start(tmp_path: Path, url: str, says: str) -> None:
    ended = start(tmp_path, VECHE_BUS_URL=url)
    assert ended.returncode == 1
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "geheim" not in ended.stderr


@pytest.mark.slow
def test_a_server_starts_without_its_redis(tmp_path: Path) -> None:
    settings = {"VECHE_BUS_URL": f"redis://:geheim@127.0.0.1:{free_port()}", "VECHE_DIALECTS": "native"}
    with VecheProcess(tmp_path, settings) as server:
        wait_until(lambda: "the server starts without the bus" in server.log, "it says nothing")
        assert "geheim" not in server.log


def test_a_server_connects_to_its_redis(tmp_path: Path, redis: RedisAddress) -> None:
    with VecheProcess(tmp_path, {"VECHE_BUS_URL": redis.url(), "VECHE_DIALECTS": "native"}) as server:
        connected = f"the bus is connected to redis 127.0.0.1:{redis.port}"
        wait_until(lambda: connected in server.log, "it says nothing")
