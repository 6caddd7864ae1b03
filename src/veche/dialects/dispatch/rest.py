"""The calls of the dispatch contract: JSON in, bare words out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.values import Account
from veche.dialects.dispatch.errors import bare, problem
from veche.dialects.dispatch.rules import BODY, Credentials, CredentialsOf, wrong_format
from veche.gateway.http import AccountsOf, ChatOf, RawResponse, guest_of, response, route_class
from veche.service.accounts import Accounts

GuestOf = Annotated[Actor, Depends(guest_of("dispatch"))]


def _invalid(error: RequestValidationError) -> RawResponse:
    return problem(wrong_format())


router = APIRouter(
    tags=["dispatch"], route_class=route_class(problem, _invalid), default_response_class=PlainTextResponse
)


@router.post("/signup", openapi_extra=BODY)
async def signup(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Make an account; answers `Success`."""
    if not body.proper:
        raise wrong_format()
    await accounts.register(guest, body.password, username=body.username)
    return response(bare("Success"))


@router.post("/signin", openapi_extra=BODY)
async def signin(body: CredentialsOf, accounts: AccountsOf, chat: ChatOf, guest: GuestOf) -> Response:
    """Sign in; answers the bare token, which is to be the first frame on `/connect` within a minute."""
    if not body.filled:
        raise wrong_format()
    account = await _check(body, accounts, guest)
    if chat.is_connected(account.id, "dispatch"):
        raise ChatError(Code.TAKEN, "They have an open socket.", reason="connected")
    signed = await accounts.open_session(guest, account)
    return response(bare(signed.token))


async def _check(body: Credentials, accounts: Accounts, guest: Actor) -> Account:
    """The password alone decides: what another dialect let through and is right gets in here."""
    try:
        return await accounts.check_password(guest, body.password, username=body.username)
    except ChatError as refusal:
        if refusal.code is Code.WRONG_CREDENTIALS and not body.proper:
            raise wrong_format() from None
        raise


@router.get("/connect", status_code=426)
async def connect() -> Response:
    """Say that this is a WebSocket."""
    return response(bare("Upgrade Required", 426, {"Upgrade": "websocket", "Connection": "Upgrade"}))
