"""Write the generated pages of docs/ anew: `.venv/bin/python scripts/reference.py`. A test fails while one is stale."""

from pathlib import Path

from veche.borrowed import UNDERSTOOD
from veche.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"

OLDER = [
    "## What the older contracts call them",
    "",
    "The environment of the five older back ends is understood. `VECHE_*` and the command line win; what is empty is",
    "not set. An address of PostgreSQL stops the start for now: set `VECHE_DATABASE_URL` beside it.",
    "",
    "| name | stands for |",
    "|---|---|",
]
PASSED_OVER = [
    "Other names of theirs are passed over: `DEBUG`, `RELOAD`, `STATIC_PATH`, `APP_PROXY_PORT`, `APP_PROXY_LINK`; in",
    "the YAML file `db`, `redis`, `log`, and the times and buffers of `http` and `websocket`.",
]


def settings() -> str:
    lines = [
        "# Settings",
        "",
        "Read from the environment. An unknown `VECHE_` name stops the start: a misspelt one is not overlooked.",
        "",
        "| name | default | |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        default = "" if default in (None, "") else f"`{default}`"
        lines.append(f"| `VECHE_{name.upper()}` | {default} | {field.description} |")
    lines += ["", *OLDER, *(f"| `{name}` | {meaning} |" for name, meaning in UNDERSTOOD.items()), "", *PASSED_OVER]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
