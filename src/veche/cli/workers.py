"""The parent of the workers of `veche serve --workers N`. `veche serve` becomes this program, so it has few imports.

It has the listening sockets, starts the workers, and starts one again that has ended. It touches no connection.

SIGTERM, SIGINT   all workers send their clients away and stop; then the parent ends
SIGHUP            each worker is replaced, one after another: the new one is ready before the old one stops
"""

import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from veche.cli.place import Place, Plan, as_argument, from_argument
from veche.ops import logs

YOUNG_SECONDS = 10.0
"""A worker that ends earlier than this after its start has failed."""
GIVE_UP_AFTER = 6
"""So many workers may fail one after another, if none is ready."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a worker is started after a failure. They double with each further failure."""
TICK = 0.5  # seconds; how late a deadline may be noticed

logger = logging.getLogger("veche")


@dataclass
class Worker:
    """One worker process. `ready` is the read end of its pipe, until it is ready or has ended."""

    number: int
    process: subprocess.Popen[bytes]
    ready: int | None
    started: float
    leaves_by: float | None = None
    """When it is killed, if it was told to stop."""

    @property
    def is_ready(self) -> bool:
        return self.ready is None


class Parent:
    """Keeps as many workers as the plan says, until it is told to stop."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._folder = tempfile.mkdtemp(prefix="veche-")  # only its owner may enter it
        self._machine = os.urandom(8).hex()
        self._lifeline, self._held = os.pipe()
        self._workers: dict[int, Worker] = {}
        self._numbers: Iterator[int] = iter(range(1, 2**31))
        self._was_ready = False
        self._failures = 0
        self._start_at = 0.0
        self._status: int | None = None  # set when the parent is to end
        self._old: list[int] = []  # the workers that are still to be replaced
        self._replacement: int | None = None
        self._is_replacing = False
        self._wanted_hangup = False

    def run(self) -> int:
        """Run until all workers have ended. Return the exit status."""
        waker, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, self._on_hangup)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        try:
            while self._status is None or self._workers:
                self._act()
                self._wait(waker)
                self._reap()
            return self._status
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    # Signals.

    def _on_stop(self, *_: object) -> None:
        if self._status is None:
            self._status = 0

    def _on_hangup(self, *_: object) -> None:
        self._wanted_hangup = True

    # What happened.

    def _wait(self, waker: int) -> None:
        pipes = {worker.ready: worker for worker in self._workers.values() if worker.ready is not None}
        readable, _, _ = select.select([waker, *pipes], [], [], TICK)
        for fd in readable:
            if fd == waker:
                os.read(waker, 1024)
            elif os.read(fd, 1):
                self._on_ready(pipes[fd])

    def _on_ready(self, worker: Worker) -> None:
        assert worker.ready is not None
        os.close(worker.ready)
        worker.ready = None
        if not self._was_ready:
            self._was_ready = True
            print(self._plan.greeting, flush=True)  # noqa: T201  # what `veche serve` says

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            if (code := worker.process.poll()) is not None:
                del self._workers[worker.number]
                if worker.ready is not None:
                    os.close(worker.ready)
                self._on_end(worker, code)

    def _on_end(self, worker: Worker, code: int) -> None:
        if worker.number == self._replacement and not worker.is_ready:
            logger.error("a new worker does not start, so the others are not replaced")
            self._old, self._replacement, self._is_replacing = [], None, False
            return
        if worker.leaves_by is not None:
            return
        if not self._was_ready:  # it has said why
            self._status = self._status or code or 1
            return
        logger.error("worker %d has ended by itself (%d); it is started again", worker.number, code)
        self._failures = self._failures + 1 if time.monotonic() - worker.started < YOUNG_SECONDS else 1
        pause = 0.0 if self._failures == 1 else min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
        self._start_at = time.monotonic() + pause

    # What is to be done.

    def _act(self) -> None:
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.leaves_by is not None and now > worker.leaves_by:
                logger.error("worker %d does not stop, and is killed", worker.number)
                worker.process.kill()
                worker.leaves_by = now + self._plan.stop_seconds
        if self._status is None and self._failures >= GIVE_UP_AFTER and not self._ready_ones():
            logger.critical("the workers end again and again as soon as they start; the log says why. Veche stops.")
            self._status = 1
        if self._status is not None:
            self._close_listeners()
            for worker in self._workers.values():
                self._send_away(worker, signal.SIGTERM)
        elif self._is_replacing:
            self._replace_next()
        elif self._wanted_hangup and self._was_ready:
            self._wanted_hangup = False
            self._old, self._is_replacing = [worker.number for worker in self._staying()], True
            logger.info("all workers are replaced, one after another")
        elif now >= self._start_at and len(self._staying()) < (self._plan.workers if self._was_ready else 1):
            self._start()

    def _replace_next(self) -> None:
        """Start a new worker, wait until it is ready, stop an old one, wait until it has ended, and so on."""
        if any(worker.leaves_by is not None for worker in self._workers.values()):
            return
        if not self._old:
            self._is_replacing = False
            logger.info("all workers were replaced")
            return
        if self._replacement is None:
            self._replacement = self._start().number
        elif (new := self._workers.get(self._replacement)) is None or new.is_ready:
            self._replacement = None
            old = self._workers.get(self._old.pop(0))
            if new is not None and old is not None:  # if the old one has ended meanwhile, the new one has its place
                self._send_away(old, signal.SIGHUP)

    def _staying(self) -> list[Worker]:
        return [worker for worker in self._workers.values() if worker.leaves_by is None]

    def _ready_ones(self) -> list[Worker]:
        return [worker for worker in self._staying() if worker.is_ready]

    def _send_away(self, worker: Worker, how: signal.Signals) -> None:
        if worker.leaves_by is None:
            worker.leaves_by = time.monotonic() + self._plan.stop_seconds
            worker.process.send_signal(how if worker.is_ready else signal.SIGTERM)

    def _close_listeners(self) -> None:
        for fd in self._plan.listeners:
            os.close(fd)
        self._plan = self._plan._replace(listeners=())

    def _start(self) -> Worker:
        number = next(self._numbers)
        readable, ready = os.pipe()
        place = Place(number, self._machine, self._folder, self._plan.listeners, ready, self._lifeline)
        words = [sys.executable, "-P", "-m", "veche.cli.worker", as_argument(place)]
        inherited = (*self._plan.listeners, ready, self._lifeline)
        # In a group of its own, because Ctrl-C in a terminal is for the parent.
        process = subprocess.Popen(words, pass_fds=inherited, process_group=0)  # noqa: S603  # our own words
        os.close(ready)
        worker = self._workers[number] = Worker(number, process, readable, time.monotonic())
        return worker


def main() -> None:
    """Be the parent."""
    plan = from_argument(Plan, sys.argv[1])
    os.umask(0o077)
    logs.configure("info", plan.log_format, access=False)
    status = Parent(plan).run()
    logging.shutdown()
    raise SystemExit(min(abs(status), 255))


if __name__ == "__main__":
    main()
