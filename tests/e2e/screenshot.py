"""Make the README's screenshot of two people talking: `python -m tests.e2e.screenshot OUT.png`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from .harness import MissingError, Person, Server, launch

SIZE: ViewportSize = {"width": 1200, "height": 760}
ROOM = "Harbour festival"
OTHER_ROOMS = ("Market day", "Bridge repairs")
SCRIPT = (
    ("marta", "Morning! The stage permit came through. We can build from Thursday noon."),
    ("ivo", "Excellent. Then I'll move the sound check to Friday at ten."),
    ("ivo", "Do we still have the long cables from last year?"),
    ("marta", "Two of them, in the boathouse. The third one drowned, I'm afraid."),
    ("ivo", "A proper sailor's death. I'll borrow one from the school."),
    ("marta", "Thank you! I also asked the bakery: forty loaves, and they want to be paid in tickets."),
    ("ivo", "Deal. Tell them the front row is theirs."),
)
ASIDE = ("Has anyone seen the key to the town hall?", "Found it, it was in the door.")


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder)).start()
        try:
            picture(launch(playwright), server.url, out)
        finally:
            server.stop()


def picture(browser: Browser, url: str, out: Path) -> None:
    people = {name: Person(browser, url, name, SIZE).sign_up() for name in ("marta", "ivo")}
    marta, ivo = people.values()
    for name in (*OTHER_ROOMS, ROOM):
        ivo.make_room(name)
    for name in (OTHER_ROOMS[0], ROOM):
        marta.enter(name)
    for name, text in SCRIPT:
        people[name].say(text)
    ivo.room("Lobby").click()
    for text in ASIDE:
        ivo.say(text)
    expect(marta.room("Lobby")).to_contain_text(f"{len(ASIDE)} new")
    expect(marta.messages).to_have_count(len(SCRIPT))
    marta.page.get_by_role("heading", name=ROOM).click()
    marta.page.screenshot(path=out, animations="disabled")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m tests.e2e.screenshot OUT.png")
    try:
        main(Path(sys.argv[1]).resolve())
    except MissingError as missing:
        sys.exit(str(missing))
