"""The frames of docs/native.md, with the keys that the client needs; the server may send more keys."""

from __future__ import annotations

from typing import Any

import msgspec

from .records import ME


class MessageBody(msgspec.Struct):
    id: int
    room_id: int
    seq: int
    sender: dict[str, Any]
    text: str
    client_message_id: str | None
    revision: int = 0


class EditedBody(msgspec.Struct):
    room_id: int
    seq: int
    revision: int
    message: MessageBody


class DeletedBody(msgspec.Struct):
    room_id: int
    seq: int
    revision: int
    message_id: int


class ChangeAnswer(msgspec.Struct):
    room_id: int
    seq: int
    message_id: int
    revision: int
    duplicate: bool


class SendAnswer(msgspec.Struct):
    room_id: int
    seq: int
    message_id: int
    client_message_id: str
    duplicate: bool


class Head(msgspec.Struct):
    id: int
    head_seq: int


class Self(msgspec.Struct):
    seq: int


class HelloAnswer(msgspec.Struct):
    epoch: str
    me: Self
    rooms: list[Head]


class SyncAnswer(msgspec.Struct):
    rooms: dict[int, int]
    me: int | None = None


class ErrorBody(msgspec.Struct):
    code: str
    temporary: bool
    message: str = ""


class ResetBody(msgspec.Struct):
    seq: int
    reason: str
    room_id: int = ME


class GoneBody(msgspec.Struct):
    room_ids: list[int]


class Bye(msgspec.Struct):
    code: int
    retry_after_ms: int = 0
