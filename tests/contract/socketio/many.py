"""python-socketio: many.py URL TRANSPORT TOKEN COUNT; sends all messages at once, prints what it heard as JSON."""

import json
import sys
import threading

import socketio

url, transport, token, count = sys.argv[1:]
client = socketio.Client(reconnection=False)
heard: list[str] = []
done = threading.Event()


@client.on("message")
def on_message(text: str) -> None:
    heard.append(text)
    if len(heard) == int(count):
        done.set()


@client.on("disconnect")
def on_disconnect(*_: object) -> None:
    done.set()


client.connect(url, auth={"token": token}, transports=[transport])
for number in range(int(count)):
    client.emit("message", f"{number}")
done.wait(30)
print(json.dumps(heard))
client.disconnect()
