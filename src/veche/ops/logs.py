"""The log of the server: lines for people or for programs, on stderr (docs/logs.md).

A line is written by a thread of its own, so a slow terminal or pipe never delays the chat. Lines of one kind are
limited: whoever floods the server does not flood its log. Text that other people wrote cannot forge a line.
"""

import contextlib
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from veche.ops.visible import cut, visible, visible_lines

ACCESS: Final = "veche.access"
"""The logger of requests: one line for each. It is silent unless the setting is on, and its lines are not limited."""

STDERR: Final = 2
WINDOW: Final = 10.0  # seconds
PER_WINDOW: Final = 20  # lines of one kind in one window
MAX_KINDS: Final = 500  # kinds that are told apart
MAX_QUEUE: Final = 2000  # lines that wait to be written
MAX_MESSAGE: Final = 1000  # characters
MAX_FIELD: Final = 200  # characters
MAX_TRACE: Final = 20_000  # characters
MIN_REDACTED: Final = 6  # characters; to look for a shorter secret would damage ordinary text


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, message. A traceback follows on lines that begin with `  | `.

    `worker`: the number of this process among the workers of one `veche serve`. 0: it is the only one.
    """

    def __init__(self, worker: int = 0) -> None:
        super().__init__()
        self.worker = worker

    def format(self, record: logging.LogRecord) -> str:
        name = f"{record.name}[{self.worker}]" if self.worker else record.name
        line = f"{_time(record)} {record.levelname:<7} {name}: {visible(cut(message_of(record), MAX_MESSAGE))}"
        if trace := self._trace(record):
            line += "".join(f"\n  | {part}" for part in visible_lines(trace).split("\n"))
        return line

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info)[-MAX_TRACE:] if record.exc_info else ""


class JsonFormatter(TextFormatter):
    """One JSON object on one line: `time`, `level`, `logger`, `message`, the fields of the line, and `trace`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": cut(message_of(record), MAX_MESSAGE),
        }
        if self.worker:
            line["worker"] = self.worker
        line |= {name: _field(value) for name, value in fields_of(record).items() if name not in line}
        if trace := self._trace(record):
            line["trace"] = trace
        # Escapes everything outside ASCII, so no reader has to know about line separators and lone surrogates.
        return json.dumps(_without_surrogates(line), ensure_ascii=True, allow_nan=False)


def message_of(record: logging.LogRecord) -> str:
    """Return the message of a record. A record whose arguments do not fit must not stop the server."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """Return the fields that were given as `extra={"fields": {...}}`."""
    found = getattr(record, "fields", None)
    return found if isinstance(found, Mapping) else {}


def _field(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    return round(value, 3) if isinstance(value, float) and abs(value) < 1e15 else cut(str(value), MAX_FIELD)


def _without_surrogates(line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in line.items()
    }


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Floods:
    """Limits the lines of one kind. A kind is a logger, a level and a message before its values are put in."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int, str], list[float]] = {}  # the start of the window, and the lines in it

    def admit(self, record: logging.LogRecord, now: float) -> bool:
        """Return whether a line may be written."""
        if record.name == ACCESS:
            return True
        kind = (record.name, record.levelno, record.msg if isinstance(record.msg, str) else type(record.msg).__name__)
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            kind = ("veche", logging.WARNING, "lines of other kinds")
        count = self._counts.setdefault(kind, [now, 0])
        count[1] += 1
        return count[1] <= PER_WINDOW

    def ended(self, now: float) -> list[logging.LogRecord]:
        """Forget the windows that have ended. Return a line for each kind of which lines were left out."""
        found = []
        while self._counts:
            kind = next(iter(self._counts))  # the oldest window
            start, lines = self._counts[kind]
            if now - start < WINDOW:
                break
            del self._counts[kind]
            if lines > PER_WINDOW:
                found.append(_left_out(*kind, int(lines) - PER_WINDOW))
        return found


def _left_out(name: str, level: int, kind: str, count: int) -> logging.LogRecord:
    text = "%d more lines of this kind were left out: %s"
    record = logging.LogRecord(name, level, "", 0, text, (count, kind), None)
    record.fields = {"left_out": count}
    return record


class LogHandler(logging.Handler):
    """Formats lines, leaves out floods and secrets, and gives the lines to a thread that writes them.

    `out` is a file descriptor. A stream has a lock, and the thread could wait for its reader when the process ends.
    `secrets` never appear in a line, whatever an exception or a library puts into it.
    """

    def __init__(self, out: int, formatter: logging.Formatter, secrets: Sequence[str] = ()) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._out = out
        self._secrets = sorted((one for one in secrets if len(one) >= MIN_REDACTED), key=len, reverse=True)
        self._floods = Floods()
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_QUEUE)
        self._lost = 0
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="veche-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line. Called with the handler's lock."""
        try:
            now = time.monotonic()
            self._put_ended(now)
            if self._floods.admit(record, now):
                self._put(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Write the lines that wait, and end the thread. Waits two seconds at most."""
        with self.lock or contextlib.nullcontext():
            if self._closed:
                return
            self._closed = True
            self._put_ended(float("inf"))
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=2)
        self._thread.join(2)
        super().close()

    def _put_ended(self, now: float) -> None:
        for record in self._floods.ended(now):
            self._put(record)

    def _put(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def _write(self) -> None:
        while True:
            try:
                line = self._lines.get(timeout=WINDOW)
            except queue.Empty:
                with self.lock or contextlib.nullcontext():
                    self._put_ended(time.monotonic())
                continue
            if line is None:
                return
            if self._lost:
                lost, self._lost = self._lost, 0
                line += f"\n{self.format(_left_out('veche.log', logging.WARNING, 'stderr is read too slowly', lost))}"
            rest = f"{line}\n".encode("utf-8", "backslashreplace")
            with contextlib.suppress(OSError):  # nobody reads stderr any more
                while rest:
                    rest = rest[os.write(self._out, rest) :]


class _Held(logging.Handler):
    """Keeps the lines that are logged before the settings say how to write them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def hold() -> None:
    """Keep all lines until `configure` is called."""
    _use(_Held(), logging.WARNING)


def show_warnings() -> None:
    """Write warnings to stderr, for commands that are not a server."""
    handler = logging.StreamHandler()
    handler.setFormatter(TextFormatter())
    _use(handler, logging.WARNING)


def configure(level: str, style: str, *, access: bool, secrets: Sequence[str] = (), worker: int = 0) -> LogHandler:
    """Write the log to stderr from now on, also the lines that were kept.

    `level` and `style` are the settings VECHE_LOG_LEVEL and VECHE_LOG_FORMAT. `worker` is as for `TextFormatter`.
    Libraries log warnings and errors only:
    below that, some of them log the texts and headers that they pass on.
    """
    held = [
        record for handler in logging.getLogger().handlers if isinstance(handler, _Held) for record in handler.records
    ]
    handler = LogHandler(STDERR, (JsonFormatter if style == "json" else TextFormatter)(worker), secrets)
    number = logging.getLevelNamesMapping()[level.upper()]
    _use(handler, max(number, logging.WARNING))
    logging.getLogger("veche").setLevel(number)
    logging.getLogger(ACCESS).setLevel(logging.INFO if access else logging.CRITICAL)
    for record in held:
        handler.handle(record)
    return handler


def _use(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
