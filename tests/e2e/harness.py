"""The harness of the browser tests: a server, the system's Chromium, and people who use the page."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from copy import copy
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, ViewportSize, expect

from tests.veche_process import VecheProcess

LOBBY = "Lobby"
PASSWORD = "correct horse battery"
TIMEOUT_MS = 15_000

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_CHROMIUM = "The browser tests need Chromium: install `chromium`, or set VECHE_CHROMIUM to its file."


class MissingError(Exception):
    """A program that the tests need is not installed; the message is one sentence that names it."""


def find_chromium() -> str:
    """Return the path of Chromium. Root installs it with apt-get if it is missing. Raises MissingError."""
    named = os.environ.get("VECHE_CHROMIUM")
    if named:
        if not Path(named).is_file():
            raise MissingError(f"VECHE_CHROMIUM is {named}, but there is no such file.")
        return named
    found = _on_path() or (_install() and _on_path())
    if not found:
        raise MissingError(NO_CHROMIUM)
    return found


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def _install() -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]):
        if subprocess.run(step, env=quiet, capture_output=True, check=False).returncode != 0:
            return False
    return True


def launch(playwright: Playwright) -> Browser:
    flags = [*CHROMIUM_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return playwright.chromium.launch(executable_path=find_chromium(), args=flags, headless=True)


class Server(VecheProcess):
    @property
    def url(self) -> str:
        return self.base

    def kill(self) -> None:
        """End the server with SIGKILL: clients get no close frame."""
        self.end(signal.SIGKILL)


class Person:
    """A person who uses the page in their own browser context. Elements are found by their accessible names."""

    def __init__(self, browser: Browser, url: str, name: str, viewport: ViewportSize | None = None) -> None:
        self.name = name
        self.context = browser.new_context(viewport=viewport, color_scheme="light", locale="en-GB")
        self.context.set_default_timeout(TIMEOUT_MS)
        self.console_errors: list[str] = []
        self.page: Page = self._new_page()
        self.url = url

    def _new_page(self) -> Page:
        page = self.context.new_page()
        page.on("console", self._record_error)
        page.on("pageerror", lambda error: self.console_errors.append(f"uncaught: {error}"))
        return page

    def new_tab(self) -> Self:
        """Open the page in a second tab of the same browser, and return the person as they use it there."""
        other = copy(self)
        other.page = self._new_page()
        other.page.goto(self.url)
        return other

    def _record_error(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.console_errors.append(f"{message.type}: {message.text}")

    def call(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        """Call the REST API as this person, without the page, and return the answer. It has to be a good one."""
        login = self.context.request.post(
            f"{self.url}/v1/login", data={"username": self.name, "password": PASSWORD}, fail_on_status_code=True
        )
        headers = {"Authorization": f"Bearer {login.json()['token']}"}
        answer = self.context.request.fetch(
            self.url + path, method=method, headers=headers, data=data, fail_on_status_code=True
        )
        return answer.json() if answer.body() else None

    def fill_in(self, password: str = PASSWORD) -> None:
        self.page.get_by_role("textbox", name="Username").fill(self.name)
        self.page.get_by_role("textbox", name="Password").fill(password)

    def sign_up(self) -> Self:
        self.page.goto(self.url)
        self.fill_in()
        self.page.get_by_role("button", name="Sign up").click()
        return self.expect_caught_up()

    def write(self, text: str) -> Locator:
        """Send `text` to the open room, without waiting for the server."""
        self.page.get_by_role("textbox", name="Message").fill(text)
        self.page.get_by_role("button", name="Send", exact=True).click()
        return self.message(text)

    def say(self, text: str) -> Locator:
        """Send `text` to the open room, and wait until it is stored."""
        message = self.write(text)
        self.expect_state(message, "sent")
        return message

    def make_room(self, name: str) -> None:
        self.page.get_by_role("button", name="New room").click()
        self.page.get_by_role("textbox", name="Room name").fill(name)
        self.page.get_by_role("button", name="Create").click()
        expect(self.room(name)).to_have_attribute("aria-current", "true", timeout=TIMEOUT_MS)

    def enter(self, name: str) -> None:
        """Open a public room that was made a moment ago, and join it."""
        self.focus_window()
        self.room(name).click()
        self.page.get_by_role("button", name="Join this room").click()
        expect(self.box).to_be_visible(timeout=TIMEOUT_MS)

    @property
    def invitations(self) -> Locator:
        return self.page.get_by_role("list", name="Invitations").get_by_role("listitem")

    def accept(self, name: str) -> None:
        """Accept the invitation that shows `name`: the room's, or who asks for a direct room. The room is open then."""
        self.invitations.filter(has_text=name).get_by_role("button", name="Join").click()
        expect(self.room(name)).to_have_attribute("aria-current", "true", timeout=TIMEOUT_MS)

    @property
    def box(self) -> Locator:
        """The field for the next message."""
        return self.page.get_by_role("textbox", name="Message", exact=True)

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log", name="Messages")

    @property
    def messages(self) -> Locator:
        return self.log.get_by_role("article")

    def message(self, text: str) -> Locator:
        return self.messages.filter(has=self.page.get_by_text(text, exact=True))

    def room(self, name: str) -> Locator:
        return self.page.get_by_role("list", name="Rooms").get_by_role("button", name=name)

    def focus_window(self) -> None:
        """Focus the window, so that the page loads the list of public rooms again."""
        self.page.evaluate("window.dispatchEvent(new Event('focus'))")

    def expect_status(self, status: str) -> None:
        expect(self.page.get_by_role("status")).to_have_text(status, timeout=TIMEOUT_MS)

    def expect_state(self, message: Locator, state: str) -> None:
        expect(message.locator(".state")).to_have_text(state, timeout=TIMEOUT_MS)

    def expect_caught_up(self) -> Self:
        self.expect_status("caught up")
        return self

    def expect_texts(self, *texts: str) -> None:
        """Check that the log shows exactly these texts, in this order."""
        expect(self.log.locator(".text")).to_have_text(list(texts), timeout=TIMEOUT_MS)

    def close(self) -> None:
        self.context.close()
