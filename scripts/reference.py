"""Write the generated pages of docs/ anew: `.venv/bin/python scripts/reference.py`. A test fails while one is stale."""

from pathlib import Path

from veche.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"


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
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
