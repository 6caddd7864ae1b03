"""Deleting one's own account: the route (docs/native.md, Deleting an account)."""

from fastapi import Response

from veche.dialects.native.feature import Feature
from veche.dialects.native.routing import Body, LoginOf, Typed, new_router
from veche.gateway.http import AccountsOf


class DeletionBody(Body):
    """Your password: whoever has only your token cannot delete your account."""

    password: Typed


router = new_router()


@router.delete("/me", status_code=204)
async def delete_me(body: DeletionBody, login: LoginOf, accounts: AccountsOf) -> Response:
    """Delete your account for ever. Your messages stay, without your name."""
    await accounts.delete(login, body.password)
    return Response(status_code=204)


FEATURE = Feature(router=router)
