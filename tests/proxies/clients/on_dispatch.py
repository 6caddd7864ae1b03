"""`websockets` on dispatch, which has no pings: on_dispatch.py URL TOKEN. client.py says what goes in and out."""

import asyncio
import json
import sys

from lines import lines, say
from websockets.asyncio.client import connect


async def main(url: str, token: str) -> None:
    async with connect(url, ping_interval=None) as socket:
        await socket.send(token)
        say(connected="websocket")

        async def listen() -> None:
            async for frame in socket:
                say(heard=json.loads(frame)["body"])
            say(lost=socket.close_code)

        listening = asyncio.create_task(listen())
        async for line in lines():
            await socket.send(line)
        listening.cancel()


asyncio.run(main(*sys.argv[1:]))
