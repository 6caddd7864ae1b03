"""The health check of the image: exits with 0 if the server of this container answers, and with 1 otherwise.

It uses nothing but Python, because it runs every few seconds.
"""

import http.client
import os
import sys

ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # to listen on all is no address to connect to


def address() -> tuple[str, int]:
    """Return where the server listens: the first address of VECHE_BIND, or the port alone."""
    first = os.environ.get("VECHE_BIND", "").partition(",")[0].strip()
    if first:
        host, _, port = first.rpartition(":")
        host = host.strip("[]")
    else:
        host = os.environ.get("VECHE_HOST", "")
        port = next((found for name in ("VECHE_PORT", "APP_PORT", "PORT") if (found := os.environ.get(name))), "8000")
    return ANY.get(host, host), int(port)


def main() -> int:
    try:
        connection = http.client.HTTPConnection(*address(), timeout=4)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"no answer: {error}\n")
        return 1
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
