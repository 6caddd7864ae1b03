"""The tables of `python -m bench.beside`: medians side by side, and nothing outside the two markers changes."""

import pytest

from bench.beside.tables import BEGIN, END, insert, tables
from bench.errors import BenchError

STEADY = {"cpu us/delivery": 0.0, "p99 ms": 0.0}


def test_a_cell_is_the_median_of_the_turns() -> None:
    turns = [STEADY | {"cpu us/delivery": value} for value in (9, 1, 2)]
    lines = tables({"steady": {"ws": turns}}, {"ws": "nothing"})
    assert lines[0] == "| program | keeps | 20 a second: CPU µs | p99 ms |"
    assert lines[2:] == ["| ws | nothing | 2 | 0 |"]


def test_a_program_without_a_figure_has_a_dash_in_its_columns() -> None:
    results = {
        "steady": {"ws": [STEADY]},
        "lone": {"ws": [{"cpu us/message": 7.0}], "limit": [{"cpu us/message": 5.0}]},
    }
    assert tables(results, {})[2:] == ["| ws |  | 0 | 0 | 7 |", "| limit |  | – | – | 5 |"]


def test_figures_of_different_kinds_have_tables_of_their_own() -> None:
    stored = {"messages/s": 1234.0, "ack p50 ms": 1.0, "ack p99 ms": 2.0, "cpu us/message": 3.0}
    lines = tables({"steady": {"ws": [STEADY]}, "stored": {"prosody": [stored]}}, {})
    assert lines[3] == ""
    assert lines[6:] == ["| prosody |  | 1,234 | 1 | 2 | 3 |"]


def test_only_the_text_between_the_markers_changes() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    once = insert(page, ["new"])
    assert once == f"above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n"
    assert insert(once, ["new"]) == once


@pytest.mark.parametrize("page", ["no markers", BEGIN, END, f"{END}\n{BEGIN}"])
def test_a_page_without_both_markers_is_refused(page: str) -> None:
    with pytest.raises(BenchError):
        insert(page, ["new"])
