"""Examples of calls: each dialect has a file of them, `examples.txt`, which a test plays as a transcript.

    # What the document calls it
    >> POST /chats/3/messages?limit=2
    >> Authorization: Bearer {token}
    >> {"text": "hi"}
    << 200
    << {"id":26,"text":"hi","at":"{time}"}

What stands in braces is of the moment: times are shown as some time, all else as it is written.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

_HEADER = re.compile(r"[A-Za-z-]+: ")
_SHOWN = {"{time}": "2026-11-20T20:21:51.745308Z", "{micros}": "2026-11-20T20:21:51.745308", "{any}": "…"}


class Example(NamedTuple):
    """One exchange; `body` and `answer` are JSON values, texts, or None for nothing."""

    name: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    media: str
    answer: Any


def examples_beside(file: str) -> tuple[Example, ...]:
    """Read the examples in the folder of a module, given its `__file__`."""
    text = Path(file).with_name("examples.txt").read_text(encoding="utf-8")
    return tuple(_examples(text.rpartition("---\n")[2]))


def _examples(text: str) -> Iterator[Example]:
    for block in text.split("\n\n"):
        lines = block.strip().split("\n")
        call, *asked = [line[3:] for line in lines if line.startswith(">> ")] or [""]
        if call:
            status, *came = [line[3:] for line in lines if line.startswith("<< ")]
            method, address = call.split(" ")
            code, _, media = status.partition(" ")
            url = urlsplit(address)
            yield Example(
                name=lines[0].removeprefix("# "),
                method=method,
                path=url.path,
                query=dict(parse_qsl(url.query)),
                body=_value([line for line in asked if not _HEADER.match(line)]),
                status=int(code),
                media=media or "application/json",
                answer=_value([line for line in came if not _HEADER.match(line)]),
            )


def _value(lines: list[str]) -> Any:
    if not lines:
        return None
    text = "\n".join(lines)
    for hole, shown in _SHOWN.items():
        text = text.replace(hole, shown)
    text = text.removesuffix("\\n")
    try:
        return json.loads(text)
    except ValueError:
        return text
