"""`bench/plan.py` computes what a load needs, and docs/scaling.md shows what it prints."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from bench.plan import Costs, Load, describe, hearing_nodes, main, plan
from veche.storage.kinds.postgres_examine import OF_NODE

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```\n\$ python -m bench\.plan (.+)\n([^`]+)```", PAGE)
LOAD = Load(database_cores=1, people=1000, messages=1, deliveries=10, requests=0)
COSTS = Costs(delivery_us=10, message_us=100, request_us=1000, hearing_us=50, database_us=1000, redis_us=100)


def test_one_node_needs_no_redis() -> None:
    needs = plan(replace(LOAD, messages=0.1), COSTS)
    assert (needs.messages, needs.deliveries, needs.hearings) == (100, 1000, 0)
    assert (needs.nodes, needs.databases, needs.redis, needs.bound) == (1, 1, 0, "sockets")
    assert needs.price == LOAD.node_price + LOAD.database_price


def test_cpu_decides_when_people_write_much() -> None:
    # 5,000 messages and 50,000 deliveries are 1 s of CPU: two nodes at half load, but these hear each other
    needs = plan(replace(LOAD, messages=5), COSTS)
    heard = 5000 * (1 - 0.5**10)  # by one other node
    assert (1_000_000 + heard * 50) / 500_000 > 2
    assert (needs.nodes, needs.bound) == (3, "CPU")
    assert needs.hearings == pytest.approx(5000 * 2 * (1 - (2 / 3) ** 10))
    assert needs.databases == 10


def test_each_node_has_its_connections_to_postgresql_and_one_more_may_start() -> None:
    load = Load(people=80_000, messages=0, deliveries=1, requests=0)
    needs = plan(load, COSTS)
    assert needs.nodes == 10
    assert needs.connections == 11 * OF_NODE
    [line] = [line for line in describe(load, COSTS) if line.startswith("connections")]
    assert line.endswith(f"{11 * OF_NODE} of 100")
    [line] = [line for line in describe(replace(load, people=200_000), COSTS) if line.startswith("connections")]
    assert "put poolers in front" in line


def test_a_node_is_not_filled_to_its_limit() -> None:
    needs = plan(Load(people=10_000, messages=0, deliveries=1, requests=0), COSTS)
    assert needs.nodes == 2


def test_requests_cost_cpu() -> None:
    assert plan(replace(LOAD, messages=0, requests=2), COSTS).nodes == 4


def test_sockets_decide_when_people_are_idle() -> None:
    needs = plan(Load(people=100_001, messages=0, deliveries=1, requests=0, sockets_per_node=10_000, filled=1), COSTS)
    assert (needs.nodes, needs.bound) == (11, "sockets")
    assert needs.node_memory_mb == pytest.approx(100_001 / 11 * COSTS.socket_kb / 1000)


def test_a_message_is_heard_at_most_once_by_each_other_node_and_for_each_delivery() -> None:
    assert hearing_nodes(1, 10) == 0
    assert hearing_nodes(2, 1000) == pytest.approx(1)
    assert hearing_nodes(100_000, 10) == pytest.approx(10, rel=1e-3)


def test_redis_publishes_once_and_hands_over_to_each_hearing_node() -> None:
    load = replace(LOAD, people=100_000, messages=0.01, sockets_per_node=1000)
    needs = plan(load, COSTS)
    assert needs.redis == -(-(needs.messages + needs.hearings) * COSTS.redis_us // 500_000)
    assert needs.redis > 1


@pytest.mark.parametrize(
    "words", ["--people 0", "--share 1.5", "--filled 0", "--messages -1", "--cost wrong=1", "--cost redis_us=x"]
)
def test_wrong_options_are_refused(words: str) -> None:
    with pytest.raises(SystemExit):
        main(["--people", "10", "--messages", "1", "--deliveries", "2", *words.split()])


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize(("words", "printed"), EXAMPLES)
def test_the_page_shows_what_is_printed(words: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(words)) == 0
    assert capsys.readouterr().out == printed
