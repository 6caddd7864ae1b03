"""`websockets` on native's socket: with_websockets.py URL TOKEN ROOM. client.py says what goes in and out."""

import asyncio
import contextlib
import json
import sys

from lines import lines, say
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


async def main(url: str, token: str, room: str) -> None:
    opened: list[ClientConnection] = []  # the newest one is the last

    async def listen() -> None:
        async for socket in connect(url):  # it connects again by itself
            await socket.send(json.dumps({"id": 0, "hello": {"token": token, "rooms": {room: 0}}}))
            with contextlib.suppress(ConnectionClosed):
                async for text in socket:
                    frame = json.loads(text)
                    if frame == {}:
                        await socket.send("{}")
                    elif "caught_up" in frame:
                        opened.append(socket)
                        say(connected="websocket")
                    elif "message" in frame:
                        say(heard=frame["message"]["text"])
            say(lost=socket.close_code)

    listening = asyncio.create_task(listen())
    async for line in lines():
        await opened[-1].send(json.dumps({"id": 1, "send": {"room_id": int(room), "text": line}}))
    listening.cancel()
    await asyncio.wait([listening])


asyncio.run(main(*sys.argv[1:]))
