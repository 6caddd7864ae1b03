"""Password hashing with argon2id, in one thread per core, not on the event loop.

The parameters are those that OWASP recommends: t=2, m=19 MiB, p=1. A password is hashed in one normal form, so that it
does not matter which keyboard typed it. Older versions hashed it as it was typed; such a hash still verifies.
"""

import asyncio
import contextlib
import os
import unicodedata
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
    """Hashes and verifies passwords in a pool of threads.

    `hash` and `verify` raise ChatError (OVERLOADED) if so many calls wait that a new one would wait about two seconds.
    """

    def __init__(self, threads: int | None = None) -> None:
        count = threads or os.cpu_count() or 1
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="veche-password")
        self._limit, self._waiting = count * 40, 0
        self._dummy_hash = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Hash a password. Raises ChatError (INVALID) if it has more than 1,024 bytes."""
        return await self._run(self._hasher.hash, _new(password))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Return whether a password matches a hash. If `hashed` is None, return False.

        Both cases take the same time, because the time must not show whether an account exists.
        """
        return await self._run(self._verify, _tried(password), hashed or self._dummy_hash) and bool(hashed)

    def _verify(self, forms: list[bytes], hashed: str) -> bool:
        for form in forms:
            with contextlib.suppress(Argon2Error, InvalidHashError):
                return self._hasher.verify(hashed, form)
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
        self._threads.shutdown(cancel_futures=True)


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
