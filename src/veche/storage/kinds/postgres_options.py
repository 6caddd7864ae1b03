"""The options in the URL of a PostgreSQL database that its driver does not know, such as `schema` of Prisma."""

from urllib.parse import unquote

from psycopg.pq import Conninfo


class TlsOptionError(Exception):
    """An option of another driver is about TLS. To ignore it could make the connection less safe than it was."""


def without_unknown(url: str) -> tuple[str, list[str]]:
    """Return a URL without the options that libpq does not know, and the names of these options.

    Raises TlsOptionError with the name of an option that begins with `ssl`. Source: PostgreSQL's documentation of
    libpq, "Connection URIs". There `ssl=true` is known too.
    """
    before, query = _split(url)
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    kept, dropped = [], []
    for option in query.split("&") if query else ():
        name = unquote(option.partition("=")[0])
        if name in known or option == "ssl=true":
            kept.append(option)
        elif name.lower().startswith("ssl"):
            raise TlsOptionError(name)
        else:
            dropped.append(name)
    return before + ("?" + "&".join(kept) if kept else ""), dropped


def _split(url: str) -> tuple[str, str]:
    """Split a URL before its options. A question mark in the password is none of them."""
    at = url.find("@")
    start = url.find("?", at if at >= 0 and "/" not in url[url.find("://") + 3 : at] else 0)
    return (url, "") if start < 0 else (url[:start], url[start + 1 :])
