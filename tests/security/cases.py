"""Makes one case of bad input from a seed and a number: the bytes that are written to one connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from . import corpus
from .corpus import Raw, chunks, fragments, frame, written
from .doors import REQUESTS, TALKS, Request, Talk

SEVERAL = 3  # things that may be wrong in one case
WRITE = 300_000  # bytes that are written at once, by repeating what is small
HASHING = ("login", "register", "signin", "signup")  # paths that take a tenth of a second each


@dataclass
class Case:
    """What is written to one connection."""

    dialect: str
    writes: list[bytes]
    is_websocket: bool
    what: list[str] = field(default_factory=list)
    """What is wrong, in words."""
    is_whole: bool = True
    """Whether an answer has to come: the request or the frames are complete."""


Fill = Callable[[bytes], bytes]
"""Puts the values of names in the place of names in braces."""


def case_of(seed: int, number: int, fill: Fill, dialect: str | None = None) -> Case:
    """Make a case. The same arguments make the same case, but for what `fill` puts in."""
    random = Random(f"{seed} {number} {dialect}")
    requests = [one for one in REQUESTS if dialect in (None, one.dialect)]
    talks = [one for one in TALKS if dialect in (None, one.dialect)]
    if random.random() < 0.5:
        return _case_of_request(random, random.choice(requests), fill)
    return _case_of_talk(random, random.choice(talks), fill)


# Values of all kinds, by size.

SIZES = (1, 30, 300, 5_000, 64_000)


def _size(random: Random, limit: int) -> int:
    """Choose a size. Half of all are as large as may be."""
    return limit if random.random() < 0.5 else min(limit, random.choice(SIZES))


def _bad_value(random: Random, limit: int) -> tuple[str, Any]:
    if random.random() < 0.1:
        return "a short text", random.choice(corpus.SMALL_TEXTS)
    choose = corpus.a_text if random.random() < 0.5 else corpus.a_value
    return choose(random, _size(random, limit))


def sites(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each part of a JSON value, and to the whole."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from sites(part, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Callable[[Any], Any]) -> Any:
    """Return a JSON value with `new` of the part at `path` in its place."""
    if not path:
        return new(value)
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def _bad_json(random: Random, body: Any, limit: int) -> tuple[str, Any]:
    """Make something wrong in a JSON value: a value, a key, or many keys."""
    path = random.choice(list(sites(body)))
    limit -= len(written(body).encode("utf-8", "surrogatepass"))
    name, bad = _bad_value(random, max(1, limit))
    place = "/".join(map(str, path)) or "all"
    how = random.random()
    if how < 0.7:
        return f"{place} is {name}", replaced(body, path, lambda _: bad)
    if how < 0.8:
        return f"a key {name} in {place}", replaced(body, path, lambda old: _with_key(old, written(bad), 0))
    if how < 0.9:
        return f"another key of {name} in {place}", replaced(body, path, lambda old: _with_key(old, '"x"', bad))
    number = random.choice((2, 50, 1_000))
    return f"{place} {number} times", replaced(body, path, lambda old: Raw(written([old] * number)))


def _with_key(old: Any, key: str, value: Any) -> Any:
    return {**old, Raw(key): value} if isinstance(old, dict) else {Raw(key): value}


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _with_noise(random: Random, data: bytes) -> bytes:
    """Change, add, repeat or remove some bytes."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 20))):
        at = random.randrange(len(found) + 1)
        how = random.randrange(4)
        if how == 0:
            found[at : at + 1] = bytes((random.randrange(256),))
        elif how == 1:
            found[at:at] = random.randbytes(random.choice((1, 2, 100)))
        elif how == 2:
            found[at:at] = found[at : at + random.choice((1, 10, 1_000))] * random.choice((1, 10))
        else:
            del found[at : at + random.choice((1, 5, 100))]
    return bytes(found)


# Requests.


@dataclass
class _Draft:
    target: str
    lines: bytes
    body: bytes | None
    limit: int
    fill: Fill
    chunk: tuple[int, bytes] | None = None
    times: int = 1
    is_whole: bool = True


def _case_of_request(random: Random, request: Request, fill: Fill) -> Case:
    case = Case(request.dialect, [], False, [f"{request.method} {request.target}"])
    token = random.choice((request.token, request.token, request.token, "Bearer {ended}", ""))
    lines = f"Authorization: {token}\r\n" if token else ""
    if request.body is not None:
        lines += f"Content-Type: {request.type}\r\n"
    body = None if request.body is None else _encoded(request.before + written(request.body))
    draft = _Draft(request.target, lines.encode(), body, request.size, fill)
    for _ in range(random.randint(1, SEVERAL)):
        ways = _WAYS if request.body is not None else _WAYS_WITHOUT_BODY
        case.what.append(random.choice(ways)(random, request, draft))
    one = _request(request.method, draft, b"")
    last = _request(request.method, draft, b"Connection: close\r\n")
    data = one * (draft.times - 1) + last
    if random.random() < 0.05:
        case.what.append("noise")
        data, draft.is_whole = _with_noise(random, data), False
    case.writes, case.is_whole = [data], draft.is_whole
    return case


def _request(method: str, draft: _Draft, more: bytes) -> bytes:
    head = draft.fill(_encoded(f"{method} {draft.target} HTTP/1.1\r\n") + b"Host: localhost\r\n" + draft.lines + more)
    body = None if draft.body is None else draft.fill(draft.body)
    if draft.chunk is not None:
        size, extension = draft.chunk
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(body or b"", size, extension)
    if body is not None:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return head + b"\r\n"


def _json_of(random: Random, request: Request, draft: _Draft) -> str:
    what, body = _bad_json(random, request.body, draft.limit)
    draft.body = _encoded(request.before + written(body))
    return what


def _packets_of(random: Random, request: Request, draft: _Draft) -> str:
    """Make many packets, for Engine.IO, or many JSON values."""
    text = random.choice(
        (_encoded(request.before + written(request.body)), b"2", b"3", b"40", b"41", b"4", b"b", b"bAAAA", b"6")
    )
    draft.body = (text + b"\x1e") * (draft.limit // (len(text) + 1)) + text
    return f"{text!r} again and again"


def _bytes_of(random: Random, request: Request, draft: _Draft) -> str:
    name, body = random.choice(
        (
            ("no UTF-8", b"\xff" * draft.limit),
            ("UTF-16", written(request.body).encode("utf-16")),
            ("a byte order mark", b"\xef\xbb\xbf" + _encoded(written(request.body))),
            ("a form", b"username=a&password=b&" + b"a=%41&" * (draft.limit // 8)),
            (
                "a multipart form",
                b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\na\r\n' * 600 + b"--x--\r\n",
            ),
            ("nothing", b""),
            ("too much", b"[" * 70_000),
            ("random bytes", random.randbytes(draft.limit)),
        )
    )
    draft.body = body
    if "form" in name:
        kind = b"multipart/form-data; boundary=x" if "multi" in name else b"application/x-www-form-urlencoded"
        draft.lines = draft.lines.replace(b"application/json", kind)
    return name


def _header_of(random: Random, request: Request, draft: _Draft) -> str:
    name, lines = corpus.a_header(random, _size(random, 62_000))
    if name.startswith("Authorization"):
        draft.lines = b"\r\n".join(line for line in draft.lines.split(b"\r\n") if not line.startswith(b"Authorization"))
    draft.lines += lines
    draft.is_whole = draft.is_whole and not name.startswith(
        ("Content-Length", "Transfer-Encoding", "Expect", "Upgrade")
    )
    return f"headers: {name}"


def _query_of(random: Random, request: Request, draft: _Draft) -> str:
    name, query = corpus.a_query(random, _size(random, 62_000))
    draft.target += ("&" if "?" in draft.target else "?") + query
    return f"query: {name}"


SEGMENTS = (
    *("a" * 60_000, "9" * 60_000, "%41" * 20_000, "%ff" * 20_000, "/" * 60_000, "../" * 20_000, "%2F" * 20_000),
    *("%00", "%ED%A0%80", "0", "-1", "999999", str(2**63), str(2**63 - 1), "1.0", "{room}", "%F0%9F%98%80" * 5_000),
)


def _path_of(random: Random, request: Request, draft: _Draft) -> str:
    path, question, query = draft.target.partition("?")
    parts = path.split("/")
    bad = random.choice(SEGMENTS)
    parts[random.randrange(1, len(parts))] = bad
    draft.target = "/".join(parts) + question + query
    return f"path: {bad[:12]}"


def _chunks_of(random: Random, request: Request, draft: _Draft) -> str:
    draft.chunk = random.choice(
        ((1, b""), (1, b";" + b"a" * 5), (1, b";a=b"), (2, b""), (100, b""), (64_000, b";" + b"a" * 10_000))
    )
    if draft.body is None:
        draft.body = b" " * 40_000
    elif len(draft.body) < 5_000 and random.random() < 0.7:
        draft.body += b" " * (40_000 if draft.chunk[0] < 100 else 60_000)
    return f"in chunks of {draft.chunk[0]} bytes"


def _upgrade_of(random: Random, request: Request, draft: _Draft) -> str:
    kind = random.choice((b"x", b"h2c", b"websocket"))
    draft.lines += b"Connection: Upgrade\r\nUpgrade: " + kind + b"\r\n" + b"a:\r\n" * random.choice((0, 100, 5_000))
    draft.is_whole = False
    return f"an upgrade to {kind!r}"


def _times_of(random: Random, request: Request, draft: _Draft) -> str:
    size = 500 + len(draft.lines) + len(draft.body or b"")
    most = 4 if request.target.endswith(HASHING) else 120
    draft.times = max(1, min(random.choice((2, 10, 100, 120)), 2 * WRITE // size, most))
    return f"{draft.times} times at once"


_WAYS = (
    (_json_of,) * 10
    + (_packets_of, _bytes_of, _header_of, _header_of, _query_of, _path_of, _chunks_of)
    + (_upgrade_of, _times_of)
)
_WAYS_WITHOUT_BODY = (_header_of, _query_of, _path_of, _chunks_of, _upgrade_of, _times_of)


# WebSockets.


def handshake(target: str, lines: bytes = b"") -> bytes:
    return (
        _encoded(f"GET {target} HTTP/1.1\r\n") + b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + lines + b"\r\n"
    )


def _case_of_talk(random: Random, talk: Talk, fill: Fill) -> Case:
    case = Case(talk.dialect, [], True, [f"WebSocket {talk.target}"])
    target, lines = talk.target, b""
    if random.random() < 0.15:
        draft = _Draft(target, b"", None, 0, fill)
        case.what.append(random.choice((_header_of, _query_of, _path_of))(random, REQUESTS[0], draft))
        target, lines = draft.target, draft.lines
        case.is_whole = draft.is_whole
    first = b"".join(frame(fill(_encoded(text))) for text in talk.first)
    case.writes = [fill(handshake(target, lines)), first + b"".join(_frames(random, talk, case, fill))]
    return case


def _frames(random: Random, talk: Talk, case: Case, fill: Fill) -> Iterator[bytes]:
    for _ in range(random.randint(1, SEVERAL)):
        how = random.random()
        if how < 0.1:
            name = random.choice(list(corpus.FRAMES))
            case.what.append(name)
            case.is_whole = False
            yield corpus.FRAMES[name]
            continue
        what, text = _bad_text(random, talk)
        case.what.append(f"{talk.before}{what}")
        payload = fill(_encoded(text))
        data = frame(payload, mask=random.choice((bytes(4), b"\x01\xfe\x03\xff")))
        if how < 0.15:
            case.what.append("in fragments")
            data = fragments(payload, random.choice((1, 64, 1_000)), random.choice((b"", frame(b"", 9))))
            case.is_whole = False
        elif how < 0.2:
            case.what.append("noise")
            data, case.is_whole = _with_noise(random, data), False
        elif how < 0.25:
            case.what.append("binary")
            data = frame(payload, 2)
        elif how < 0.5:
            times = max(1, min(random.choice((2, 100, 5_000)), WRITE // len(data)))
            case.what.append(f"{times} times at once")
            data *= times
        yield data


def _bad_text(random: Random, talk: Talk) -> tuple[str, str]:
    good = random.choice(talk.frames)
    if isinstance(good, str):
        name, bad = _bad_value(random, talk.size)
        return name, bad
    how = random.random()
    if how < 0.1:
        return "as it should be", talk.before + written(good)
    if how < 0.15:
        name, bad = _bad_value(random, talk.size)
        return f"{name} in place of JSON", bad
    what, value = _bad_json(random, good, talk.size)
    return what, talk.before + written(value)


_AGAIN = re.compile(rb"(.{1,40}?)\1{19,}", re.DOTALL)


def shortened(data: bytes, longest: int = 1_000) -> str:
    """Show the beginning of some bytes. What is repeated in them is shown once."""
    shown, at = "", 0
    for again in _AGAIN.finditer(data[:100_000]):
        unit = again[1]
        times = len(again[0]) // len(unit)
        while data.startswith(unit, again.start() + times * len(unit)):
            times += 1
        shown += f"{data[at : again.start()]!r} + " if again.start() > at else ""
        shown += f"{unit!r} * {times} + "
        at = again.start() + times * len(unit)
        if len(shown) > longest or at >= 100_000:
            break
    shown += repr(data[at : at + longest])
    return f"{shown[:longest]} ... ({len(data)} bytes)" if len(shown) > longest else shown
