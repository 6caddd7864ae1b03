"""Which web pages may connect. One `Origins` decides for WebSockets, Engine.IO and CORS alike (RFC 6454).

A browser sends the origin of the page with a request. Programs other than browsers send none, and are always allowed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Self
from urllib.parse import urlsplit

Header = Callable[[str], str | None]
"""Returns the value of a request header by its name in lower case, or None. Values of a repeated header are joined."""

ANY: Final = "*"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_HOST: Final = re.compile(r"[a-z0-9_.-]+")
MAX_HOST: Final = 253
"""Characters of the name of a host (RFC 1035). To encode one of 60,000, as a client may send it, holds the loop."""

logger = logging.getLogger("veche.wire")


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins whose pages may connect. None: all.

    The server's own origin is always allowed: the scheme and the Host of the request, as trusted proxies tell them.
    """

    listed: frozenset[str] | None = None

    @classmethod
    def of(cls, origins: Iterable[str]) -> Self:
        """Make the origins from texts that `normal_origin` has made. `*` among them, or no text at all, means all."""
        found = frozenset(origins)
        return cls(None if not found or ANY in found else found)

    def allow(self, header: Header, *, from_proxy: bool, client: str) -> bool:
        """Return whether a request may connect. If not, log why.

        `from_proxy` says whether the peer is a trusted proxy. `client` is the client's address, for the log.
        """
        origin = header("origin")
        if self.listed is None or origin is None or origin in self.listed:
            return True
        own = own_origins(header, from_proxy=from_proxy)
        if origin in own:
            return True
        logger.warning(
            "a page of %s was refused (client %s): VECHE_ORIGINS does not name this origin, and the server's own is %s",
            *(origin, client or "unix", " or ".join(own) or "not known"),
            extra={"fields": {"origin": origin, "client": client or "unix"}},
        )
        return False


def normal_origin(text: str) -> str:
    """Return an origin as browsers write it: in lower case, without the default port and without a slash at the end.

    `*` stays as it is. Raises ValueError, with a sentence, if the text is no origin.
    """
    if text == ANY:
        return ANY
    problem = ValueError(f"{text!r} is no origin: give one like https://chat.example.com")
    try:
        parts = urlsplit(text)
        host, port = _normal_host(parts.hostname or ""), parts.port
    except ValueError:
        raise problem from None
    rest = (parts.path.removeprefix("/"), parts.query, parts.fragment)
    if not parts.scheme or not host or any(rest) or "@" in parts.netloc or parts.netloc.endswith(":"):
        raise problem
    return _origin(parts.scheme.lower(), host, port)


def own_origins(header: Header, *, from_proxy: bool) -> tuple[str, ...]:
    """Return the origins that the server has for this request. Empty if the Host cannot be read.

    X-Forwarded-Proto and X-Forwarded-Host count only if a trusted proxy sends them. A trusted proxy that does not tell
    the scheme may speak either one to the client, so both are the server's own.
    """
    schemes: tuple[str, ...] = ("http",)
    host = header("host") or ""
    if from_proxy:
        forwarded = _first(header("x-forwarded-proto")).lower()
        schemes = (forwarded,) if forwarded else ("https", "http")
        host = _first(header("x-forwarded-host")) or host
    found = []
    for scheme in schemes:
        try:
            found.append(normal_origin(f"{scheme}://{host}"))
        except ValueError:
            continue
    return tuple(found)


def _first(values: str | None) -> str:
    """Return the first value of a header. Each proxy appends its own, so the first one is from nearest the client."""
    return (values or "").partition(",")[0].strip()


def _normal_host(host: str) -> str:
    """Return a host as browsers write it. Raises ValueError if it is none, or a pattern."""
    if len(host) > MAX_HOST:
        raise ValueError("too long")
    if ":" in host:
        return f"[{IPv6Address(host).compressed}]"
    host = host.lower() if host.isascii() else host.encode("idna").decode("ascii")
    if not _HOST.fullmatch(host):
        raise ValueError("no host")
    return host


def _origin(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"
