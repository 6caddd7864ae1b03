"""Builds the Markdown tables of the results, and puts them into docs/performance.md between two markers."""

from collections.abc import Mapping, Sequence

from bench.beside.figures import FIGURES
from bench.errors import BenchError
from bench.report import Row, median_of, number

BEGIN = "<!-- from here on written by python -m bench.beside -->"
END = "<!-- up to here written by python -m bench.beside -->"
TABLES = (("saturated", "steady", "echo", "lone", "memory"), ("stored",), ("rest",))  # the figures side by side

Results = Mapping[str, Mapping[str, Sequence[Row]]]  # the turns by figure and program


def tables(results: Results, keeps: Mapping[str, str]) -> list[str]:
    """Return the lines of all tables that have a row. `keeps` says what each program keeps of a message."""
    lines: list[str] = []
    for figures in TABLES:
        if measured := [figure for figure in figures if results.get(figure)]:
            lines += ["", *table(measured, results, keeps)]
    return lines[1:]


def table(figures: Sequence[str], results: Results, keeps: Mapping[str, str]) -> list[str]:
    """Return a table with a row for each program, and the medians of the figures side by side."""
    columns = [(figure, key, heading) for figure in figures for key, heading in FIGURES[figure].columns.items()]
    names = dict.fromkeys(name for figure in figures for name in results[figure])
    rows = [[name, keeps.get(name, ""), *(cell(results, name, *column[:2]) for column in columns)] for name in names]
    head = ["program", "keeps", *(heading for _, _, heading in columns)]
    return [markdown_row(head), "|---" * 2 + "|--:" * len(columns) + "|", *map(markdown_row, rows)]


def cell(results: Results, name: str, figure: str, key: str) -> str:
    """Return the median of the turns, or a dash if the program was not measured."""
    turns = results[figure].get(name)
    return number(median_of(turns, key)) if turns else "–"


def markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def insert(page: str, lines: Sequence[str]) -> str:
    """Return the page with the lines between the two markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"The page needs both of these markers:\n{BEGIN}\n{END}")
    return "".join([before, begin, "\n\n", *(f"{line}\n" for line in lines), "\n", end, after])
