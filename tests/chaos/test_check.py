"""The analysis of hand-made runs: a good run has no violations, and each invariant has runs that break it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from .check import check
from .evidence import Evidence, Stored
from .figures import deliveries_to_the_other_node, figures, percentile, times_to_return
from .records import (
    ME,
    Ack,
    CaughtUp,
    Down,
    Fault,
    Gone,
    Invoke,
    Nack,
    Opened,
    Record,
    Recv,
    Reset,
    Trouble,
    Unexpected,
    Welcome,
)

ROOM = 7
ANN, BOB, EVE = "ann", "bob", "eve"
ACCOUNTS = {ANN: 1, BOB: 2, EVE: 3}
FIRST = 10
"""Message n of a hand-made run has the id FIRST + n, and the seq n + 1, because an event has seq 1."""


def invoke(n: int, at: float = 0.0, client: str = ANN, text: str | None = None) -> Invoke:
    return Invoke(at, client, ROOM, f"{client}-{n}", text or f"text of {client}-{n}")


def ack(n: int, seq: int | None = None, client: str = ANN, duplicate: bool = False, connection: int = 1) -> Ack:
    return Ack(0.0, client, connection, ROOM, f"{client}-{n}", seq or n + 1, FIRST + n, duplicate)


def stored(n: int, seq: int | None = None, client: str = ANN, text: str | None = None) -> Stored:
    text = text or f"text of {client}-{n}"
    return Stored(ROOM, seq or n + 1, FIRST + n, ACCOUNTS[client], f"{client}-{n}", text)


def recv(row: Stored, client: str = BOB, connection: int = 1) -> Recv:
    return Recv(0.0, client, connection, row.room, row.seq, "message", row.id, row.cid, row.sender, row.text)


def joined(client: str = BOB, seq: int = 1) -> Recv:
    return Recv(0.0, client, 1, ROOM, seq, "joined")


def all_received(client: str, rows: Sequence[Stored]) -> list[Record]:
    return [joined(client), *(recv(row, client) for row in rows)]


def evidence(records: Sequence[Record], rows: Sequence[Stored]) -> Evidence:
    """Make a run in one room of Ann and Bob, without Eve, whose seq 1 is an event."""
    return Evidence(
        records=records,
        accounts=ACCOUNTS,
        members={ROOM: frozenset({ANN, BOB})},
        served=rows,
        rows=rows,
        events=[(ROOM, 1)],
        heads={ROOM: max((row.seq for row in rows), default=1)},
    )


def received_by_all(records: Sequence[Record], rows: Sequence[Stored]) -> Evidence:
    """Make the same as `evidence`, where both members received everything."""
    return evidence([*records, *all_received(ANN, rows), *all_received(BOB, rows)], rows)


def kinds(run: Evidence) -> list[str]:
    return [violation.kind for violation in check(run)]


SENT = [invoke(1), invoke(2), ack(1), ack(2)]
ROWS = [stored(1), stored(2)]


def test_a_good_run_has_no_violations() -> None:
    hello = [Welcome(0.0, BOB, 1, {ROOM: 3, ME: 1}), Recv(0.0, BOB, 1, ME, 1, "joined")]
    ends = [Fault(0.0, "kill", -9, 0.0), Fault(0.0, "drain", 0, 0.2), Fault(0.0, "mid_fanout", 9, 0.3)]
    run = evidence(
        [*SENT, *all_received(ANN, ROWS), *hello, *all_received(BOB, ROWS), CaughtUp(0.0, BOB, 1), *ends], ROWS
    )
    assert check(replace(run, events=[(ROOM, 1), (-ACCOUNTS[BOB], 1)])) == []


def test_a_message_stored_by_a_retry_is_no_violation() -> None:
    records = [invoke(1), Nack(0.0, ANN, "ann-1", "unavailable", True), Down(0.0, ANN, 1, 4200, False)]
    assert kinds(received_by_all([*records, ack(1, duplicate=True, connection=2)], [stored(1)])) == []


def test_1_acked_and_not_stored() -> None:
    assert kinds(received_by_all(SENT, [stored(1)])) == ["acked-lost"]


def test_1_acked_with_another_seq() -> None:
    assert kinds(received_by_all([invoke(1), ack(1, seq=9)], [stored(1)])) == ["acked-seq"]


def test_1_acked_twice_with_different_seqs() -> None:
    assert kinds(received_by_all([invoke(1), ack(1), ack(1, seq=3, duplicate=True)], [stored(1)])) == ["acked-seq"]


def test_1_acked_and_stored_with_another_text() -> None:
    assert "acked-text" in kinds(received_by_all([invoke(1), ack(1)], [stored(1, text="spoiled")]))


def test_2_acked_and_stored_twice() -> None:
    rows = [stored(1), replace(stored(1, seq=3), id=99)]
    violations = check(received_by_all([invoke(1), ack(1, seq=3)], rows))
    assert any(violation.kind == "stored-twice" and "(acked)" in violation.sentence for violation in violations)


def test_2_a_message_id_given_twice() -> None:
    assert "stored-twice" in kinds(received_by_all(SENT, [stored(1), replace(stored(2), id=FIRST + 1)]))


def test_3_a_gap_in_the_seqs() -> None:
    run = received_by_all([invoke(1), ack(1, seq=4)], [stored(1, seq=4)])
    assert "seq-gap" in kinds(run)
    assert "2, 3 of 4" in next(violation.sentence for violation in check(run) if violation.kind == "seq-gap")


def test_3_a_number_given_twice() -> None:
    assert "seq-twice" in kinds(received_by_all(SENT, [stored(1), stored(2, seq=2)]))


def test_3_a_number_given_to_a_message_and_an_event() -> None:
    run = received_by_all(SENT, ROWS)
    assert "seq-twice" in kinds(replace(run, events=[*run.events, (ROOM, 2)]))


def test_3_a_gap_in_an_own_log() -> None:
    run = received_by_all([*SENT, Recv(0.0, BOB, 1, ME, 1, "read"), Recv(0.0, BOB, 1, ME, 2, "read")], ROWS)
    assert kinds(replace(run, events=[(ROOM, 1), (-ACCOUNTS[BOB], 2)])) == ["seq-gap", "recv-phantom"]


def test_3_a_head_that_is_not_the_last_number() -> None:
    assert kinds(replace(received_by_all(SENT, ROWS), heads={ROOM: 4})) == ["head"]


def test_4_a_senders_messages_in_another_order() -> None:
    records = [invoke(1), invoke(2), ack(1, seq=3), ack(2, seq=2)]
    assert kinds(received_by_all(records, [stored(2, seq=2), stored(1, seq=3)])) == ["sender-order"]


def test_4_a_message_that_was_refused_may_be_stored_later() -> None:
    records = [invoke(1), invoke(2), Nack(0.0, ANN, "ann-1", "overloaded", True), ack(2, seq=2), ack(1, seq=3)]
    assert kinds(received_by_all(records, [stored(2, seq=2), stored(1, seq=3)])) == []


def test_5_sent_after_an_ack_and_stored_before_it() -> None:
    records = [invoke(1), ack(1, seq=3), invoke(2, client=BOB), ack(2, seq=2, client=BOB)]
    assert kinds(received_by_all(records, [stored(2, seq=2, client=BOB), stored(1, seq=3)])) == ["real-time-order"]


def test_5_sent_before_an_ack_and_stored_before_it() -> None:
    records = [invoke(1), invoke(2, client=BOB), ack(1, seq=3), ack(2, seq=2, client=BOB)]
    assert kinds(received_by_all(records, [stored(2, seq=2, client=BOB), stored(1, seq=3)])) == []


def test_6_a_message_that_nobody_sent() -> None:
    assert kinds(received_by_all([invoke(1), ack(1)], ROWS)) == ["phantom"]


def test_6_a_message_of_another_sender() -> None:
    assert kinds(received_by_all([invoke(1), ack(1)], [replace(stored(1), sender=ACCOUNTS[BOB])])) == ["phantom"]


def test_6_a_notice_is_no_phantom() -> None:
    notice = replace(stored(1), cid=None, sender=0, kind="notice")
    assert kinds(received_by_all([], [notice])) == []


@pytest.mark.parametrize("served", [[stored(1)], [*ROWS, stored(3)], [stored(2), stored(1)]])
def test_6_what_is_served_is_not_what_is_stored(served: list[Stored]) -> None:
    records = [*SENT, invoke(3), Nack(0.0, ANN, "ann-3", "not_member", False)]
    assert "served-differs" in kinds(replace(received_by_all(records, ROWS), served=served))


def test_7_a_repeated_frame() -> None:
    again = [recv(stored(2), connection=2)]
    assert kinds(received_by_all([*SENT, *all_received(BOB, ROWS), *again], ROWS))[:1] == ["recv-repeat"]


def test_7_a_frame_out_of_order() -> None:
    run = evidence([*SENT, *all_received(ANN, ROWS), joined(), recv(stored(2)), recv(stored(1)), recv(stored(2))], ROWS)
    assert kinds(run) == ["recv-gap"]


def test_7_a_frame_that_never_came() -> None:
    run = evidence([*SENT, *all_received(ANN, ROWS), joined(), recv(stored(1))], ROWS)
    assert kinds(run) == ["recv-missed"]


def test_7_an_event_that_never_came() -> None:
    run = evidence([joined(ANN)], [])
    assert [violation.sentence for violation in check(run)] == ["bob never received seq 1 of room 7, 1 long"]


def test_7_an_own_event_that_never_came() -> None:
    run = received_by_all(SENT, ROWS)
    assert kinds(replace(run, events=[(ROOM, 1), (-ACCOUNTS[EVE], 1)])) == ["recv-missed"]


def test_7_a_frame_that_is_not_in_the_history() -> None:
    assert kinds(received_by_all([*SENT, *all_received(BOB, ROWS), recv(stored(3))], ROWS)).count("recv-phantom") == 1


def test_7_an_event_where_a_message_is_missing() -> None:
    run = evidence([*SENT, *all_received(ANN, ROWS), recv(stored(1, seq=1)), recv(stored(1)), recv(stored(2))], ROWS)
    assert kinds(run) == ["recv-phantom"]


@pytest.mark.parametrize("changed", [{"id": 99}, {"text": "spoiled"}, {"cid": "ann-2"}, {"sender": 2}])
def test_7_a_frame_that_differs_from_the_history(changed: dict[str, object]) -> None:
    other = replace(stored(1), **changed)  # type: ignore[arg-type]
    run = evidence([*SENT, *all_received(ANN, ROWS), joined(), recv(other), recv(stored(2))], ROWS)
    assert kinds(run) == ["recv-differs"]


def test_8_not_acked_and_stored_twice() -> None:
    rows = [stored(1), replace(stored(1, seq=3), id=99)]
    violations = check(received_by_all([invoke(1)], rows))
    assert any(violation.kind == "stored-twice" and "(never acked)" in violation.sentence for violation in violations)


@pytest.mark.parametrize("rows", [[], [stored(1)]])
def test_8_no_answer_at_the_end(rows: list[Stored]) -> None:
    assert kinds(received_by_all([invoke(1)], rows)) == ["never-acked"]


def test_8_refused_permanently() -> None:
    refusal = Nack(0.0, ANN, "ann-1", "internal", False)
    assert [violation.sentence for violation in check(received_by_all([invoke(1), refusal], [stored(1)]))] == [
        "ann-1 was refused permanently but stored: internal"
    ]


def test_10_a_stranger_receives_an_event() -> None:
    assert kinds(received_by_all([*SENT, joined(EVE)], ROWS)) == ["recv-stranger"]


def test_10_a_member_is_sent_gone() -> None:
    assert kinds(received_by_all([*SENT, Gone(0.0, BOB, 1, ROOM), Gone(0.0, EVE, 1, ROOM)], ROWS)) == ["gone"]


def test_11_caught_up_before_the_head() -> None:
    early = [Welcome(0.0, BOB, 1, {ROOM: 3}), joined(), recv(stored(1)), CaughtUp(0.0, BOB, 1), recv(stored(2))]
    assert kinds(evidence([*SENT, *all_received(ANN, ROWS), *early], ROWS)) == ["caught-up"]


def test_11_caught_up_before_the_head_of_the_own_log() -> None:
    assert kinds(received_by_all([*SENT, Welcome(0.0, BOB, 1, {ME: 1}), CaughtUp(0.0, BOB, 1)], ROWS)) == ["caught-up"]


def test_11_caught_up_twice() -> None:
    twice = [Welcome(0.0, BOB, 1, {}), CaughtUp(0.0, BOB, 1), CaughtUp(0.0, BOB, 1)]
    assert kinds(received_by_all([*SENT, *twice], ROWS)) == ["caught-up"]


def test_11_never_caught_up() -> None:
    gone_again = [Welcome(0.0, BOB, 1, {}), Down(0.0, BOB, 1, None, True)]
    assert kinds(received_by_all([*SENT, *gone_again, Welcome(0.0, BOB, 2, {})], ROWS)) == ["never-caught-up"]


def test_a_reset_sets_the_position() -> None:
    rows = [stored(1, seq=600), stored(2, seq=601)]
    records: list[Record] = [invoke(1), invoke(2), ack(1, seq=600), ack(2, seq=601)]
    records += [joined(), Reset(0.0, BOB, 1, ROOM, 600, "too_far"), recv(rows[1])]
    records += [recv(row, ANN) for row in rows]
    events = [(ROOM, seq) for seq in range(1, 600)]
    records[-2:-2] = [joined(ANN, seq) for seq in range(1, 600)]
    assert kinds(replace(evidence(records, rows), events=events)) == []


@pytest.mark.parametrize("reason", ["too_far", "epoch", "ahead"])
def test_a_reset_without_a_reason(reason: str) -> None:
    records = [joined(), Reset(0.0, BOB, 1, ROOM, 2, reason), recv(stored(2))]
    assert kinds(evidence([*SENT, *all_received(ANN, ROWS), *records], ROWS)) == ["reset"]


def test_the_event_comes_before_its_ack() -> None:
    run = evidence([invoke(1), *all_received(ANN, [stored(1)]), ack(1), *all_received(BOB, [stored(1)])], [stored(1)])
    assert kinds(run) == ["event-before-ack"]


def test_a_replayed_event_may_come_before_the_ack_of_a_repeat() -> None:
    records = [invoke(1), *all_received(ANN, [stored(1)]), ack(1, duplicate=True)]
    assert kinds(evidence([*records, *all_received(BOB, [stored(1)])], [stored(1)])) == []


def test_the_server_breaks_the_contract() -> None:
    records = [Unexpected(0.0, BOB, "unknown frame {}"), Down(0.0, BOB, 1, 4001, False), Down(0.0, BOB, 2, 4101, False)]
    assert kinds(received_by_all([*SENT, *records], ROWS)) == ["contract", "turned-away"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(0.0, "drain", 1, 0.1), "drain"),
        (Fault(0.0, "drain", None, 10.0), "drain"),
        (Fault(0.0, "drain", 0, 10.5), "drain"),
        (Fault(0.0, "kill", 1, 0.0), "died"),
        (Fault(0.0, "before_commit", None, 10.0), "crash-point"),
    ],
)
def test_the_server_ends_in_another_way_than_planned(fault: Fault, kind: str) -> None:
    assert kinds(received_by_all([*SENT, fault], ROWS)) == [kind]


def test_the_time_to_return_is_from_each_end_to_the_next_caught_up() -> None:
    records = [
        CaughtUp(0.5, ANN, 1),
        Fault(1.0, "kill", -9, 0.0),
        CaughtUp(1.2, ANN, 2),
        CaughtUp(1.5, BOB, 2),
        CaughtUp(1.9, ANN, 3),
        Fault(2.0, "kill", -9, 0.0),
        CaughtUp(2.7, ANN, 4),
    ]
    assert times_to_return(evidence(records, [])) == pytest.approx([0.2, 0.5, 0.7])


def test_the_figures_count_each_message_once() -> None:
    records = [*SENT, ack(2, duplicate=True), Welcome(0.0, BOB, 1, {}), Welcome(0.0, BOB, 2, {})]
    numbers = figures(received_by_all(records, ROWS))
    assert (numbers.acked, numbers.stored, numbers.duplicates, numbers.reconnects) == (2, 2, 1, 1)


def test_deliveries_to_the_other_node_are_timed_also_while_the_bus_is_away() -> None:
    def message(at: float, number: int, client: str, connection: int) -> Recv:
        return structs.replace(recv(stored(number), client, connection), at=at)

    records: list[Record] = [
        *(Opened(0.0, client, 1, url) for client, url in ((ANN, "a"), (BOB, "b"), (EVE, "a"))),
        *(CaughtUp(1.0, client, 1) for client in (ANN, BOB, EVE)),
        structs.replace(ack(1), at=2.0),
        message(2.1, 1, EVE, 1),  # on the node of the sender
        message(2.3, 1, BOB, 1),
        structs.replace(ack(2), at=3.0),
        message(3.4, 2, BOB, 1),
        Opened(3.5, EVE, 2, "b"),
        message(3.6, 2, EVE, 2),  # a replay
        Trouble(2.9, "redis killed", 1.0, bus=True),
        Trouble(1.9, "redis killed", 1.0, bus=True, overlaps=True),
    ]
    run = evidence(records, ROWS)
    assert deliveries_to_the_other_node(run) == [(2.0, pytest.approx(0.3)), (3.0, pytest.approx(0.4))]
    assert (figures(run).away, figures(run).away_p99) == (1, pytest.approx(0.4))


@pytest.mark.parametrize(("share", "value"), [(0.5, 3), (0.99, 4), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert percentile([4, 1, 3, 2], share) == value


def test_a_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 0.99) == 0.0
