"""Reads `examples.txt` of a dialect. The OpenAPI document shows these calls, and a test sends them to a server.

    # The example's name in the OpenAPI document
    >> POST /chats/3/messages?limit=2
    >> Authorization: Bearer {token}
    >> {"text": "hi"}
    << 200
    << {"id":26,"text":"hi","at":"{time}"}

A placeholder in braces is a value that differs in each run. For the placeholders in `_SAMPLES`, the document shows a
sample value. It shows all others as they are written.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

_HEADER = re.compile(r"[A-Za-z-]+: ")
_SAMPLES = {"{time}": "2026-11-20T20:21:51.745308Z", "{micros}": "2026-11-20T20:21:51.745308", "{any}": "…"}


class Example(NamedTuple):
    """One request and its response. `body` and `answer` are JSON values, or texts, or None if there is no body."""

    name: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    media: str
    answer: Any


def examples_beside(file: str) -> tuple[Example, ...]:
    """Read `examples.txt` in the folder of a module. `file` is the module's `__file__`."""
    text = Path(file).with_name("examples.txt").read_text(encoding="utf-8")
    return tuple(_examples(text.rpartition("---\n")[2]))


def _examples(text: str) -> Iterator[Example]:
    for block in text.split("\n\n"):
        lines = block.strip().split("\n")
        call, *request = [line[3:] for line in lines if line.startswith(">> ")] or [""]
        if call:
            status, *response = [line[3:] for line in lines if line.startswith("<< ")]
            method, address = call.split(" ")
            code, _, media = status.partition(" ")
            url = urlsplit(address)
            yield Example(
                name=lines[0].removeprefix("# "),
                method=method,
                path=url.path,
                query=dict(parse_qsl(url.query)),
                body=_value([line for line in request if not _HEADER.match(line)]),
                status=int(code),
                media=media or "application/json",
                answer=_value([line for line in response if not _HEADER.match(line)]),
            )


def _value(lines: list[str]) -> Any:
    if not lines:
        return None
    text = "\n".join(lines)
    for placeholder, sample in _SAMPLES.items():
        text = text.replace(placeholder, sample)
    text = text.removesuffix("\\n")
    try:
        return json.loads(text)
    except ValueError:
        return text
