"""Reads a transcript (README.md here says how one is written): text in, steps out; and holds what came against it."""

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
_NAMED = re.compile(r"(?P<who>\w+) ?(?P<what>>>|<<|<~|:)(?: (?P<rest>.*))?$", re.DOTALL)
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


class Differs(Exception):
    """What came is not what stands in the transcript."""


class Unreadable(Exception):
    """The transcript itself is wrong."""


@dataclass(frozen=True)
class Head:
    """What a transcript wants of its server; equal ones share it, unless it is their `own`."""

    dialects: str = "all"
    env: tuple[tuple[str, str], ...] = ()
    own: bool = False
    demo: bool = False
    upstream: bool = False


@dataclass
class Answer:
    """An expected HTTP answer. No body line: the body is empty."""

    line: int
    label: str
    status: int
    media: str | None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass
class Request:
    """A call. With a label it is not waited for; its answer stands where that label does."""

    line: int
    label: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass
class Connect:
    """Opens a WebSocket. No `answer`: 101."""

    line: int
    who: str
    path: str
    protocols: str
    headers: dict[str, str] = field(default_factory=dict)
    answer: Answer | None = None


@dataclass
class Say:
    """A text frame, as it stands."""

    line: int
    who: str
    text: str


@dataclass
class Hear:
    """The next frame, or the next ones in any order; `close` and `gone` are the end."""

    line: int
    who: str
    frames: list[str]
    in_order: bool = True


@dataclass
class Do:
    """Something else that a socket does: one of VERBS. `server` and `after` do what their words say."""

    line: int
    who: str
    verb: str
    rest: str


@dataclass
class Claims:
    """The claims of a token."""

    line: int
    token: str
    body: str


Step = Request | Answer | Connect | Say | Hear | Do | Claims


@dataclass
class Transcript:
    """A whole file."""

    path: Path
    head: Head
    steps: list[Step]


def read(path: Path) -> Transcript:
    """Parse a file; raises Unreadable with the number of the line."""
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
    """Join lines that begin with a blank or close a bracket to the one before; leave out empty ones and comments."""
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
                raise Unreadable(f"{path}:{number}: {line!r} is not of a head")
    raise Unreadable(f"{path}: the head has no end")


def _read_line(number: int, line: str, steps: list[Step]) -> None:
    word, _, rest = line.partition(" ")
    last = steps[-1] if steps else None
    if word == ">>":
        _read_sent(number, rest, last, steps)
    elif word == "<<":
        _read_answer(number, rest, last, steps)
    elif word == "after":
        steps.append(Do(number, "", "after", rest.removesuffix(" s")))
    elif word == "claims":
        steps.append(Claims(number, rest, ""))
    elif named := _NAMED.match(line):
        _read_named(number, named["who"], named["what"], named["rest"] or "", steps)
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
    elif found and (found["label"] or not isinstance(begun, Answer)):
        answer = Answer(number, found["label"] or "", int(found["status"]), found["media"])
        if isinstance(last, Connect) and not answer.label:
            last.answer = answer
        else:
            steps.append(answer)
    elif isinstance(begun, Answer):
        _add(begun, rest)
    else:
        raise Unreadable("no answer to add to")


def _add(message: Request | Answer, rest: str) -> None:
    """Add a header, as long as the body has not begun; an empty line begins it."""
    header = _HEADER.match(rest)
    if message.body is None and header and "\n" not in rest:
        message.headers[header["name"]] = header["value"] or ""
    elif message.body is None:
        message.body = rest
    else:
        message.body = f"{message.body}\n{rest}" if message.body else rest


def _read_named(number: int, who: str, what: str, rest: str, steps: list[Step]) -> None:
    last = steps[-1] if steps else None
    if what == ">>":
        steps.append(Say(number, who, rest))
    elif what == "<<":
        steps.append(Hear(number, who, [rest]))
    elif what == "<~" and isinstance(last, Hear) and last.who == who and not last.in_order:
        last.frames.append(rest)
    elif what == "<~":
        steps.append(Hear(number, who, [rest], in_order=False))
    elif found := _CONNECT.match(rest):
        steps.append(Connect(number, who, found["path"], found["protocols"] or ""))
    else:
        verb, _, rest = rest.partition(" ")
        if verb not in (SERVER_VERBS if who == "server" else VERBS):
            raise Unreadable(f"nothing is called {verb!r} here")
        steps.append(Do(number, who, verb, rest))


class Names:
    """What the holes of one transcript stand for."""

    def __init__(self, fresh: Callable[[str], str]) -> None:
        self.values: dict[str, Any] = {}
        self._fresh = fresh

    def fill(self, template: str) -> str:
        """Put in what is known; raises Unreadable for what is not."""
        return _HOLE.sub(lambda hole: self._value(hole["name"], hole["type"]), template)

    def _value(self, name: str, more: str | None) -> str:
        if name == "fill":
            return "x" * int(more or "")
        if name == "name":
            return self._handle(more or "")
        if name not in self.values:
            raise Unreadable(f"nothing is known of {{{name}}}")
        value = self.values[name]
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def _handle(self, name: str) -> str:
        return str(self.values.setdefault(f"name:{name}", self._fresh(name)))

    def pattern(self, template: str, *, strings: bool) -> str:
        """Make a regular expression; `strings`: the text is JSON, and a hole ends with its string or value."""
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

    def match(self, expected: str, came: str) -> None:
        """Hold a body or frame against what is expected; raises Differs, else remembers what the holes stood for."""
        if expected == ANYTHING:
            return
        if not is_json(expected):
            self._match_text(unescape(expected), came, strings=False)
        elif re.search(r"\s", _STRING.sub('""', expected.removesuffix("\\n"))):
            self._match_parsed(expected, came)
        else:
            plain = expected.removesuffix("\\n")
            self._match_text(plain + "\n" * (plain != expected), came, strings=True)

    def _match_text(self, expected: str, came: str, *, strings: bool) -> None:
        found = re.fullmatch(self.pattern(expected, strings=strings), came, re.DOTALL)
        if found is None:
            raise Differs
        for name, value in found.groupdict().items():
            self.values[name] = _scalar(value) if strings else value

    def _match_parsed(self, expected: str, came: str) -> None:
        try:
            value = json.loads(came)
        except ValueError:
            raise Differs from None
        self._match_value(json.loads(_marked(expected)), value)

    def _match_value(self, expected: Any, came: Any) -> None:
        if isinstance(expected, str) and _HOLE.search(expected):
            text = came if isinstance(came, str) else json.dumps(came, ensure_ascii=False)
            bare = expected.startswith(_MARK)
            found = re.fullmatch(self.pattern(expected.removeprefix(_MARK), strings=False), text, re.DOTALL)
            if found is None or not (bare or isinstance(came, str)):
                raise Differs
            self.values |= found.groupdict() if not bare else dict.fromkeys(found.groupdict(), came)
        elif isinstance(expected, dict) and isinstance(came, dict):
            more = expected.pop(_MORE, None)
            if not (expected.keys() <= came.keys() if more else expected.keys() == came.keys()):
                raise Differs
            for key, value in expected.items():
                self._match_value(value, came[key])
        elif isinstance(expected, list) and isinstance(came, list):
            more = expected[-1:] == [_MORE]
            expected = expected[: len(expected) - more]
            if not (len(expected) <= len(came) if more else len(expected) == len(came)):
                raise Differs
            for one, other in zip(expected, came, strict=False):
                self._match_value(one, other)
        elif type(expected) is not type(came) or expected != came:
            raise Differs


_MARK = "\0"
_MORE = "\0..."


def is_json(text: str) -> bool:
    """Tell whether a line is written, and compared, as JSON."""
    return text.lstrip().startswith(("{", "[", '"')) and not _HOLE.match(text)


def unescape(text: str) -> str:
    r"""Read `\n`, `\r`, `\t` and `\x1e` in what is not JSON."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _CONTROL[found[2]], text)


_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


def _marked(expected: str) -> str:
    """Make JSON of JSON with holes and dots."""
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
