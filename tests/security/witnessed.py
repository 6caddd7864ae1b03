"""`witnessed.py REPORT serve ...`: `veche serve`, and it reports the CPU time of each long callback of its event loop.

A callback is a handle of the loop (tasks, timers, answers of threads), or a call of a protocol (`data_received`, ...).
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLOOR = 0.01  # seconds; shorter callbacks are not reported
CALLED_BY_THE_LOOP = "connection_made data_received eof_received pause_writing resume_writing connection_lost".split()


def measured(report: Callable[[str], object], callback: Callable[..., Any]) -> Callable[..., Any]:
    """Return a callback that reports its CPU time and name if it took longer than FLOOR."""

    def measure(*args: Any, **kwargs: Any) -> Any:
        begin = time.thread_time()
        try:
            return callback(*args, **kwargs)
        finally:
            if (took := time.thread_time() - begin) > FLOOR:
                report(f"{took:.4f} {_name_of(callback, args)}\n")

    return measure


class Collections:
    """Reports each long run of the garbage collector. It is part of whatever callback it happens to begin in."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._began = 0.0

    def __call__(self, phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        elif (took := time.thread_time() - self._began) > FLOOR:
            self._report(f"{took:.4f} garbage collection of generation {about['generation']}\n")


def _name_of(callback: Callable[..., Any], args: tuple[Any, ...]) -> str:
    task = getattr(callback, "__self__", None)
    coroutine = task.get_coro() if hasattr(task, "get_coro") else None
    name = getattr(coroutine or callback, "__qualname__", None) or repr(callback)
    return " ".join(name.split())


def _serve(path: str) -> None:
    import uvloop

    from veche.cli.main import main
    from veche.wire.http import BoundedHttp
    from veche.wire.websocket import WebSocket

    report = Path(path).open("a", buffering=1).write  # noqa: SIM115  # open as long as the process
    gc.callbacks.append(Collections(report))

    class WitnessedLoop(uvloop.Loop):
        def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_soon(measured(report, callback), *args, context=context)

        def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_soon_threadsafe(measured(report, callback), *args, context=context)

        def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_later(delay, measured(report, callback), *args, context=context)

        def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_at(when, measured(report, callback), *args, context=context)

    uvloop.Loop = WitnessedLoop  # type: ignore[misc]
    uvloop.new_event_loop = WitnessedLoop  # type: ignore[assignment]
    for protocol in (BoundedHttp, WebSocket):
        for name in CALLED_BY_THE_LOOP:
            if (method := getattr(protocol, name, None)) is not None:
                setattr(protocol, name, _measured_method(report, method))
    main()


def _measured_method(report: Callable[[str], object], method: Callable[..., Any]) -> Callable[..., Any]:
    reporting = measured(report, method)

    def call(self: Any, *args: Any) -> Any:
        return reporting(self, *args)

    return call


if __name__ == "__main__":
    _report_path = sys.argv.pop(1)
    _serve(_report_path)
