"""A simple FastAPI chat: a list of sockets for each room, and a loop that awaits `send_text` for each socket.

It stores nothing. `uvicorn bench.naive:app` runs it. It reads Veche's `send` frame and broadcasts Veche's `message`
event, so both servers are measured with the same bytes.
"""

import json
from collections import defaultdict
from datetime import UTC, datetime
from itertools import count

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
rooms: defaultdict[int, list[WebSocket]] = defaultdict(list)
numbers = count(1)


@app.get("/healthz")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.websocket("/ws/{room_id}")
async def chat(websocket: WebSocket, room_id: int) -> None:
    await websocket.accept()
    members = rooms[room_id]
    members.append(websocket)
    try:
        while True:
            payload = event(room_id, (await websocket.receive_json())["send"])
            for member in members:
                await member.send_text(payload)
    except WebSocketDisconnect:
        pass
    finally:
        members.remove(websocket)


def event(room_id: int, send: dict[str, str]) -> str:
    number = next(numbers)
    message = {
        "id": number,
        "room_id": room_id,
        "seq": number,
        "kind": "text",
        "sender": {"id": 1, "username": "member001", "name": "member001"},
        "text": send["text"],
        "client_message_id": send["client_message_id"],
        "origin": "native",
        "at": datetime.now(UTC).isoformat(),
    }
    return json.dumps({"message": message}, separators=(",", ":"))
