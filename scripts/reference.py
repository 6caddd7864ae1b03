"""Generate docs/settings.md: `.venv/bin/python scripts/reference.py`. A test fails if the page is out of date."""

from pathlib import Path

from veche.app import DIALECTS
from veche.gateway.legacy import FALSE_WORDS, TRUE_WORDS, Legacy
from veche.gateway.options import Setting, settings_of
from veche.gateway.secret_files import SUFFIX
from veche.legacy import LEGACY
from veche.settings import PREFIX, ServerSettings, prefix_of

DOCS = Path(__file__).resolve().parent.parent / "docs"

HEAD = """\
# Settings

Settings are read from the environment, and from a [file `.env`](#the-file-env). The server does not start if there is
an unknown `VECHE_` name, so a misspelt name is found. The same holds for keys in the YAML file of `CONFIG_PATH`.
Settings of a dialect that is switched off (`VECHE_DIALECTS`) are ignored, and so are its legacy names.

A setting whose default is `True` or `False` takes {true_words} for true, and
{false_words} for false, in capitals too.

Legacy names are those of the five original servers. `VECHE_*` names and the command line have priority over them. An
empty name counts as not set. If a legacy name asks for PostgreSQL, and `VECHE_DATABASE_URL` or the command line names
an SQLite database, the log says that the legacy name is ignored.
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
ADDRESSES = """\
## The address of PostgreSQL

`VECHE_DATABASE_URL` and `DATABASE_URL` take `postgresql://USER:PASSWORD@HOST:PORT/NAME`. `postgres://` means the same,
and so does `postgresql+asyncpg://` or another driver. Write special characters of the password as `%XX`; the values of
`POSTGRES_*` are taken as they are. An address with a second `@`, or with an `@` behind `/`, `?` or `#`, is refused:
where its password ends is not clear. The same holds for `VECHE_BUS_URL`.

The options behind `?` are those of PostgreSQL's own library, such as `sslmode=verify-full`. Options that it does not
know, such as Prisma's `schema`, are ignored, and the log names them. If the name of such an option begins with `ssl`,
the server does not start: use `sslmode`. All tables are in a schema of their own, `veche`.
"""
ENV_FILE = """\
## The file .env

`veche serve` reads `.env` in its folder, and `src/.env`. A variable of the environment has priority over both, and
`.env` over `src/.env`. The log names each file that was read. Other commands read a file only with `--env-file FILE`;
`veche serve --env-file FILE` reads this file instead of both. `.env.example` in the source is a beginning.

- A line is `NAME=value`, or a comment after `#`. `export` before the name is allowed. A name alone sets nothing.
- A value may stand in quotes. Without quotes it ends before a blank and `#`. In double quotes `\\n`, `\\t`, `\\"` and
  `\\\\` are a line feed, a tab, a quote and a backslash. In single quotes all characters stand for themselves.
- A value with `$` has to be in single quotes, because other programs would fill in a variable.
- A file that other people can write, or that belongs to somebody else, is refused. So is a line that cannot be read:
  the message names the line, and shows nothing of it.
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

`DEBUG`, `RELOAD`, `STATIC_PATH`, `APP_PROXY_PORT` and `APP_PROXY_LINK` are ignored. In the YAML file, `redis.ttl`,
`log`, and the timeouts and buffer sizes of `http` and `websocket` are ignored.
"""


def settings() -> str:
    server = section("The server", settings_of(ServerSettings, PREFIX), LEGACY)
    dialects = [section(one.name, settings_of(one.options, prefix_of(one)), one.legacy) for one in DIALECTS]
    words = {f"{name}_words": listed(found) for name, found in (("true", TRUE_WORDS), ("false", FALSE_WORDS))}
    head = HEAD.format_map(words)
    return "\n".join([head, server, *dialects, ORIGINS, ADDRESSES, ENV_FILE, SECRETS, IGNORED])


def listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(f'`{word}`' for word in words[:-1])} or `{words[-1]}`"


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
