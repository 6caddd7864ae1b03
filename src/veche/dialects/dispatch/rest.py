"""The REST routes of the dispatch dialect: JSON in, plain text out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.dialects.dispatch.errors import problem, raw_text
from veche.dialects.dispatch.rules import NEW_ACCOUNT, SIGN_IN, Credentials, CredentialsOf, wrong_format
from veche.gateway.http import AccountsOf, ChatOf, RawResponse, guest_of, response, route_class
from veche.service.accounts import Accounts, Verified

GuestOf = Annotated[Actor, Depends(guest_of("dispatch"))]


def _invalid(error: RequestValidationError) -> RawResponse:
    return problem(wrong_format())


router = APIRouter(
    tags=["dispatch"], route_class=route_class(problem, _invalid), default_response_class=PlainTextResponse
)


@router.post("/signup", openapi_extra=NEW_ACCOUNT)
async def signup(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Create an account. The response is `Success`."""
    if not body.is_valid:
        raise wrong_format()
    await accounts.register(guest, body.password, username=body.username)
    return response(raw_text("Success"))


@router.post("/signin", openapi_extra=SIGN_IN)
async def signin(body: CredentialsOf, accounts: AccountsOf, chat: ChatOf, guest: GuestOf) -> Response:
    """Sign in. The response is the token alone. Within its lifetime, send it as the first frame on `/connect`."""
    if not body.is_complete:
        raise wrong_format()
    verified = await _check_password(body, accounts, guest)
    if await chat.is_connected(verified.account.id, "dispatch"):
        raise ChatError(Code.TAKEN, "The account has an open connection.", reason="connected")
    signed = await accounts.open_session(guest, verified)
    return response(raw_text(signed.token))


async def _check_password(body: Credentials, accounts: Accounts, guest: Actor) -> Verified:
    """Check the password first, because an account that was made in another dialect may have a longer name."""
    try:
        return await accounts.check_password(guest, body.password, username=body.username)
    except ChatError as refusal:
        if refusal.code is Code.WRONG_CREDENTIALS and not body.is_valid:
            raise wrong_format() from None
        raise


@router.get("/connect", status_code=426)
async def connect() -> Response:
    """Refuse a request that is not an upgrade, with 426."""
    return response(raw_text("Upgrade Required", 426, {"Upgrade": "websocket", "Connection": "Upgrade"}))
