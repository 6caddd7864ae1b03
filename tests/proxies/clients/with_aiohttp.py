"""aiohttp on messenger's socket: with_aiohttp.py URL. client.py says what goes in and out."""

import asyncio
import sys

import aiohttp
from lines import lines, say


async def main(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        say(connected="websocket")

        async def listen() -> None:
            async for frame in socket:
                line = frame.json()
                if line["type"] == "message":
                    say(heard=line["text"])
            say(lost=socket.close_code)

        listening = asyncio.create_task(listen())
        async for line in lines():
            await socket.send_json({"type": "message", "text": line})
        listening.cancel()


asyncio.run(main(*sys.argv[1:]))
