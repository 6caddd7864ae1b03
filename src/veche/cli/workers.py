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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from veche.cli.place import LISTENS, READY, Place, Plan, as_argument, from_argument
from veche.ops import logs

YOUNG_SECONDS = 10.0
"""A worker that ends earlier than this after its start has failed."""
GIVE_UP_AFTER = 6
"""So many workers may fail one after another, if none serves."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a worker is started after a failure. They double with each further failure."""
TICK = 0.5  # seconds; how late a deadline may be noticed

PROGRAM = ("-m", "veche.cli.worker")

logger = logging.getLogger("veche")


@dataclass
class Worker:
    """One worker process. `pipe` is the end of its pipe that the parent reads, until it is ready or has ended."""

    number: int
    process: subprocess.Popen[bytes]
    pipe: int | None
    started: float
    listens: bool = False
    """Clients can connect."""
    is_ready: bool = False
    """It also should get clients: it has reached what it needs."""
    leaves_by: float | None = None
    """When it is killed, if it was told to stop."""

    @property
    def fields(self) -> dict[str, int]:
        """What tells it from others, for a line of the log."""
        return {"worker": self.number, "pid": self.process.pid}

    def close(self) -> None:
        """Read its pipe no more."""
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None


class Parent:
    """Keeps as many workers as the plan says, until it is told to stop. `program`: the words that start a worker."""

    def __init__(self, plan: Plan, program: Sequence[str] = PROGRAM) -> None:
        self._plan = plan
        self._program = program
        self._folder = tempfile.mkdtemp(prefix="veche-")  # only its owner may enter it
        self._machine = os.urandom(8).hex()
        self._lifeline, self._held = os.pipe()
        self._workers: dict[int, Worker] = {}
        self._numbers: Iterator[int] = iter(range(1, 2**31))
        self._has_listened = False
        self._failures = 0
        self._start_at = 0.0
        self._status: int | None = None  # set when the parent is to end
        self._is_rolling = False
        self._old: list[int] = []  # the workers that are still to be replaced
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
        pipes = {worker.pipe: worker for worker in self._workers.values() if worker.pipe is not None}
        readable, _, _ = select.select([waker, *pipes], [], [], TICK)
        for fd in readable:
            if fd == waker:
                os.read(waker, 1024)
            else:
                self._on_told(pipes[fd], os.read(fd, 2))

    def _on_told(self, worker: Worker, told: bytes) -> None:
        worker.listens = worker.listens or LISTENS in told
        worker.is_ready = READY in told
        if worker.is_ready or not told:
            worker.close()
        if worker.listens and not self._has_listened:
            self._has_listened = True
            print(self._plan.greeting, flush=True)  # noqa: T201  # what `veche serve` says

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            if (code := worker.process.poll()) is not None:
                del self._workers[worker.number]
                worker.close()
                if worker.leaves_by is None:
                    self._on_failed(worker, code)

    def _on_failed(self, worker: Worker, code: int) -> None:
        if self._status is not None:
            return
        if not self._has_listened:  # it has said why
            self._status = code or 1
            return
        why = f"has ended by itself ({code})" if worker.listens else f"has not started ({code})"
        if self._is_rolling and not worker.listens and worker.number not in self._old:
            self._end_roll(worker, why)
        else:
            self._log(worker, f"{why}; it is started again")
        is_young = not worker.listens or time.monotonic() - worker.started < YOUNG_SECONDS
        self._failures = self._failures + 1 if is_young else 1
        pause = 0.0 if self._failures == 1 else min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
        self._start_at = time.monotonic() + pause

    # What is to be done.

    def _act(self) -> None:
        now = time.monotonic()
        self._kill_late(now)
        if self._status is None and self._failures >= GIVE_UP_AFTER and not any(w.listens for w in self._staying()):
            logger.critical("the workers end again and again as soon as they start; the log says why. Veche stops.")
            self._status = 1
        if self._status is not None:
            self._close_listeners()
            for worker in self._staying():
                self._send_away(worker, signal.SIGTERM)
            return
        if self._wanted_hangup and self._has_listened and not self._is_rolling:
            self._wanted_hangup = False
            self._old, self._is_rolling = [worker.number for worker in self._staying()], True
            logger.info("all workers are replaced, one after another")
        if self._is_rolling:
            self._roll(now)
        if now >= self._start_at and len(self._staying()) < self._wanted():
            self._start()

    def _kill_late(self, now: float) -> None:
        """Kill what does not stop, and what does not start. The first worker has time: it may have to migrate."""
        for worker in self._workers.values():
            if worker.leaves_by is not None and now > worker.leaves_by:
                self._kill(worker, "does not stop")
                worker.leaves_by = now + self._plan.stop_seconds
            elif worker.leaves_by is None and self._has_listened and not worker.listens and self._is_late(worker, now):
                self._kill(worker, f"does not start within {self._plan.start_seconds:.0f} s")
                worker.started = now

    def _kill(self, worker: Worker, why: str) -> None:
        self._log(worker, f"{why}, and is killed")
        worker.process.kill()

    def _log(self, worker: Worker, what: str) -> None:
        logger.error("worker %d (process %d) %s", *worker.fields.values(), what, extra={"fields": worker.fields})

    def _is_late(self, worker: Worker, now: float) -> bool:
        return now > worker.started + self._plan.start_seconds

    def _wanted(self) -> int:
        """Return how many workers there should be.

        A roll has one more while it replaces one or waits for one, but not while a replaced one still ends.
        """
        if not self._has_listened:
            return 1
        staying = self._staying()
        is_between = len(staying) < len(self._workers)
        has_more = self._is_rolling and (self._old or not all(worker.is_ready for worker in staying))
        return self._plan.workers + bool(has_more and not is_between)

    def _roll(self, now: float) -> None:
        """Stop an old worker if all new ones are ready, and wait until it has ended. `_act` starts new ones.

        Workers that end by themselves meanwhile are started again as always. So there may be one too many at the end.
        """
        staying = self._staying()
        self._old = [worker.number for worker in staying if worker.number in self._old]
        new = [worker for worker in staying if worker.number not in self._old]
        waits_for = [worker for worker in new if not worker.is_ready]
        if late := [worker for worker in waits_for if worker.listens and self._is_late(worker, now)]:
            self._end_roll(late[0], f"is not ready after {self._plan.start_seconds:.0f} s")
        elif waits_for or len(staying) < len(self._workers):
            return
        elif len(staying) > self._plan.workers:
            self._send_away(self._workers[self._old[0]] if self._old else new[-1], signal.SIGHUP)
        elif not self._old and len(staying) == self._plan.workers:
            self._is_rolling = False
            logger.info("all workers were replaced")

    def _end_roll(self, worker: Worker, why: str) -> None:
        """Keep the workers that are still to be replaced, instead of `worker`, which is no good."""
        self._log(worker, f"{why}, so the others are not replaced")
        self._is_rolling, self._old = False, []
        if len(self._staying()) > self._plan.workers:
            self._send_away(worker, signal.SIGHUP)

    def _staying(self) -> list[Worker]:
        return [worker for worker in self._workers.values() if worker.leaves_by is None]

    def _send_away(self, worker: Worker, how: signal.Signals) -> None:
        worker.leaves_by = time.monotonic() + self._plan.stop_seconds
        worker.process.send_signal(how if worker.listens else signal.SIGTERM)

    def _close_listeners(self) -> None:
        for fd in self._plan.listeners:
            os.close(fd)
        self._plan = self._plan._replace(listeners=())

    def _start(self) -> None:
        number = next(self._numbers)
        pipe, ready = os.pipe()
        place = Place(number, self._machine, self._folder, self._plan.listeners, ready, self._lifeline)
        words = [sys.executable, "-P", *self._program, as_argument(place)]
        inherited = (*self._plan.listeners, ready, self._lifeline)
        # In a group of its own, because Ctrl-C in a terminal is for the parent.
        process = subprocess.Popen(words, pass_fds=inherited, process_group=0)  # noqa: S603  # our own words
        os.close(ready)
        worker = self._workers[number] = Worker(number, process, pipe, time.monotonic())
        logger.info("worker %d is process %d", *worker.fields.values(), extra={"fields": worker.fields})


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
