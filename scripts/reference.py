"""Generate docs/settings.md: `.venv/bin/python scripts/reference.py`. A test fails if the page is out of date."""

from pathlib import Path

from veche.app import DIALECTS
from veche.gateway.legacy import Legacy
from veche.gateway.options import Setting, settings_of
from veche.gateway.secret_files import SUFFIX
from veche.legacy import LEGACY
from veche.settings import PREFIX, ServerSettings, prefix_of

DOCS = Path(__file__).resolve().parent.parent / "docs"

HEAD = """\
# Settings

Settings are read from the environment. The server does not start if there is an unknown `VECHE_` name, so a
misspelt name is found. The same holds for keys in the YAML file of `CONFIG_PATH`. Settings of a dialect that is
switched off (`VECHE_DIALECTS`) are ignored, and so are its legacy names.

Legacy names are those of the five original servers. `VECHE_*` names and the command line have priority over them. An
empty name counts as not set. Veche does not support PostgreSQL yet: if a legacy name asks for it, the server starts
only if `VECHE_DATABASE_URL` or the command line names an SQLite database, and then it logs what it ignores.
"""
ORIGINS = """\
## Which web pages may connect

A browser tells the server the origin of the page that asks. Programs tell none, and are always allowed.
`VECHE_ORIGINS` lists the origins that may open a WebSocket, poll, and read answers of REST (CORS). One list decides
for all dialects and transports.

- An origin is a scheme, a host, and a port if it is not the usual one: `https://chat.example.com`,
  `http://localhost:3000`. Capitals, a slash at the end and the usual port do no harm. Anything else is refused at the
  start, also a bare host and a pattern.
- `*` means all origins, as an empty list does. Veche uses no cookies, so a page needs a token in either case.
- The page of this server may always connect. Its origin is the scheme and the `Host` of the request. Behind a proxy in
  `VECHE_TRUSTED_PROXIES` it is `X-Forwarded-Proto`, and `X-Forwarded-Host` if the proxy sends it.
- A page that is refused is a line in the [log](logs.md), which names the origin.
"""
SECRETS = """\
## The secret

Without `VECHE_SECRET` the server makes one at the first start, and stores it beside the database, readable for its
owner alone. To choose one yourself, use `openssl rand -hex 32`. To replace one that became known, see
[operations.md](operations.md).

Each setting that may have a secret in it can be in a file, as Docker and systemd give secrets: `VECHE_SECRET_FILE` is
the path of a file with one line, the value of `VECHE_SECRET`. The tables above name them. If both are set, the server
does not start.

A secret that somebody could guess is refused: one that is too short, one that is printed in a document, one that
repeats itself, and one with fewer than six different bytes. No secret is ever shown in a message or in the log.
"""
IGNORED = """\
## Legacy names that are ignored

`DEBUG`, `RELOAD`, `STATIC_PATH`, `APP_PROXY_PORT` and `APP_PROXY_LINK` are ignored. In the YAML file, `redis`,
`log`, and the timeouts and buffer sizes of `http` and `websocket` are ignored.
"""


def settings() -> str:
    server = section("The server", settings_of(ServerSettings, PREFIX), LEGACY)
    dialects = [section(one.name, settings_of(one.options, prefix_of(one)), one.legacy) for one in DIALECTS]
    return "\n".join([HEAD, server, *dialects, ORIGINS, SECRETS, IGNORED])


def section(title: str, found: list[Setting], legacy: Legacy) -> str:
    lines = [f"## {title}", "", "| name | default | description |", "|---|---|---|", *map(row, found)]
    if legacy.names:
        lines += ["", "| legacy name | meaning |", "|---|---|"]
        for name, meaning in legacy.names.items():
            file = f"; may be in a file: `{name}{SUFFIX}`" if name in legacy.secrets else ""
            lines.append(f"| `{name}` | {meaning}{file} |")
    return "\n".join(lines) + "\n"


def row(setting: Setting) -> str:
    default = "" if setting.default in (None, "", ()) else f"`{setting.default}`"
    older = f" Older name: {', '.join(f'`{alias}`' for alias in setting.aliases)}." if setting.aliases else ""
    file = f" May be in a file: `{setting.name}{SUFFIX}`." if setting.secret else ""
    return f"| `{setting.name}` | {default} | {setting.description}{older}{file} |"


PAGES = {"settings.md": settings}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
