"""Serves the web page, a small native client, under a strict Content-Security-Policy."""

from importlib.resources import files

from fastapi import APIRouter, HTTPException, Response

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
JAVASCRIPT = "text/javascript; charset=utf-8"
_MODULES = frozenset(file.name for file in (files("veche.web") / "page").iterdir())

router = APIRouter(include_in_schema=False)


def _file(name: str, media_type: str) -> Response:
    return Response((files("veche.web") / name).read_bytes(), 200, _HEADERS, media_type)


@router.get("/")
async def index() -> Response:
    """Serve the page's HTML."""
    return _file("index.html", "text/html; charset=utf-8")


@router.get("/page.js")
async def script() -> Response:
    """Serve the script of the page. It imports the modules."""
    return _file("page.js", JAVASCRIPT)


@router.get("/loading.js")
async def loading() -> Response:
    """Serve the script that loads the page again if a part of it is missing."""
    return _file("loading.js", JAVASCRIPT)


@router.get("/page/{name}")
async def module(name: str) -> Response:
    """Serve a module of the page's script."""
    if name not in _MODULES:
        raise HTTPException(404, "The page has no such module.")
    return _file(f"page/{name}", JAVASCRIPT)


@router.get("/page.css")
async def style() -> Response:
    """Serve the page's style sheet."""
    return _file("page.css", "text/css; charset=utf-8")
