"""The log: one line for each event whatever people send, without secrets and without floods, and never in the way."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.ops import logs
from veche.ops.logs import ACCESS, MAX_QUEUE, PER_WINDOW, WINDOW, Floods, JsonFormatter, LogHandler, TextFormatter
from veche.ops.visible import visible

NASTY = [
    'a\n{"level":"info","message":"admin login"}\x1b[2J',
    *(
        "\r\n2026-01-01T00:00:00.000Z ERROR veche: forged",
        "\x00\x07\x7f\x9b31m",
        "\u202eevil\u2066",
        "\u2028\u2029\x85",
    ),
    *("\ud800", "a\udfffb", "x" * 5000, '"}', "%s %d %(x)s", "{}", "\\u0000", "🙂\ufe0f", "\u200b"),
]
texts = st.text(max_size=60) | st.sampled_from(NASTY)


def record(message: str, *args: object, fields: object = None, name: str = "veche.test") -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "", 0, message, args, None)
    made.fields = fields
    return made


@given(texts, texts, st.dictionaries(texts, texts | st.floats() | st.integers() | st.none() | st.booleans()))
def test_a_line_in_json_is_always_one_object(message: str, argument: str, fields: dict[str, Any]) -> None:
    for made in (record(message, fields=fields), record("name %s", argument, fields=fields)):
        line = JsonFormatter().format(made)
        assert line.isascii()
        assert line.isprintable()
        found = json.loads(line)
        assert {"time", "level", "logger", "message"} <= found.keys()
        assert (found["level"], found["logger"]) == ("warning", "veche.test")
        assert len(line) < 20_000 * (1 + len(fields))


@given(texts, texts)
def test_a_line_for_people_is_always_one_line(message: str, argument: str) -> None:
    for made in (record(message), record("name %s", argument)):
        line = TextFormatter().format(made)
        assert line.isprintable()
        assert len(line) < 15_000
        assert " WARNING veche.test: " in line


@given(texts)
def test_the_text_of_an_error_cannot_forge_a_line(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        made = record("it failed")
        made.exc_info = sys.exc_info()
    first, *rest = TextFormatter().format(made).split("\n")
    assert first.endswith("it failed")
    assert rest
    assert all(line.startswith("  | ") and line.isprintable() for line in rest)
    assert "ValueError" in json.loads(JsonFormatter().format(made))["trace"]


def test_a_message_whose_values_do_not_fit_is_still_a_line() -> None:
    assert "%d left" in TextFormatter().format(record("%d left", "many"))


@given(st.text())
def test_what_cannot_be_seen_is_made_visible_and_the_rest_is_left(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert [char for char in text if char.isprintable()] == [
        char for char in text if char in shown and char.isprintable()
    ]
    assert text.isprintable() == (shown == text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[/]", "[/]"),
        ("[team A] Bob", "[team A] Bob"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("\u202e", "\\u202e"),
        ("Анна 🙂", "Анна 🙂"),
    ],
)
def test_text_of_others_is_shown_letter_for_letter(text: str, shown: str) -> None:
    assert visible(text) == shown


# Floods.


def test_lines_of_one_kind_are_limited_and_counted() -> None:
    floods = Floods()
    admitted = [floods.admit(record("from %s", number), 100.0) for number in range(PER_WINDOW + 7)]
    assert admitted == [True] * PER_WINDOW + [False] * 7
    assert floods.admit(record("another kind"), 100.0)
    assert floods.ended(100.0 + WINDOW - 0.1) == []
    [left_out] = floods.ended(100.0 + WINDOW)
    assert left_out.getMessage() == "7 more lines of this kind were left out: from %s"
    assert floods.admit(record("from %s", 1), 100.0 + WINDOW)


def test_kinds_that_differ_each_time_are_limited_together() -> None:
    floods = Floods()
    admitted = sum(floods.admit(record(f"kind {number}"), 1.0) for number in range(10_000))
    assert admitted == logs.MAX_KINDS + PER_WINDOW
    assert len(floods._counts) == logs.MAX_KINDS + 1


def test_the_access_log_is_not_limited() -> None:
    floods = Floods()
    assert all(floods.admit(record("GET", name=ACCESS), 1.0) for _ in range(10 * PER_WINDOW))


# The handler.


def written(use: Callable[[LogHandler], None], secrets: list[str]) -> str:
    with tempfile.TemporaryFile() as file:
        handler = LogHandler(file.fileno(), TextFormatter(), secrets)
        use(handler)
        handler.close()
        file.seek(0)
        return file.read().decode()


def test_a_secret_is_in_no_line_whatever_puts_it_there() -> None:
    def use(handler: LogHandler) -> None:
        handler.handle(record("signed with %s", "topsecret1"))
        try:
            raise RuntimeError("postgresql://me:topsecret1@db")
        except RuntimeError:
            made = record("it failed")
            made.exc_info = sys.exc_info()
            handler.handle(made)

    text = written(use, ["topsecret1"])
    assert "topsecret1" not in text
    assert "signed with ***" in text
    assert "postgresql://me:***@db" in text


def test_lines_left_out_are_told_when_the_log_ends() -> None:
    text = written(lambda handler: [handler.handle(record("again")) for _ in range(PER_WINDOW + 3)] and None, [])
    assert text.count("veche.test: again") == PER_WINDOW
    assert "3 more lines of this kind were left out: again" in text


def test_a_reader_that_does_not_read_delays_nobody() -> None:
    """A full pipe blocks the thread that writes, and nothing else. What it cannot take is counted."""
    reading, writing = os.pipe()
    handler = LogHandler(writing, TextFormatter())
    for _ in range(MAX_QUEUE + 3000):
        handler.handle(record("x" * 900, name=ACCESS))
    os.set_blocking(reading, True)
    text = b""
    while b"more lines of this kind were left out: stderr is read too slowly" not in text:
        text = text[-200:] + os.read(reading, 1 << 20)
    os.close(reading)
    handler.close()
    os.close(writing)


def test_lines_before_the_settings_are_read_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    root, veche = logging.getLogger(), logging.getLogger("veche")
    before = root.handlers[:], root.level, veche.level
    with tempfile.TemporaryFile() as file:
        monkeypatch.setattr(logs, "STDERR", file.fileno())
        try:
            logs.hold()
            veche.warning("early")
            handler = logs.configure("info", "json", access=False)
            veche.info("later")
            logging.getLogger(ACCESS).info("a request")
            handler.close()
        finally:
            root.handlers[:] = before[0]
            root.setLevel(before[1])
            veche.setLevel(before[2])
        file.seek(0)
        assert [json.loads(line)["message"] for line in file.read().splitlines()] == ["early", "later"]
