"""Passwords in addresses of databases and of Redis.

Programs disagree about where a password ends that contains what also separates the parts of an address. Then a part of
it is taken for the host or the port, and is shown. So such an address is refused.
"""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

ADVICE = (
    "It has a special character in the name, the password or an option. Write @ as %40, / as %2F, ? as %3F and # as "
    "%23 there."
)
_SECRET_OPTIONS = ("password", "sslpassword", "sentinel_password")


def is_clear(url: str) -> bool:
    """Return whether all programs find the same host in an address: it has one @, and that stands before the host."""
    rest = url.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    return rest.count("@") == authority.count("@") <= 1


def secrets_in(url: str) -> list[str]:
    """Return the passwords of an address, as they are written there and as they are meant."""
    if url.partition("://")[2].startswith("/"):  # the path of a file
        return []
    if not is_clear(url):
        return [url.partition("://")[2].rpartition("@")[0]]
    try:
        parts = urlsplit(url)
        found = [parts.password or ""]
    except ValueError:  # it cannot be told apart, so all of it is a secret
        return [url]
    options = [option.partition("=") for option in parts.query.split("&")]
    found += [value for name, _, value in options if unquote(name) in _SECRET_OPTIONS]
    found += [value for name, value in parse_qsl(parts.query) if name in _SECRET_OPTIONS]
    return list(dict.fromkeys(one for one in (*found, *map(unquote, found)) if one))
