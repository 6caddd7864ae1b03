"""What the clients in Python share: lines in, lines out. client.py says which."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator


def say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")  # in one piece, for there may be threads
    sys.stdout.flush()


async def lines() -> AsyncIterator[str]:
    """The lines of the standard input, without blocking the loop."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().rstrip("\n")
