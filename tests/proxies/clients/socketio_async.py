"""python-socketio with asyncio: socketio_async.py URL TRANSPORTS TOKEN. client.py says what goes in and out."""

import asyncio
import sys

import socketio
from lines import lines, say


async def main(url: str, transports: str, token: str) -> None:
    client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.2)

    @client.on("connect")
    async def on_connect() -> None:
        say(connected=client.transport())

    @client.on("disconnect")
    async def on_disconnect(reason: str) -> None:
        say(lost=reason)

    @client.on("message")
    async def on_message(message: dict[str, object]) -> None:
        say(heard=message["text"])

    await client.connect(url, auth={"token": token}, transports=transports.split(","))
    async for line in lines():
        await client.emit("message", {"text": line})
    await client.shutdown()


asyncio.run(main(*sys.argv[1:]))
