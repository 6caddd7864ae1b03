"""Does with veche_client what a test says: see driven.py. One JSON object on each line, in and out."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from typing import Any

from veche_client import (
    CaughtUp,
    Client,
    Failed,
    Gone,
    LogEvent,
    OtherEvent,
    OwnEvent,
    Push,
    Reset,
    Rooms,
    Status,
    Stopped,
    Stored,
    VecheError,
)

OTHERS = {CaughtUp: "caught_up", Reset: "reset", Push: "push", Stopped: "stopped"}


def say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def tell(name: str, value: Any) -> None:
    say({"on": name, "value": value})


def show(event: object) -> None:
    match event:
        case LogEvent(kind, room_id, seq, body):
            tell("event", {"kind": kind, "room_id": room_id, "seq": seq, "body": body})
            if isinstance(event, OwnEvent):
                tell("me", {**body, "replayed": event.replayed})
            elif not isinstance(event, OtherEvent):
                tell(kind, body)
        case Rooms(rooms):
            tell("rooms", rooms)
        case Gone(room_ids):
            tell("gone", room_ids)
        case Status(state):
            tell("status", state)
        case Stored(outgoing, answer):
            tell("stored", {"outgoing": outgoing, "answer": answer})
        case Failed(outgoing, error):
            tell("failed", {"outgoing": outgoing, "code": error.code})
        case _:
            tell(OTHERS[type(event)], dataclasses.asdict(event))  # type: ignore[index, call-overload]


class Driver:
    """A client, and what a test wants of it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.tokens: list[str] = options["tokens"]
        self.client = Client(
            options["url"],
            options["token"],
            saved=options["saved"],
            sign_in=self.sign_in,
            refresh_token=options["refresh_token"],
            refreshed=lambda tokens: tell("refreshed", tokens),
        )

    async def sign_in(self, reason: str) -> str | None:
        tell("asked", reason)
        return self.tokens.pop(0) if self.tokens else None

    async def run(self, lines: asyncio.StreamReader) -> None:
        async with self.client:
            listening = asyncio.create_task(self.listen())
            deeds = set()
            while line := await lines.readline():
                task = asyncio.create_task(self.answer(**json.loads(line)))
                deeds.add(task)
                task.add_done_callback(deeds.discard)
            listening.cancel()

    async def listen(self) -> None:
        async for event in self.client:
            show(event)

    async def answer(self, call: int, name: str, args: list[Any]) -> None:
        try:
            say({"call": call, "result": await self.do(name, args)})
        except VecheError as error:
            say({"call": call, "error": error.code})

    async def do(self, name: str, args: list[Any]) -> Any:
        if name == "saved":
            return self.client.saved
        if name == "enqueue":
            return self.client.enqueue(*args)["id"]
        if name == "command":
            return await self.client.command(args[0], **args[1])
        if name == "send":
            room_id, text, *more = args
            return await self.client.send(room_id, text, **(more[0] if more else {}))
        found = getattr(self.client.rest, args.pop(0)) if name == "rest" else getattr(self.client, name)
        query = args.pop() if args and isinstance(args[-1], dict) else {}
        answer = found(*args, **query)
        return await answer if asyncio.iscoroutine(answer) else answer


async def main() -> None:
    lines = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await Driver(json.loads(await lines.readline())).run(lines)


asyncio.run(main())
