"""rest: 16 clients on keep-alive connections send a message, read 50 messages, or list rooms.

Each client sends its next request when it has the answer to the last one.
"""

from dataclasses import dataclass
from functools import cache, partial

import msgspec

from bench import machine
from bench.errors import BenchError
from bench.load import running_client
from bench.peers import Crowd, Rooms, Site
from bench.report import Line, Outcome, Plan, Row, in_turns, median_of
from bench.server import Server
from bench.veche import Prepared, fresh, post, prepare, serve

CROWD = Crowd(sockets=16, accounts=16, rooms=Rooms.SOME)
PAGE = 50
TEXT = "hello to all of you, how do you do today?"
SECONDS, EXTRA_SECONDS = 2.0, 60


@dataclass(frozen=True)
class Call:
    """One request. `%d` in its path stands for a room of the client."""

    method: str
    path: str
    status: int
    body: str | None = None


CALLS = {
    "send": Call("POST", "/v1/rooms/%d/messages", 201, f'{{"text":"{TEXT}","client_message_id":"c-%n-%t"}}'),
    "history": Call("GET", f"/v1/rooms/%d/messages?limit={PAGE}", 200),
    "rooms": Call("GET", "/v1/rooms", 200),
}


class Report(msgspec.Struct, frozen=True):
    """The REST client's last line. `bytes`: the size of all responses with their headers."""

    requests: int
    bytes: int
    seconds: float
    p50_ms: float
    p99_ms: float
    client_cpu_s: float


def run(plan: Plan) -> Outcome:
    if not plan.chosen("veche"):
        raise BenchError("This figure measures only veche.")
    rows = in_turns(plan, plan.turns, {name: partial(request_repeatedly, plan, name) for name in CALLS})
    keys = {"requests/s": "", "cpu us/request": "us"}
    return Outcome(
        [Line(f"{name}: {key}", median_of(rows[name], key), keys[key]) for name in CALLS for key in keys], rows
    )


def request_repeatedly(plan: Plan, name: str) -> Row:
    prepared = prepare_messages(plan.site)
    with fresh(plan.site, prepared) as server:
        return row_of(plan, server, options(plan, server, prepared, CALLS[name]))


@cache
def prepare_messages(site: Site) -> Prepared:
    """Prepare a folder with the crowd and its rooms, and a full page of messages in one room of each account."""
    prepared = prepare(site, CROWD)
    with serve(site, prepared.folder) as server:
        for token, room in zip(prepared.tokens, prepared.rooms, strict=False):
            for _ in range(PAGE):
                post(server, f"/v1/rooms/{room}/messages", {"text": TEXT}, token)
    return prepared


def options(plan: Plan, server: Server, prepared: Prepared, call: Call) -> list[str]:
    people = zip(prepared.tokens, prepared.rooms, strict=False)
    lines = [f"{call.method} {call.path.replace('%d', str(room))} {token}\n" for token, room in people]
    requests, seconds = plan.site.folder / "requests", plan.seconds(SECONDS)
    requests.write_text("".join(lines))
    words = ["--port", str(server.port), "--requests", str(requests), "--status", str(call.status)]
    words += ["--seconds", str(seconds), "--limit", str(int(seconds + EXTRA_SECONDS))]
    return [*words, "--body", call.body] if call.body else words


def row_of(plan: Plan, server: Server, words: list[str]) -> Row:
    with running_client(plan.site, "rest", words) as client:
        client.lines_before("begin")
        before, busy_before = machine.cpu_seconds(server.pid), machine.busy_seconds()
        client.write("go\n")
        client.lines_before("end")
        cpu, busy = machine.cpu_seconds(server.pid) - before, machine.busy_seconds() - busy_before
        report = msgspec.json.decode(client.line(), type=Report)
    return {
        "requests/s": report.requests / report.seconds,
        "cpu us/request": cpu / report.requests * 1e6,
        "p50 ms": report.p50_ms,
        "p99 ms": report.p99_ms,
        "bytes/answer": report.bytes / report.requests,
        "server cores": cpu / report.seconds,
        "client cores": report.client_cpu_s / report.seconds,
        "foreign cores": max(busy - cpu - report.client_cpu_s, 0) / report.seconds,
    }
