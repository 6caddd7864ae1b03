"""Write the measured tables of docs/ARCHITECTURE.md anew: `.venv/bin/python scripts/paths.py`.

tests/arch/trace.py measures, in a process of its own. A test fails while the tables are stale.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
BEGIN = "<!-- from here on written by scripts/paths.py -->"
END = "<!-- up to here written by scripts/paths.py -->"

# What each file does for a message, by hand: file of src/veche -> sentence. Their order is the measurement's.
SENTENCES = {
    "wire/websocket.py": "bytes from the transport; no task, no queue",
    "wire/reader.py": "the bytes become one text",
    "dialects/native/socket.py": "`_send` makes it a `SendMessage` of this account, and says what to do "
    "with the answer",
    "dialects/native/frames.py": "the text becomes a checked `Send`",
    "dialects/native/limits.py": "is the text short enough for this contract",
    "core/text.py": "may the text be stored at all",
    "wire/seat.py": "counts what waits of this socket; with too much of it the socket is not read",
    "service/chat.py": "`submit`: the one function behind every door",
    "storage/writer.py": "gathers what came in this turn of the loop; one thread takes all that waits, and stores it; "
    "back on the loop, each answer, then one announcement of the batch",
    "core/decide/__init__.py": "finds each command's check, its needs and its decision",
    "core/decide/messages.py": "`send_message`: is it a repeat, is the sender a member now",
    "storage/database.py": "opens the transaction; one commit, one fsync",
    "storage/load.py": "reads what the batch needs, one statement a table, inside the transaction",
    "core/state.py": "what was read, kept current; the event takes the room's next seq",
    "storage/load_rare.py": "what rarer commands need besides; a message asks, and needs nothing",
    "storage/rows.py": "rows become values",
    "storage/sqlite.py": "`pack`: keys of any number in one parameter",
    "core/decide/rooms.py": "`member_of`: who is in the room",
    "core/accounts.py": "the sender, as everybody may see them",
    "storage/append.py": "the batch's events become rows",
    "storage/entries.py": "the event's row in the log",
    "ops/crash.py": "does nothing; in a chaos test the server dies here",
    "dialects/native/encode.py": "the event becomes JSON, once",
    "wire/frames.py": "the JSON becomes one WebSocket frame",
    "bus/memory.py": "rings",
    "hub/hub.py": "in the next turn the room's events are encoded once per shape, and the same bytes are written to "
    "every live member's transport; uvloop sends what one turn wrote to a socket together",
    "hub/channels.py": "finds the channels of the logs that somebody hears",
    "hub/channel.py": "the room's channel takes the event, and knows who hears it",
}

Trail = dict[str, Any]  # what tests/arch/trace.py prints of one scenario


def measure() -> list[Trail]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VECHE_")}
    command = [sys.executable, "-m", "tests.arch.trace"]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode:
        raise SystemExit(f"The measurement failed:\n{done.stderr}")
    trails: list[Trail] = json.loads(done.stdout)
    return trails


def steps(files: list[str]) -> list[str]:
    """A row for each file, in the order in which a message enters them."""
    wrong = [f"{file}: a message enters it; add a sentence." for file in files if file not in SENTENCES]
    wrong += [
        f"{file}: no message enters it any more; take its sentence off." for file in SENTENCES if file not in files
    ]
    if wrong:
        raise SystemExit("\n".join(["Mend SENTENCES in scripts/paths.py:", *wrong]))
    rows = [f"| {step} | `{file}` | {SENTENCES[file]} |" for step, file in enumerate(files, 1)]
    return ["| step | file | what happens |", "|---|---|---|", *rows]


def figures(trails: list[Trail]) -> list[str]:
    """A row for each scenario."""
    columns = ("scenario", "functions", "lines", "lines_run")
    rows = [[*(trail[column] for column in columns), len(trail["files"])] for trail in trails]
    return [
        "| what | functions | their lines | of these run | files |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]


def page(trails: list[Trail]) -> str:
    """docs/ARCHITECTURE.md with what was measured between the two marks."""
    before, mark, rest = PAGE.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"docs/ARCHITECTURE.md has lost a mark; it needs both:\n{BEGIN}\n{END}")
    middle = [*steps(trails[0]["files"]), "", *WORDS, "", *figures(trails)]
    return "".join([before, mark, "\n", *(f"{line}\n" for line in middle), "\n", end, after])


WORDS = [
    "Each file stands where it is first entered; most are come back to. The way of this message and of four other",
    "actions, measured on SQLite (`tests/arch/trace.py`): the functions of ours that are entered, all lines of those",
    "functions, how many of these run, and the files they are in.",
]


def main() -> None:
    PAGE.write_text(page(measure()), encoding="utf-8")


if __name__ == "__main__":
    main()
