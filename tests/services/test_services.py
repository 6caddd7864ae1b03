"""The servers that tests start: they keep data over a crash, and end with their owner."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_py

from tests.services import MissingError, Postgres, PostgresAddress, Redis, RedisAddress, fixtures, redis_groups
from tests.services import postgres as postgres_module
from tests.services import redis as redis_module
from tests.services.guard import descendants

pytestmark = pytest.mark.slow

OWNER = """
import sys
from tests.services import {name}
server = {name}().__enter__()
{then}
print(server._guard.pid, server.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    try:
        with Postgres() as server:
            yield server
    except MissingError as missing:
        fixtures.skip(missing)


@pytest.fixture(scope="module")
def own_redis() -> Iterator[Redis]:
    try:
        with Redis(password="a b/c") as server:
            yield server
    except MissingError as missing:
        fixtures.skip(missing)


def test_postgres_is_durable_and_not_run_by_root(own_postgres: Postgres) -> None:
    said = {
        name: own_postgres.psql(f"SHOW {name}")[0][0] for name in ("fsync", "synchronous_commit", "max_connections")
    }
    assert said == {"fsync": "on", "synchronous_commit": "on", "max_connections": "500"}
    assert own_postgres.psql("SHOW server_encoding") == [("UTF8",)]
    assert Path(f"/proc/{own_postgres.pid}").stat().st_uid == own_postgres.uid != 0


def test_postgres_asks_for_its_password(own_postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(own_postgres.url().replace(own_postgres.password, "wrong"))


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_postgres_keeps_what_was_committed(own_postgres: Postgres, how: signal.Signals) -> None:
    url, port = own_postgres.new_database(), own_postgres.port
    own_postgres.psql("CREATE TABLE kept AS SELECT 7 AS number", url=url)
    with psycopg.connect(url) as connection:
        before = own_postgres.pids()
        own_postgres.stop(how)
        assert not own_postgres.running
        assert [pid for pid in before if Path(f"/proc/{pid}").exists()] == []
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert own_postgres.restart().port == port
    assert own_postgres.psql("SELECT number FROM kept", url=url) == [(7,)]


@pytest.mark.long
def test_paused_postgres_answers_nothing_and_then_goes_on(own_postgres: Postgres) -> None:
    with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
        own_postgres.pause()
        connection.pgconn.send_query(b"SELECT 5")
        assert select.select([connection.pgconn.socket], [], [], 0.3)[0] == []
        own_postgres.resume()
        result = connection.pgconn.get_result()
        assert result is not None
        assert result.get_value(0, 0) == b"5"
        assert connection.pgconn.get_result() is None


@pytest.mark.long
def test_paused_postgres_can_be_killed_and_started_again(own_postgres: Postgres) -> None:
    own_postgres.pause()
    own_postgres.kill()
    own_postgres.start()
    assert own_postgres.psql("SELECT 1") == [(1,)]


def test_databases_are_separate(postgres: PostgresAddress, postgres_url: str) -> None:
    other = postgres.new_database()
    postgres.psql("CREATE TABLE one (id int)", url=postgres_url)
    assert postgres.psql("SELECT to_regclass('one') IS NULL", url=other) == [(True,)]
    postgres.drop_database(other)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres.psql("SELECT 1", url=other)


@pytest.mark.long
def test_the_postgres_of_the_wheel_starts() -> None:
    folders = postgres_module.wheel_folders()
    if not folders:
        fixtures.skip(MissingError(postgres_module.HOW_TO_GET_IT))
    with Postgres(bin=folders[0]) as server:
        assert server.psql("SELECT 1", url=server.new_database()) == [(1,)]
    assert not server.folder.exists()


def test_the_redis_of_the_wheel_starts() -> None:
    program = redis_module.wheel_program()
    if program is None:
        fixtures.skip(MissingError(redis_module.HOW_TO_GET_IT))
    with Redis(server=program) as server:
        assert server.run("PING")


@pytest.fixture(params=["plain", "tls"])
def redis_to_crash(request: pytest.FixtureRequest) -> Iterator[Redis]:
    try:
        with Redis(tls=request.param == "tls") as server:
            yield server
    except MissingError as missing:  # the Valkey of the wheel has no TLS
        pytest.skip(str(missing)) if request.param == "tls" else fixtures.skip(missing)
    assert not server.folder.exists()


def test_redis_answers_after_a_crash_on_the_same_port(redis_to_crash: Redis) -> None:
    server = redis_to_crash
    server.run("SET", "a", "1")
    server.kill()
    with pytest.raises(redis_py.ConnectionError):
        server.run("GET", "a")
    server.restart()
    assert server.run("GET", "a") is None  # nothing is stored on disk
    assert server.url().startswith("rediss:" if server.ca else "redis:")


def test_redis_asks_for_its_password(own_redis: Redis) -> None:
    with redis_py.Redis(port=own_redis.port) as stranger, pytest.raises(redis_py.AuthenticationError):
        stranger.ping()
    assert own_redis.run("PING")


def test_redis_drops_clients(own_redis: Redis) -> None:
    with own_redis.client() as client, client.pubsub() as listener:
        held = client.connection_pool.get_connection()
        listener.subscribe("x")
        assert listener.get_message(timeout=10)
        assert own_redis.drop_clients("pubsub") == 1
        with pytest.raises(redis_py.ConnectionError):
            listener.connection.read_response(timeout=10)
        assert own_redis.drop_clients("normal") == 1
        with pytest.raises(redis_py.ConnectionError, match="closed"):
            held.can_read(timeout=10)
        held.disconnect()


def test_paused_redis_answers_nothing_and_then_goes_on(own_redis: Redis) -> None:
    with own_redis.client() as client:
        connection = client.connection_pool.get_connection()
        own_redis.pause()
        connection.send_command("PING")
        assert not connection.can_read(timeout=0.3)
        own_redis.resume()
        assert connection.can_read(timeout=30)
        connection.disconnect()


def test_redis_of_the_run(redis: RedisAddress, redis_url: str) -> None:
    number = int(redis_url.rpartition("/")[2])
    redis.run("SET", "a", "1", database=number)
    redis.flush(number)
    assert redis.run("DBSIZE", database=number) == 0


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


ONE_OF_TWO = """
import os
def test_server(postgres, redis):
    with open({said!r}, "a") as said:
        said.write(f"{{os.getpid()}} {{postgres.port}} {{redis.port}}\\n")
"""


@pytest.mark.long
def test_workers_share_one_server_which_ends_with_the_run(tmp_path: Path, redis: RedisAddress) -> None:
    said = tmp_path / "said"
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text(ONE_OF_TWO.format(said=str(said)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    words = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:schemathesis",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-p",
        "tests.services.fixtures",
        "--basetemp",
    ]
    done = subprocess.run(
        [sys.executable, *words, tmp_path / "run", tmp_path], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    workers, *servers = (set(column) for column in zip(*map(str.split, said.read_text().splitlines()), strict=True))
    assert len(workers) == 2
    assert [len(ports) for ports in servers] == [1, 1]
    redis_groups.wait_until(lambda: not any(map(answers, map(int, set.union(*servers)))), "a server outlives the run")


@pytest.mark.parametrize("then", ["", "server.pause()"], ids=["running", "paused"])
@pytest.mark.parametrize("name", ["Postgres", "Redis"])
def test_server_ends_when_its_owner_is_killed(name: str, then: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(name=name, then=then)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with owner:
        assert owner.stdout is not None
        guard, folder = owner.stdout.readline().split()
        pids = descendants(int(guard))
        assert pids
        guard_end = os.pidfd_open(int(guard))
        owner.kill()
    assert select.select([guard_end], [], [], 30)[0], "the guard still runs"
    os.close(guard_end)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert not Path(folder).exists()


@pytest.mark.parametrize("variable", fixtures.NEVER_SKIP)
def test_what_is_missing_fails_where_nothing_may_be(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in fixtures.NEVER_SKIP:
        monkeypatch.delenv(name, raising=False)
    missing = MissingError(redis_module.HOW_TO_GET_IT)
    with pytest.raises(pytest.skip.Exception, match="apt-get install redis-server"):
        fixtures.skip(missing)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install redis-server"):
        fixtures.skip(missing)


@pytest.mark.long
def test_cluster_is_whole(redis: RedisAddress) -> None:
    with redis_groups.cluster(password="p") as nodes:
        startup = [redis_py.cluster.ClusterNode("127.0.0.1", nodes[0].port)]
        with redis_py.RedisCluster(startup_nodes=startup, password="p") as client:
            for key in ("a", "b", "c"):  # each on another node
                assert client.set(key, "1")
        assert [node.run("DBSIZE") for node in nodes] == [1, 1, 1]
        nodes[0].kill()
        nodes[0].start()
        redis_groups.wait_until(lambda: redis_groups.whole(nodes[0], 3), "the node has forgotten the cluster")


@pytest.mark.long
def test_sentinels_promote_the_replica(redis: RedisAddress) -> None:
    with redis_groups.sentinels(password="p") as group:
        assert group.master_port() == group.master.port
        group.master.kill()
        redis_groups.wait_until(lambda: group.master_port() == group.replica.port, "no failover")
        assert group.replica.run("SET", "a", "1")
