"""A FastAPI app that checks the body of a message and stores nothing: `uvicorn bench.beside.empty:app`."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Message(BaseModel):
    text: str
    client_message_id: str


@app.get("/healthz")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/rooms/{room_id}/messages", status_code=201)
async def send(room_id: int, message: Message) -> Message:
    return message
