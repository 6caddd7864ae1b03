"""history: what a history page, a list of rooms with unread counts, and searches cost in a chat that has grown.

`veche demo --messages` makes two chats, of 10,000 and of 1,000,000 messages, on SQLite and on PostgreSQL. Alice, who is
in 200 rooms of them, asks both servers in turns, each over one connection.
"""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles
from tempfile import mkdtemp
from typing import Any, Final
from urllib.parse import quote

from bench.errors import BenchError
from bench.report import Line, Outcome, Plan, Row, Target, median_of, ratio
from bench.server import free_port, running
from bench.veche import LOG
from tests.services import MissingError, Postgres
from veche.cli.demo import PASSWORD
from veche.cli.demo_texts import EVERYWHERE, OFTEN, PHRASE, RARE, UNSPACED

SMALL, LARGE, QUICK_LARGE = 10_000, 1_000_000, 100_000  # messages
TRIES: Final = 100  # of each request in a turn
SEARCHES: Final = {
    "0.001 %": RARE,
    "1 %": OFTEN,
    "20 %": f"{EVERYWHERE} ",
    "phrase": f'"{PHRASE}"',
    "prefix": EVERYWHERE[:4],
    "CJK": UNSPACED,
}
ORDERS: Final = ("newest", "rank")
PAGE, ROOMS = "history page", "200 rooms"
PAGE_TARGET, SEARCH_TARGET, SEARCH_P99_MS = Target("<=", 2), Target("<=", 5), Target("<", 50)
FILL_SECONDS, INDEX_SECONDS = 1800.0, 1800.0


class Asker:
    """Somebody who asks a server over one connection."""

    def __init__(self, port: int, name: str) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Content-Type": "application/json"}
        answer = self.ask("POST", "/v1/login", {"email": f"{name}@example.com", "password": PASSWORD})
        self._headers["Authorization"] = f"Bearer {answer['token']}"

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        self._http.request(method, path, None if body is None else json.dumps(body), self._headers)
        answer = self._http.getresponse()
        read = answer.read()
        if answer.status != http.client.OK:
            raise BenchError(f"{method} {path} was answered with {answer.status}: {read[:200]!r}")
        return json.loads(read)

    def reconnect(self) -> None:
        """Use a new connection from now on. The server closes one that is idle."""
        self._http.close()

    def rooms(self) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self.ask("GET", f"/v1/rooms?limit=200{cursor}")
            yield from page["items"]
            if page["cursor"] is None:
                return
            cursor = f"&cursor={page['cursor']}"

    def seconds(self, path: str) -> list[float]:
        """Ask TRIES times, and return how long each answer took."""
        found = []
        for _ in range(TRIES):
            began = time.perf_counter()
            self.ask("GET", path)
            found.append(time.perf_counter() - began)
        return found


def run(plan: Plan) -> Outcome:
    large = QUICK_LARGE if plan.quick else LARGE
    lines: list[Line] = []
    rows: dict[str, list[Row]] = {}
    try:
        with Postgres() as postgres:
            for engine, new_url in (("SQLite", partial(new_file, plan)), ("PostgreSQL", postgres.new_database)):
                with ExitStack() as stack:
                    askers = {
                        f"{engine}, {size:,}": stack.enter_context(grown(plan, new_url(), size))
                        for size in (SMALL, large)
                    }
                    measured: dict[str, list[Row]] = {name: [] for name in askers}
                    for _ in range(plan.turns):
                        for name, asker in askers.items():
                            measured[name].append(measure(asker))
                rows |= measured
                lines += compare(engine, *measured.values())
    except MissingError as error:
        raise BenchError(str(error)) from None
    return Outcome(lines, rows)


def new_file(plan: Plan) -> str:
    return f"sqlite:///{mkdtemp(dir=plan.site.folder, prefix='history-')}/veche.db"


@contextmanager
def grown(plan: Plan, url: str, messages: int) -> Iterator[Asker]:
    """Run a server on a chat of so many messages, all of them indexed. Alice asks."""
    checkout, began = plan.site.checkout, time.monotonic()
    command = [str(checkout.veche), "demo", "--messages", str(messages), "--database-url", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FILL_SECONDS, check=False)
    if done.returncode:
        raise BenchError(f"veche demo failed:\n{done.stderr}")
    filled, port = time.monotonic(), free_port()
    serve = [str(checkout.veche), "serve", "--port", str(port), "--database-url", url]
    log = Path(mkdtemp(dir=plan.site.folder, prefix="log-")) / LOG
    with running(serve, port, log, {"VECHE_SEARCH": "true"}):
        wait_until_indexed(Asker(port, "bob"))
        took = f"stored in {filled - began:.0f} s, indexed in {time.monotonic() - filled:.0f} s"
        plan.console.print(f"  {messages:,} messages at {url.partition(':')[0]}: {took}")
        yield Asker(port, "alice")


def wait_until_indexed(asker: Asker) -> None:
    """Wait until the last message of the newest room is found: rooms are indexed in their order."""
    newest = max(room["id"] for room in asker.rooms())
    [last] = asker.ask("GET", f"/v1/rooms/{newest}/messages?limit=1")["items"]
    path = f"/v1/search?room_id={newest}&limit=1&q={quote(' '.join(last['text'].split()[:5]))}"
    give_up = time.monotonic() + INDEX_SECONDS
    while not asker.ask("GET", path)["items"]:
        if time.monotonic() > give_up:
            raise BenchError(f"The messages are not indexed after {INDEX_SECONDS:.0f} s.")
        time.sleep(0.2)


def measure(alice: Asker) -> Row:
    """Return the median of each request in milliseconds, and the p99 of each search."""
    alice.reconnect()
    largest = max(alice.rooms(), key=lambda room: int(room["head_seq"]))
    page = f"/v1/rooms/{largest['id']}/messages?around_seq={largest['head_seq'] // 2}&limit=50"
    found = {f"{PAGE} ms": _median(alice.seconds(page)), f"{ROOMS} ms": _median(alice.seconds("/v1/rooms?limit=200"))}
    for name, words in SEARCHES.items():
        for order in ORDERS:
            seconds = alice.seconds(f"/v1/search?q={quote(words)}&order={order}&limit=20")
            found[f"{name}, {order} ms"] = _median(seconds)
            found[f"{name}, {order} p99 ms"] = _p99(seconds)
    return found


def _median(seconds: list[float]) -> float:
    return 1000 * quantiles(seconds, n=2)[0]


def _p99(seconds: list[float]) -> float:
    return 1000 * quantiles(seconds, n=100)[-1]


def compare(engine: str, small: list[Row], large: list[Row]) -> list[Line]:
    lines = [
        Line(f"{engine}: {name}, large / small", ratio(large, small, f"{name} ms"), "", PAGE_TARGET)
        for name in (PAGE, ROOMS)
    ]
    for name in SEARCHES:
        for order in ORDERS:
            key = f"{name}, {order}"
            lines.append(Line(f"{engine}: {key}, large / small", ratio(large, small, f"{key} ms"), "", SEARCH_TARGET))
            p99 = median_of(large, f"{key} p99 ms")
            lines.append(Line(f"{engine}: {key}, p99 of large", p99, "ms", SEARCH_P99_MS))
    return lines
