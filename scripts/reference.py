"""Write the generated pages of docs/ anew: `.venv/bin/python scripts/reference.py`. A test fails while one is stale."""

from pathlib import Path

from veche.app import DIALECTS
from veche.gateway.legacy import Legacy
from veche.legacy import LEGACY
from veche.settings import SERVER, ServerSettings, Setting, prefix_of, settings_of

DOCS = Path(__file__).resolve().parent.parent / "docs"

HEAD = """\
# Settings

Read from the environment. An unknown `VECHE_` name stops the start: a misspelt one is not overlooked. The settings
of a dialect that is switched off (`VECHE_DIALECTS`) are known and ignored.

The legacy names are those of the five original back ends. `VECHE_*` and the command line win; what is empty is
not set. An address of PostgreSQL stops the start for now: set `VECHE_DATABASE_URL` beside it.
"""
IGNORED = """\
## Legacy names without a meaning here

`DEBUG`, `RELOAD`, `STATIC_PATH`, `APP_PROXY_PORT`, `APP_PROXY_LINK` are ignored; in the YAML file `db`, `redis`, `log`,
and the times and buffers of `http` and `websocket`.
"""


def settings() -> str:
    server = section("The server", settings_of(ServerSettings, SERVER), LEGACY)
    dialects = [section(one.name, settings_of(one.options, prefix_of(one)), one.legacy) for one in DIALECTS]
    return "\n".join([HEAD, server, *dialects, IGNORED])


def section(title: str, found: list[Setting], legacy: Legacy) -> str:
    lines = [f"## {title}", "", "| name | default | |", "|---|---|---|", *map(row, found)]
    if legacy.names:
        lines += ["", "| legacy name | stands for |", "|---|---|"]
        lines += [f"| `{name}` | {meaning} |" for name, meaning in legacy.names.items()]
    return "\n".join(lines) + "\n"


def row(setting: Setting) -> str:
    default = "" if setting.default in (None, "", ()) else f"`{setting.default}`"
    older = f" Older name: {', '.join(f'`{alias}`' for alias in setting.aliases)}." if setting.aliases else ""
    return f"| `{setting.name}` | {default} | {setting.sentence}{older} |"


PAGES = {"settings.md": settings}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
