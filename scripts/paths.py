"""Generate the measured tables of docs/ARCHITECTURE.md: `.venv/bin/python scripts/paths.py`.

tests/arch/trace.py measures, in a separate process. A test fails if the tables are out of date.
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

# What each file of src/veche does for a message, written by hand. The measurement gives the order of the rows.
SENTENCES = {
    "wire/websocket.py": "receives the bytes from the transport, without a task or a queue",
    "wire/reader.py": "decodes the bytes into a text message",
    "dialects/native/socket.py": "`_send` makes a `SendMessage` command of it, and sends the answer later",
    "dialects/native/frames.py": "decodes and checks the text: it becomes a `Send`",
    "dialects/native/limits.py": "checks the length of the text",
    "core/text.py": "checks that the text can be stored",
    "wire/seat.py": "counts the waiting commands of this client; with too many it stops reading (backpressure)",
    "service/chat.py": "`submit`: every dialect calls this function for every command",
    "storage/writer.py": "collects the commands of this turn of the loop; a thread stores all waiting commands as one "
    "batch; back on the loop, it calls each reply, then publishes the batch to the bus",
    "core/decide/__init__.py": "finds the check, the needs and the decision of each command",
    "core/decide/messages.py": "`send_message`: checks for a repeated message, and that the sender is a member",
    "storage/database.py": "opens the transaction; one commit, one fsync",
    "storage/load.py": "reads the rows that the batch needs in the transaction, with one statement for each table",
    "core/state.py": "holds these rows and updates them; the event gets the room's next seq",
    "storage/load_rare.py": "reads the rows that rare commands need; a message needs none",
    "storage/rows.py": "turns rows into values",
    "storage/sqlite.py": "`pack`: passes any number of keys as one parameter",
    "core/decide/rooms.py": "`member_of`: finds a member of the room",
    "core/accounts.py": "makes the public part of the sender's account",
    "storage/append.py": "turns the events of the batch into rows",
    "storage/entries.py": "makes the event's row in the log",
    "ops/crash.py": "does nothing; chaos tests end the server here",
    "dialects/native/encode.py": "encodes the event as JSON, once",
    "wire/frames.py": "makes one WebSocket frame of the JSON",
    "bus/memory.py": "delivers the batch to the hub",
    "hub/hub.py": "in the next turn of the loop, encodes the room's events once for each serializer, and writes the "
    "same bytes to the transport of every live subscriber; uvloop sends together what one turn wrote to a socket",
    "hub/channels.py": "finds the topics of the logs that have subscribers",
    "hub/channel.py": "takes the event for the room's topic, and knows its subscribers",
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
    """Return a row for each file, in the order in which a message reaches them."""
    errors = [f"{file}: a message enters it; add a sentence." for file in files if file not in SENTENCES]
    errors += [
        f"{file}: no message enters it any more; delete its sentence." for file in SENTENCES if file not in files
    ]
    if errors:
        raise SystemExit("\n".join(["Correct SENTENCES in scripts/paths.py:", *errors]))
    rows = [f"| {step} | `{file}` | {SENTENCES[file]} |" for step, file in enumerate(files, 1)]
    return ["| step | file | what happens |", "|---|---|---|", *rows]


def figures(trails: list[Trail]) -> list[str]:
    """Return a row for each scenario."""
    columns = ("scenario", "functions", "lines", "lines_run")
    rows = [[*(trail[column] for column in columns), len(trail["files"])] for trail in trails]
    return [
        "| action | functions | lines | lines run | files |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]


def page(trails: list[Trail]) -> str:
    """Return docs/ARCHITECTURE.md with the measured tables between the two markers."""
    before, mark, rest = PAGE.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"docs/ARCHITECTURE.md needs both of these markers:\n{BEGIN}\n{END}")
    middle = [*steps(trails[0]["files"]), "", *WORDS, "", *figures(trails)]
    return "".join([before, mark, "\n", *(f"{line}\n" for line in middle), "\n", end, after])


WORDS = [
    "The files are in the order in which they are first called. Most are called again later. The next table compares",
    "this message with four other actions, measured on SQLite (`tests/arch/trace.py`): the functions of Veche that are",
    "called, the lines of these functions, the lines that run, and the files that contain them.",
]


def main() -> None:
    PAGE.write_text(page(measure()), encoding="utf-8")


if __name__ == "__main__":
    main()
