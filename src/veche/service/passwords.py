"""Password hashing off the event loop, as many at once as there are cores: argon2id (OWASP: t=2, m=19 MiB, p=1)."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from veche.core.errors import ChatError, Code

P = ParamSpec("P")
T = TypeVar("T")

MAX_BYTES = 1024


class Passwords:
    """A bounded pool: whoever would wait more than some two seconds is refused as overloaded."""

    def __init__(self, threads: int | None = None) -> None:
        count = threads or os.cpu_count() or 1
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="veche-password")
        self._limit, self._waiting = count * 40, 0
        self._nobody = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Hash a password of at most 1,024 bytes."""
        return await self._run(self._hasher.hash, _bytes(password))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is right; takes as long when there is none to compare with."""
        tried = password.encode("utf-8", "surrogatepass")[: MAX_BYTES + 1]  # what is longer is nobody's password
        return await self._run(self._verify, tried, hashed or self._nobody) and bool(hashed)

    def _verify(self, password: bytes, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._waiting >= self._limit:
            raise ChatError(Code.OVERLOADED, "Too many people sign in just now. Try again in a moment.", retry_after=2)
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))
        finally:
            self._waiting -= 1

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)


def _bytes(password: str) -> bytes:
    data = password.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        raise ChatError(Code.INVALID, f"A password may have {MAX_BYTES} bytes.", field="password")
    return data
