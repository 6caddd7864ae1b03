"""Files: the routes that take them and give them out (docs/files.md)."""

from collections.abc import AsyncIterator
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials

from veche.core.file_types import INLINE
from veche.core.files import StoredFile
from veche.dialects.native import out
from veche.dialects.native.feature import Feature
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import GuestOf, LoginOf, bearer, login_of, new_router
from veche.dialects.native.views import file_out
from veche.gateway.fairness import NATIVE, draw
from veche.gateway.http import AccountsOf, ChatOf, FilesOf, is_head, reply, signed_in
from veche.gateway.openapi_answers import returns
from veche.gateway.ranges import Part, UnsatisfiableRange, part_of
from veche.service.accounts import Login
from veche.service.files import UPLOAD_SECONDS, Files
from veche.service.images import THUMBNAIL_TYPE
from veche.wire.handler import STREAMED

TICKET_SECONDS: Final = 60
MAX_GIVEN_NAME: Final = 1000
"""Characters of the name that a client gives. It is cut when it is cleaned."""
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_SHOWN: Final = {"content": {"*/*": _BINARY, "text/plain": {"schema": {"type": "string"}}}}


class FileTicket(Outgoing):
    """An address of a file that needs no token, for an image in a page. It is valid for `expires_in` seconds."""

    url: str
    expires_in: int


router = new_router()

FileId = Annotated[str, Path(max_length=64)]
Ticket = Annotated[str | None, Query(max_length=1000)]


@router.post(
    "/files",
    status_code=201,
    responses=returns(out.File, 201),
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}},
)
async def upload(
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=MAX_GIVEN_NAME)],
    login: LoginOf,
    files: FilesOf,
) -> Response:
    """Upload a file. The body of the request is the file. Refer to it in a message within a day."""
    if (more_time := request.scope.get("extensions", {}).get(STREAMED)) is not None:
        more_time(UPLOAD_SECONDS)
    length = request.headers.get("content-length", "")
    size = int(length) if length.isdecimal() else None
    return reply(file_out(await files.upload(login.actor, name, size, request.stream())), 201)


@router.post("/files/{file_id}/ticket", status_code=201, responses=returns(FileTicket, 201))
async def ticket(file_id: FileId, login: LoginOf, files: FilesOf, accounts: AccountsOf) -> Response:
    """Make an address of a file that needs no token."""
    file = await files.find(login.account.id, file_id)
    found = accounts.ticket(login, _purpose(file.info.id), TICKET_SECONDS)
    return reply(FileTicket(f"/v1/files/{file.info.id}?ticket={found}", TICKET_SECONDS), 201)


def _purpose(file_id: str) -> str:
    return f"file:{file_id}"


async def _reader(
    request: Request,
    file_id: FileId,
    guest: GuestOf,
    accounts: AccountsOf,
    chat: ChatOf,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ticket: Ticket = None,
) -> Login:
    """Return who asks for a file: with a token, or with a ticket for this file."""
    if credentials is not None or ticket is None:
        return await login_of(request, credentials)
    login = await accounts.authenticate_ticket(guest, ticket, _purpose(file_id))
    signed_in(request.scope, login)
    await draw(chat.shares, login.actor, NATIVE)
    return login


@router.get("/files/{file_id}", responses={200: _SHOWN, 206: _SHOWN})
async def download(
    request: Request, file_id: FileId, login: Annotated[Login, Depends(_reader)], files: FilesOf
) -> Response:
    """Get a file, or a part of it."""
    file = await files.find(login.account.id, file_id)
    headers, size = _headers(file), file.info.size
    if headers["ETag"] in _tags(request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    if is_head(request):
        return Response(None, 200, {**headers, "Content-Length": str(size)}, file.info.type)
    try:
        part = part_of(_range_of(request, headers["ETag"]), size)
    except UnsatisfiableRange:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if part is None:
        return await _answer(files, login, file, Part(0, size), headers, 200)
    shown = f"bytes {part.begin}-{part.end - 1}/{size}"
    return await _answer(files, login, file, part, {**headers, "Content-Range": shown}, 206)


@router.get("/files/{file_id}/thumbnail", responses={200: {"content": {THUMBNAIL_TYPE: _BINARY}}})
async def thumbnail(
    request: Request, file_id: FileId, login: Annotated[Login, Depends(_reader)], files: FilesOf
) -> Response:
    """Get a small picture of an image."""
    file = await files.find(login.account.id, file_id)
    headers = _headers(file) | {"ETag": f'"{file.info.id}-small"', "Accept-Ranges": "none"}
    if headers["ETag"] in _tags(request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(await files.thumbnail(login.account.id, file), 200, headers, THUMBNAIL_TYPE)


async def _answer(
    files: Files, login: Login, file: StoredFile, part: Part, headers: dict[str, str], status: int
) -> Response:
    """Answer with a part of a file. If its beginning cannot be read, raise ChatError, and answer nothing."""
    parts = files.parts(login.account.id, file, *part)
    first = await anext(parts, b"")

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for more in parts:
            yield more

    length = {"Content-Length": str(part.end - part.begin)}
    return StreamingResponse(body(), status, {**headers, **length}, file.info.type)


def _range_of(request: Request, etag: str) -> str | None:
    """Return the Range header, unless it is about another file than the one that is there (If-Range)."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition is None or condition == etag else None


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")] if header else []


def _headers(file: StoredFile) -> dict[str, str]:
    """Return the headers of a file. Nothing in it is run, and only images are shown in the browser.

    The bytes of an id never change, but the rights are checked each time.
    """
    name = file.info.name
    ascii_name = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in name)
    way = "inline" if file.info.type in INLINE else "attachment"
    return {
        "Content-Disposition": f"{way}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{file.info.id}"',
    }


FEATURE = Feature(router=router, bodies=(FileTicket,))
