"""python-socketio with threads: socketio_sync.py URL TRANSPORTS TOKEN. client.py says what goes in and out."""

import os
import sys

import socketio
from lines import say

url, transports, token = sys.argv[1:]
client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.2)


@client.on("connect")
def on_connect() -> None:
    say(connected=client.transport())


@client.on("disconnect")
def on_disconnect(reason: str) -> None:
    say(lost=reason)


@client.on("message")
def on_message(message: dict[str, object]) -> None:
    say(heard=message["text"])


client.connect(url, auth={"token": token}, transports=transports.split(","))
for line in sys.stdin:
    client.emit("message", {"text": line.rstrip("\n")})
os._exit(0)  # its threads would go on
