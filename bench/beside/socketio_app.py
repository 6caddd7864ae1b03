"""One room on python-socketio, in memory, for whoever brings a token: `uvicorn bench.beside.socketio_app:app`."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

socketio: Any = import_module("socketio")  # its folder is in PYTHONPATH only where this runs
server = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(server)
names: dict[str, str] = {}


async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str] | None) -> None:
    if not auth or not auth.get("token"):
        raise socketio.exceptions.ConnectionRefusedError("a token is needed")
    names[sid] = auth["token"]
    await server.enter_room(sid, "room")


async def disconnect(sid: str, *reason: object) -> None:
    names.pop(sid, None)


async def message(sid: str, data: dict[str, str]) -> None:
    said = {"text": data["text"], "sender": names[sid], "at": datetime.now(UTC).isoformat()}
    await server.emit("message", said, room="room")


for event in (connect, disconnect, message):
    server.on(event.__name__, event)
