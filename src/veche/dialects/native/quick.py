"""The quick routes of the native dialect: sending a message, a page of messages, and the list of rooms.

Each answers exactly as the route of the same path in `rest.py`.
"""

import msgspec

from veche.core.messages import SendMessage
from veche.dialects.native.errors import problem
from veche.dialects.native.limits import DEFAULT_PAGE, MAX_PAGE, check_text_size
from veche.dialects.native.views import message_out, message_page, room_page
from veche.gateway.dialect import Parts
from veche.gateway.fairness import NATIVE, draw
from veche.gateway.http import RawResponse, raw_json, signed_in
from veche.gateway.quick import QuickRequest, QuickRoute
from veche.service.accounts import Login

_JSON = ("application/json", "application/json; charset=utf-8")


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    client_message_id: str | None = None


_decode = msgspec.json.Decoder(_Message).decode


class _Quick:
    def __init__(self, parts: Parts) -> None:
        self._chat = parts.chat
        self._accounts = parts.accounts
        self._trusted = parts.trusted

    async def send(self, request: QuickRequest) -> RawResponse | None:
        if (token := request.token) is None or request.header(b"content-type") not in _JSON or request.query:
            return None
        if len(keys := request.headers(b"idempotency-key")) > 1:
            return None
        try:
            message = _decode(request.body)
        except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError):
            return None
        login = await self._login(request, token)
        check_text_size(message.text)
        client_id = message.client_message_id
        if client_id is None and keys:
            [client_id] = keys
        [room_id] = request.ids
        sent = await self._chat.do(login.actor, SendMessage(room_id, message.text, client_id))
        return raw_json(message_out(sent.message), 200 if sent.duplicate else 201)

    async def history(self, request: QuickRequest) -> RawResponse | None:
        seqs = request.numbers("limit", "before_seq", "after_seq", "around_seq")
        if (token := request.token) is None or seqs is None:
            return None
        limit = seqs.pop("limit", DEFAULT_PAGE)
        if not 1 <= limit <= MAX_PAGE or len(seqs) > 1:
            return None
        login = await self._login(request, token)
        before, after, around = (seqs.get(name) for name in ("before_seq", "after_seq", "around_seq"))
        [room_id] = request.ids
        page = await self._chat.history(
            login.account.id, room_id, limit, before=before, after=after, around=around, with_reactions=True
        )
        return raw_json(message_page(page), 200)

    async def rooms(self, request: QuickRequest) -> RawResponse | None:
        numbers = request.numbers("cursor", "limit")
        if (token := request.token) is None or numbers is None:
            return None
        limit = numbers.get("limit", DEFAULT_PAGE)
        if not 1 <= limit <= MAX_PAGE:
            return None
        login = await self._login(request, token)
        found = await self._chat.rooms(login.account.id, numbers.get("cursor", 0), limit + 1)
        return raw_json(room_page(found, limit), 200)

    async def _login(self, request: QuickRequest, token: str) -> Login:
        login = await self._accounts.authenticate(request.guest("native", self._trusted), token)
        signed_in(request.scope, login)
        await draw(self._chat.shares, login.actor, NATIVE)
        return login


def routes(parts: Parts) -> tuple[QuickRoute, ...]:
    """Return the quick routes."""
    quick = _Quick(parts)
    return (
        QuickRoute("POST", "/v1/rooms/{}/messages", quick.send, problem),
        QuickRoute("GET", "/v1/rooms/{}/messages", quick.history, problem),
        QuickRoute("GET", "/v1/rooms", quick.rooms, problem),
    )
