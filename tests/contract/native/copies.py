"""The copy of a room's messages that the small client keeps, written from docs/native.md alone."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
THREAD = "replies", "last_reply_seq"


def merge(old: Json | None, new: Json) -> Json:
    """Return the copy of a message after an event showed it. Events have no reactions: those of the copy stay."""
    if old is None:
        return new
    if old.get("revision", 0) > new.get("revision", 0):
        return old
    kept = {key: old[key] for key in ("reactions", *THREAD) if key in old}
    return new | {key: max(value, new.get(key, 0)) if key in THREAD else value for key, value in kept.items()}


def apply(messages: dict[int, Json], pins: list[int], kind: str, event: Json, me: int) -> None:
    """Apply an event of a room to the messages by seq, and to the ids of those that are pinned, the last one first."""
    if kind == "message":
        messages[event["seq"]] = merge(messages.get(event["seq"]), event)
        _count_reply(messages, event)
    elif kind == "edited":
        message = event["message"]
        if message["seq"] in messages:
            messages[message["seq"]] = merge(messages[message["seq"]], message)
    elif kind == "deleted":
        _delete(messages.get(event["message_seq"]), event)
        _unpin(pins, event["message_id"])
    elif kind == "reacted":
        found = next((one for one in messages.values() if one["id"] == event["message_id"]), None)
        if found is not None and "deleted_by_id" not in found:
            _react(found, event, me)
    elif kind == "pinned":
        _unpin(pins, event["message_id"])
        if event["pinned"]:
            pins.insert(0, event["message_id"])


def _count_reply(messages: dict[int, Json], reply: Json) -> None:
    root = next((one for one in messages.values() if one["id"] == reply.get("thread_id")), None)
    if root is not None:
        root["replies"] = max(root.get("replies", 0), reply["thread_seq"])
        root["last_reply_seq"] = max(root.get("last_reply_seq", 0), reply["seq"])


def _delete(message: Json | None, event: Json) -> None:
    if message is not None and message.get("revision", 0) < event["revision"]:
        message |= {"text": "", "revision": event["revision"], "deleted_by_id": event["by_id"]}


def _react(message: Json, event: Json, me: int) -> None:
    before = {one["emoji"]: one for one in message.get("reactions", ())}
    mine = before.get(event["emoji"], {}).get("mine", False)
    mine = event["added"] if event["account"]["id"] == me else mine
    before[event["emoji"]] = {"emoji": event["emoji"], "count": event["count"], "mine": mine}
    left = sorted((one for one in before.values() if one["count"]), key=lambda one: (-one["count"], one["emoji"]))
    message.pop("reactions", None)
    if left:
        message["reactions"] = left


def _unpin(pins: list[int], message_id: int) -> None:
    if message_id in pins:
        pins.remove(message_id)


def shown(messages: dict[int, Json]) -> dict[int, Json]:
    """Return what a client shows of messages: of a deleted one, that it was deleted."""
    return {seq: _shown(message) for seq, message in messages.items()}


def _shown(message: Json) -> Json:
    if "deleted_by_id" not in message:
        return message
    kept = ("id", "seq", "sender", "text", "revision", "deleted_by_id", "thread_id", "thread_seq", *THREAD)
    return {key: message[key] for key in kept if key in message}
