"""Parses transcripts (see README.md here) into steps, and compares received bodies and frames with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANYTHING = "..."
VERBS = ("silent", "close", "binary", "text", "pinged", "unpinged")
SERVER_VERBS = ("stop", "start", "restart", "kill")
_METHOD = re.compile(r"(?:\((?P<label>\w+)\) )?(?P<method>[A-Z]+) (?P<path>/\S*)$")
_STATUS = re.compile(r"(?:\((?P<label>\w+)\) )?(?P<status>\d{3})(?: (?P<media>\S.*))?$")
_HEADER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9-]*):(?: (?P<value>.*))?$")
_NAMED = re.compile(r"(?P<socket_name>\w+) ?(?P<what>>>|<<|<~|:)(?: (?P<rest>.*))?$", re.DOTALL)
_CONNECT = re.compile(r"connect (?P<path>\S+)(?: as (?P<protocols>.+))?$")
_HOLE = re.compile(r"\{(?P<name>[a-z_][a-z0-9_]*)(?::(?P<type>[a-zA-Z0-9_]+))?\}")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|([nrt]))")

KINDS = {
    "any": r".*",
    "int": r"-?\d+",
    "ms": r"\d{13}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?",
    "millis": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "micros": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}",
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}
_IN_STRING = r'(?:[^"\\]|\\.)*'
_BARE = r'(?:"(?:[^"\\]|\\.)*"|[^"\s,\[\]{}]+)'


class Mismatch(Exception):
    """A received value differs from the transcript."""


class Unreadable(Exception):
    """The transcript itself has an error."""


@dataclass(frozen=True)
class Head:
    """The server that a transcript needs. Transcripts with equal heads share one, unless `own` is set."""

    dialects: str = "all"
    env: tuple[tuple[str, str], ...] = ()
    own: bool = False
    demo: bool = False
    upstream: bool = False


@dataclass
class ExpectedResponse:
    """An expected HTTP response. Without a body line the body must be empty."""

    line: int
    label: str
    status: int
    media: str | None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass
class Request:
    """An HTTP request. With a label it runs in the background until the response with that label."""

    line: int
    label: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass
class Connect:
    """Opens a WebSocket. Without an `answer` 101 is expected."""

    line: int
    socket_name: str
    path: str
    protocols: str
    headers: dict[str, str] = field(default_factory=dict)
    answer: ExpectedResponse | None = None


@dataclass
class SendText:
    """Sends a text frame."""

    line: int
    socket_name: str
    text: str


@dataclass
class ExpectFrames:
    """Expects the next frame, or several frames in any order; `close` and `gone` are the end of the socket."""

    line: int
    socket_name: str
    frames: list[str]
    in_order: bool = True


@dataclass
class Action:
    """Another action: one of VERBS for a socket, one of SERVER_VERBS for `server`, or the wait `after`."""

    line: int
    socket_name: str
    verb: str
    rest: str


@dataclass
class Claims:
    """Compares the claims of a token."""

    line: int
    token: str
    body: str


Step = Request | ExpectedResponse | Connect | SendText | ExpectFrames | Action | Claims


@dataclass
class Transcript:
    path: Path
    head: Head
    steps: list[Step]


def read(path: Path) -> Transcript:
    """Parse a file. Raises Unreadable with the number of the line."""
    lines = _logical(path.read_text(encoding="utf-8"))
    head = _read_head(path, lines)
    steps: list[Step] = []
    for number, line in lines:
        try:
            _read_line(number, line, steps)
        except Unreadable as error:
            raise Unreadable(f"{path}:{number}: {error}: {line!r}") from None
    return Transcript(path, head, steps)


def _logical(text: str) -> list[tuple[int, str]]:
    """Join continuation lines (a blank or a closing bracket first); skip empty lines and comments."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith((" ", "\t", "}", "]")) and line.strip() and found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line.strip()}")
        elif line and not line.startswith("#") and line.strip():
            found.append((number, line))
    return found


def _read_head(path: Path, lines: list[tuple[int, str]]) -> Head:
    if not lines or lines[0][1] != "---":
        return Head()
    del lines[0]
    wants: dict[str, Any] = {}
    while lines:
        number, line = lines.pop(0)
        if line == "---":
            return Head(**wants)
        name, _, value = (part.strip() for part in line.partition(" #")[0].partition(":"))
        match name:
            case "dialects":
                wants["dialects"] = value
            case "env":
                pairs = [pair.partition("=") for pair in value.split()]
                wants["env"] = tuple((key, setting) for key, _, setting in pairs)
            case "server" if value == "own":
                wants["own"] = True
            case "demo" | "upstream" if value == "yes":
                wants[name] = True
            case _:
                raise Unreadable(f"{path}:{number}: {line!r} is not a line of a head")
    raise Unreadable(f"{path}: the head has no end")


def _read_line(number: int, line: str, steps: list[Step]) -> None:
    word, _, rest = line.partition(" ")
    last = steps[-1] if steps else None
    if word == ">>":
        _read_sent(number, rest, last, steps)
    elif word == "<<":
        _read_answer(number, rest, last, steps)
    elif word == "after":
        steps.append(Action(number, "", "after", rest.removesuffix(" s")))
    elif word == "claims":
        steps.append(Claims(number, rest, ""))
    elif named := _NAMED.match(line):
        _read_named(number, named["socket_name"], named["what"], named["rest"] or "", steps)
    else:
        raise Unreadable("not a line of a transcript")


def _read_sent(number: int, rest: str, last: Step | None, steps: list[Step]) -> None:
    if found := _METHOD.match(rest):
        steps.append(Request(number, found["label"] or "", found["method"], found["path"]))
    elif isinstance(last, Connect) and (header := _HEADER.match(rest)):
        last.headers[header["name"]] = header["value"] or ""
    elif isinstance(last, Request):
        _add(last, rest)
    else:
        raise Unreadable("no request to add to")


def _read_answer(number: int, rest: str, last: Step | None, steps: list[Step]) -> None:
    begun = last.answer if isinstance(last, Connect) else last
    found = _STATUS.match(rest)
    if isinstance(last, Claims):
        last.body += rest
    elif found and (found["label"] or not isinstance(begun, ExpectedResponse)):
        answer = ExpectedResponse(number, found["label"] or "", int(found["status"]), found["media"])
        if isinstance(last, Connect) and not answer.label:
            last.answer = answer
        else:
            steps.append(answer)
    elif isinstance(begun, ExpectedResponse):
        _add(begun, rest)
    else:
        raise Unreadable("no answer to add to")


def _add(message: Request | ExpectedResponse, rest: str) -> None:
    """Add a header, or a line of the body. The first line that is not a header begins the body."""
    header = _HEADER.match(rest)
    if message.body is None and header and "\n" not in rest:
        message.headers[header["name"]] = header["value"] or ""
    elif message.body is None:
        message.body = rest
    else:
        message.body = f"{message.body}\n{rest}" if message.body else rest


def _read_named(number: int, socket_name: str, what: str, rest: str, steps: list[Step]) -> None:
    last = steps[-1] if steps else None
    if what == ">>":
        steps.append(SendText(number, socket_name, rest))
    elif what == "<<":
        steps.append(ExpectFrames(number, socket_name, [rest]))
    elif what == "<~" and isinstance(last, ExpectFrames) and last.socket_name == socket_name and not last.in_order:
        last.frames.append(rest)
    elif what == "<~":
        steps.append(ExpectFrames(number, socket_name, [rest], in_order=False))
    elif found := _CONNECT.match(rest):
        steps.append(Connect(number, socket_name, found["path"], found["protocols"] or ""))
    else:
        verb, _, rest = rest.partition(" ")
        if verb not in (SERVER_VERBS if socket_name == "server" else VERBS):
            raise Unreadable(f"unknown action {verb!r}")
        steps.append(Action(number, socket_name, verb, rest))


class Holes:
    """The values of the holes in one transcript."""

    def __init__(self, new_handle: Callable[[str], str]) -> None:
        self.values: dict[str, Any] = {}
        self._fresh = new_handle

    def fill(self, template: str) -> str:
        """Replace the holes by their values. Raises Unreadable for a hole without a value."""
        return _HOLE.sub(lambda hole: self._value(hole["name"], hole["type"]), template)

    def _value(self, name: str, more: str | None) -> str:
        if name == "fill":
            return "x" * int(more or "")
        if name == "name":
            return self._handle(more or "")
        if name not in self.values:
            raise Unreadable(f"{{{name}}} has no value yet")
        value = self.values[name]
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def _handle(self, name: str) -> str:
        return str(self.values.setdefault(f"name:{name}", self._fresh(name)))

    def pattern(self, template: str, *, strings: bool) -> str:
        """Make a regular expression. With `strings` the text is JSON, and a hole is one string or value."""
        parts, end, bound = [], 0, set[str]()
        for hole in _HOLE.finditer(template):
            parts.append(re.escape(template[end : hole.start()]))
            parts.append(self._hole(hole, strings=strings, bound=bound))
            end = hole.end()
        return "".join([*parts, re.escape(template[end:])])

    def _hole(self, hole: re.Match[str], *, strings: bool, bound: set[str]) -> str:
        name, kind = hole["name"], hole["type"]
        if name in ("fill", "name") or name in self.values:
            return re.escape(self._value(name, kind))
        if name in bound:
            return f"(?P={name})"
        inside = strings and len(re.findall(r'(?<!\\)"', hole.string[: hole.start()])) % 2 == 1
        free = (_IN_STRING if inside else _BARE) if strings else r".+?"
        if name in KINDS:
            return f"(?:{KINDS[name]})" if name != "any" or not inside else _IN_STRING
        bound.add(name)
        return f"(?P<{name}>{KINDS[kind] if kind else free})"

    def match(self, expected: str, actual: str) -> None:
        """Compare a body or frame with the expected one and keep the values of new holes. Raises Mismatch."""
        if expected == ANYTHING:
            return
        if not is_json(expected):
            self._match_text(unescape(expected), actual, strings=False)
        elif re.search(r"\s", _STRING.sub('""', expected.removesuffix("\\n"))):
            self._match_parsed(expected, actual)
        else:
            plain = expected.removesuffix("\\n")
            self._match_text(plain + "\n" * (plain != expected), actual, strings=True)

    def _match_text(self, expected: str, actual: str, *, strings: bool) -> None:
        found = re.fullmatch(self.pattern(expected, strings=strings), actual, re.DOTALL)
        if found is None:
            raise Mismatch
        for name, value in found.groupdict().items():
            self.values[name] = _scalar(value) if strings else value

    def _match_parsed(self, expected: str, actual: str) -> None:
        try:
            value = json.loads(actual)
        except ValueError:
            raise Mismatch from None
        self._match_value(json.loads(_marked(expected)), value)

    def _match_value(self, expected: Any, actual: Any) -> None:
        if isinstance(expected, str) and _HOLE.search(expected):
            text = actual if isinstance(actual, str) else json.dumps(actual, ensure_ascii=False)
            bare = expected.startswith(_MARK)
            found = re.fullmatch(self.pattern(expected.removeprefix(_MARK), strings=False), text, re.DOTALL)
            if found is None or not (bare or isinstance(actual, str)):
                raise Mismatch
            self.values |= found.groupdict() if not bare else dict.fromkeys(found.groupdict(), actual)
        elif isinstance(expected, dict) and isinstance(actual, dict):
            more = expected.pop(_MORE, None)
            if not (expected.keys() <= actual.keys() if more else expected.keys() == actual.keys()):
                raise Mismatch
            for key, value in expected.items():
                self._match_value(value, actual[key])
        elif isinstance(expected, list) and isinstance(actual, list):
            more = expected[-1:] == [_MORE]
            expected = expected[: len(expected) - more]
            if not (len(expected) <= len(actual) if more else len(expected) == len(actual)):
                raise Mismatch
            for one, other in zip(expected, actual, strict=False):
                self._match_value(one, other)
        elif type(expected) is not type(actual) or expected != actual:
            raise Mismatch


_MARK = "\0"
_MORE = "\0..."


def is_json(text: str) -> bool:
    """Tell whether a line is compared as JSON."""
    return text.lstrip().startswith(("{", "[", '"')) and not _HOLE.match(text)


def unescape(text: str) -> str:
    r"""Replace `\n`, `\r`, `\t` and `\x1e` in text that is not JSON."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _CONTROL[found[2]], text)


_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


def _marked(expected: str) -> str:
    """Turn JSON with holes and dots into valid JSON."""
    parts, end = [], 0
    for string in _STRING.finditer(expected):
        parts += [_mark(expected[end : string.start()]), string[0]]
        end = string.end()
    return "".join([*parts, _mark(expected[end:])])


def _mark(between: str) -> str:
    dots = re.sub(r"\.\.\.(?=\s*\})", '"\\\\u0000...":true', between)
    dots = re.sub(r"\.\.\.(?=\s*\])", '"\\\\u0000..."', dots)
    return _HOLE.sub(lambda hole: f'"\\u0000{hole[0]}"', dots)


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
