"""Password hashing with argon2id in threads, on at most half of the cores, not on the event loop.

The parameters are those that OWASP recommends: t=2, m=19 MiB, p=1. A password is hashed in one normal form, so that it
does not matter which keyboard typed it. Older versions hashed it as it was typed; such a hash still verifies.

People who have an account and people who register wait separately. While both wait, the first have three of four turns.
So registrations cannot keep anybody from signing in. Among those who wait together, every address has its turn.
"""

import asyncio
import contextlib
import os
import threading
import time
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from veche.core.errors import ChatError, Code
from veche.service.turns import Turns

T = TypeVar("T")

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
MAX_BYTES = 1024
MAX_WAIT = 2.0  # seconds that a call may wait for a thread
WAITING_PER_THREAD = 40  # calls that wait together; a thread hashes about 20 times a second
TURNS_IN_A_ROW = 3  # of people who have an account, before the turn of one who registers


def hash_of_nobody(hasher: PasswordHasher) -> str:
    """Return a hash that no password has, and that takes as long to verify as those of this hasher."""
    salt, digest = (b64encode(bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"


class _Job(Generic[T]):
    """Work that waits for a thread, or has `started` in one. `answer` gets the result."""

    def __init__(self, work: Callable[[], T], answer: asyncio.Future[T]) -> None:
        self.work = work
        self.answer = answer
        self.started = False

    def finish(self, result: T) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def refuse(self) -> None:
        """Refuse the call, unless it has started."""
        if not self.started:
            sentence = "Too many people sign in just now. Try again in a moment."
            self.fail(ChatError(Code.OVERLOADED, sentence, retry_after=round(MAX_WAIT)))


class Passwords:
    """Hashes and verifies passwords in a pool of `threads`, for one event loop.

    The default is half of the cores that the process may use. With one core there is one thread, which rests after each
    hash for as long as it has worked.

    `hash` and `verify` raise ChatError (OVERLOADED) if the call would wait, or has waited, for too long. `who` is the
    address that is counted.
    """

    def __init__(self, threads: int | None = None, hasher: PasswordHasher = HASHER) -> None:
        cores = len(os.sched_getaffinity(0))
        count = threads or max(1, cores // 2)
        self._rests = cores == 1
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="veche-password")
        self._free = threading.Semaphore(count)
        self._signing_in: Turns[_Job[Any]] = Turns(count * WAITING_PER_THREAD)
        self._registering: Turns[_Job[Any]] = Turns(count * WAITING_PER_THREAD)
        self._turns_in_a_row = 0
        self._dummy_hash = hash_of_nobody(hasher)

    async def hash(self, password: str, who: str = "", *, registers: bool = True) -> str:
        """Hash a new password: of somebody who registers, or of somebody who has an account.

        Raises ChatError (INVALID) if it has more than 1,024 bytes.
        """
        data = _new(password)
        turns = self._registering if registers else self._signing_in
        return await self._run(turns, who, lambda: self._hasher.hash(data))

    async def verify(self, password: str, hashed: str | None, who: str = "") -> bool:
        """Return whether a password matches a hash. If `hashed` is None, return False.

        Both cases take the same time, because the time must not show whether an account exists.
        """
        forms, against = _tried(password), hashed or self._dummy_hash
        return await self._run(self._signing_in, who, lambda: self._verify(forms, against)) and bool(hashed)

    def _verify(self, forms: list[bytes], hashed: str) -> bool:
        for form in forms:
            with contextlib.suppress(Argon2Error, InvalidHashError):
                return self._hasher.verify(hashed, form)
        return False

    async def _run(self, turns: Turns[_Job[Any]], who: str, work: Callable[[], T]) -> T:
        """Wait for a thread, at most MAX_WAIT, and return what it has worked out."""
        loop = asyncio.get_running_loop()
        job: _Job[T] = _Job(work, loop.create_future())
        if (surplus := turns.add(who, job)) is not None:
            surplus.refuse()
        self._start_jobs(loop)
        timer = loop.call_later(MAX_WAIT, job.refuse)
        try:
            return await job.answer
        finally:
            timer.cancel()
            turns.discard(who, job)

    def _start_jobs(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give each free thread one job. The next one is chosen only when the thread is free again."""
        while self._free.acquire(blocking=False):
            if (job := self._next_job()) is None:
                self._free.release()
                return
            job.started = True
            self._threads.submit(self._work, loop, job)

    def _next_job(self) -> _Job[Any] | None:
        if self._registering and (self._turns_in_a_row >= TURNS_IN_A_ROW or not self._signing_in):
            self._turns_in_a_row = 0
            return self._registering.take()
        self._turns_in_a_row += 1
        return self._signing_in.take()

    def _work(self, loop: asyncio.AbstractEventLoop, job: _Job[T]) -> None:
        began = time.perf_counter()
        try:
            done = partial(job.finish, job.work())
        except Exception as error:
            done = partial(job.fail, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the answer
            loop.call_soon_threadsafe(done)
        if self._rests:
            time.sleep(time.perf_counter() - began)
        self._free.release()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._start_jobs, loop)

    def stop(self) -> None:
        """Wait until running calls are done, and end the threads. Calls that wait are refused."""
        while (job := self._next_job()) is not None:
            job.refuse()
        self._threads.shutdown()


def normal_form(password: str) -> str:
    """Return a password in the form in which it is hashed: NFC, with every blank as a space (RFC 8265, 4.2.2)."""
    blanks = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", blanks)


def _new(password: str) -> bytes:
    forms = _tried(password)
    if any(len(form) > MAX_BYTES for form in forms):
        raise ChatError(Code.INVALID, f"A password may have {MAX_BYTES} bytes.", field="password")
    return forms[0]


def _tried(password: str) -> list[bytes]:
    """Return the forms of a password that a stored hash may be of: its normal form, and as it was typed.

    A password over the limit is cut to one byte more than the limit. No stored hash can match that.
    """
    typed = password.encode("utf-8", "surrogatepass")[: MAX_BYTES + 1]
    if password.isascii() or len(typed) > MAX_BYTES:
        return [typed]
    normal = normal_form(password).encode("utf-8", "surrogatepass")[: MAX_BYTES + 1]
    return list(dict.fromkeys((normal, typed)))
