"""The commands that have a client id, and so are sent again until they are answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

from .values import Answered, Followed, Marked, Revised, Ruled, Sent


class Commands(ABC):
    """One method for each. It returns when the server has stored it, and raises VecheError if it was refused."""

    @abstractmethod
    async def _stored(self, command: str, fields: dict[str, Any], id: str | None = None) -> Answered:
        """Send a command, and return its answer."""

    async def send(
        self,
        room_id: int,
        text: str,
        *,
        client_message_id: str | None = None,
        reply_to_id: int | None = None,
        thread_id: int | None = None,
    ) -> Sent:
        """Send a message, and return when the server has stored it. Raises VecheError if it was refused for good.

        If this call is cancelled, the message is sent nevertheless.
        """
        fields: dict[str, Any] = {"room_id": room_id, "text": text}
        if reply_to_id is not None:
            fields["reply_to_id"] = reply_to_id
        if thread_id is not None:
            fields["thread_id"] = thread_id
        return cast(Sent, await self._stored("send", fields, client_message_id))

    async def edit(self, room_id: int, message_id: int, text: str) -> Revised:
        """Change the text of a message, as `send` sends one."""
        fields = {"room_id": room_id, "message_id": message_id, "text": text}
        return cast(Revised, await self._stored("edit", fields))

    async def delete(self, room_id: int, message_id: int) -> Revised:
        """Delete a message, as `send` sends one."""
        return cast(Revised, await self._stored("delete", {"room_id": room_id, "message_id": message_id}))

    async def react(self, room_id: int, message_id: int, emoji: str) -> Marked:
        """Put an emoji to a message."""
        fields = {"room_id": room_id, "message_id": message_id, "emoji": emoji}
        return cast(Marked, await self._stored("react", fields))

    async def unreact(self, room_id: int, message_id: int, emoji: str) -> Marked:
        """Take your emoji back."""
        fields = {"room_id": room_id, "message_id": message_id, "emoji": emoji}
        return cast(Marked, await self._stored("unreact", fields))

    async def pin(self, room_id: int, message_id: int) -> Marked:
        """Pin a message."""
        return cast(Marked, await self._stored("pin", {"room_id": room_id, "message_id": message_id}))

    async def unpin(self, room_id: int, message_id: int) -> Marked:
        """Take the pin of a message away."""
        return cast(Marked, await self._stored("unpin", {"room_id": room_id, "message_id": message_id}))

    async def follow(self, room_id: int, thread_id: int) -> Followed:
        """Follow the thread that begins with the message `thread_id`."""
        return cast(Followed, await self._stored("follow", {"room_id": room_id, "thread_id": thread_id}))

    async def unfollow(self, room_id: int, thread_id: int) -> Followed:
        """Follow a thread no longer."""
        return cast(Followed, await self._stored("unfollow", {"room_id": room_id, "thread_id": thread_id}))

    async def set_role(self, room_id: int, account_id: int, role: str) -> Ruled:
        """Give a member another role: "moderator", "member" or "reader", or "owner" to hand the room over."""
        fields = {"room_id": room_id, "account_id": account_id, "role": role}
        return cast(Ruled, await self._stored("role", fields))

    async def ban(self, room_id: int, account_id: int, seconds: int | None = None) -> Ruled:
        """Ban an account from a room, for so many seconds or without an end."""
        fields = {"room_id": room_id, "account_id": account_id, "seconds": seconds}
        return cast(Ruled, await self._stored("ban", fields))

    async def unban(self, room_id: int, account_id: int) -> Ruled:
        """Take back a ban."""
        return cast(Ruled, await self._stored("unban", {"room_id": room_id, "account_id": account_id}))

    async def invite(self, room_id: int, account_id: int) -> Ruled:
        """Invite somebody into a room."""
        return cast(Ruled, await self._stored("invite", {"room_id": room_id, "account_id": account_id}))

    async def uninvite(self, room_id: int, account_id: int) -> Ruled:
        """Take an invitation back, or refuse one: then it is your own account."""
        return cast(Ruled, await self._stored("uninvite", {"room_id": room_id, "account_id": account_id}))
