"""Parts of a body that a client asks for (RFC 9110, section 14)."""

import re
from typing import NamedTuple

_ONE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Part(NamedTuple):
    """The bytes from `begin` up to, not including, `end`."""

    begin: int
    end: int


class UnsatisfiableRange(Exception):
    """No byte of the body is in the range: 416."""


def part_of(header: str | None, size: int) -> Part | None:
    """Return which part of a body of `size` bytes a Range header asks for. None: the whole body is answered.

    A header that cannot be read is ignored, and so is one with several ranges, as the standard allows. Raises
    UnsatisfiableRange.
    """
    found = _ONE.fullmatch(header.strip()) if header is not None else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < begin:
            return None
    if begin >= size or begin >= end:
        raise UnsatisfiableRange
    return Part(begin, end)
