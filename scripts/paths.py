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
    "wire/websocket.py": "takes bytes from the transport; the hub calls its `write`; no task, no queue",
    "wire/reader.py": "the bytes become one text",
    "dialects/native/socket.py": "`_send` makes it a `SendMessage`, and later writes the answer",
    "dialects/native/frames.py": "the text becomes a checked `Send`",
    "dialects/native/limits.py": "checks the size of the text for this dialect",
    "core/text.py": "checks that every database can store the text",
    "gateway/client.py": "gives the command to the chat; a client whose account has no share left is not read",
    "core/messages.py": "`SendMessage`: its check, its needs, its decision; `Message`: the event and its changes",
    "storage/client_ids.py": "asks whether the client id was used for another command",
    "service/chat.py": "`submit`: the one function for commands of all dialects",
    "service/shares.py": "counts what the account does, and how many of its commands wait",
    "storage/fair_queue.py": "takes the requests of the next batch, from each account in turn",
    "storage/writer.py": "gathers the commands of this turn of the loop; one thread commits them; back on the loop it "
    "gives each answer, then announces the batch once",
    "storage/commit.py": "commits the batch in one transaction; if something fails, finds the command that is refused",
    "storage/kinds/sqlite_database.py": "opens the transaction; one commit, one fsync",
    "storage/ended.py": "whether the session of each command has ended; it is kept, so nothing is read",
    "storage/kept.py": "the rows that earlier batches have left: the room, its head, the sender and the membership",
    "storage/engines/prepared.py": "makes the rows of a query, with the columns by name",
    "storage/batch.py": "reads what the batch needs, decides each command, writes what they recorded",
    "core/rooms.py": "the room and the membership, and the question whether the account may send here",
    "core/facts.py": "the rows of this transaction; a row that was not asked for raises",
    "core/state.py": "the events recorded so far; the head of the log moves",
    "core/event.py": "the base of events",
    "core/access.py": "the table of who may do what in a room",
    "core/accounts.py": "the sender's account",
    "core/values.py": "the sender as everybody may see them",
    "storage/engines/sqlite.py": "runs the transaction on the driver; all keys in one parameter; the next message id",
    "storage/log.py": "stores the head of the log",
    "storage/messages.py": "looks for a message with this client message id; stores the new one",
    "storage/membership.py": "moves the read pointer of the sender's membership",
    "ops/crash.py": "does nothing; in a chaos test the server dies here",
    "bus/memory.py": "passes the batch on",
    "hub/hub.py": "holds the answer for a moment; then finds the topic, which takes the event",
    "hub/topics.py": "the topics: the logs that somebody here is subscribed to",
    "hub/topic.py": "what is pending, and the live subscribers by serializer",
    "hub/fanout.py": "in the next turn the event is encoded once for each serializer, and the same bytes are written "
    "to every live subscriber",
    "dialects/native/encode.py": "the event becomes JSON, once",
    "dialects/native/views.py": "the message as native shows it",
    "wire/frames.py": "the JSON becomes one WebSocket frame",
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
    return ["| action | functions | lines | lines run | files |", "|---|---|---|---|---|", *map(figures_of, trails)]


def figures_of(trail: Trail) -> str:
    columns = [*(trail[column] for column in ("scenario", "functions", "lines", "lines_run")), len(trail["files"])]
    return f"| {' | '.join(map(str, columns))} |"


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
