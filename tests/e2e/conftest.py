"""A server and a browser for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from .harness import MissingError, Person, Server, launch

NewPerson = Callable[..., Person]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            chromium = launch(playwright)
        except MissingError as missing:
            raise pytest.fail.Exception(str(missing), pytrace=False) from None
        yield chromium
        chromium.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path).start()
    yield server
    server.end()


@pytest.fixture
def new_person(browser: Browser, server: Server) -> Iterator[NewPerson]:
    """Return a function that opens the page for a person and signs up: `ann = new_person("ann")`.

    With `new=False` the person is not signed up yet.
    """
    people: list[Person] = []

    def person(name: str, *, new: bool = True, viewport: ViewportSize | None = None) -> Person:
        somebody = Person(browser, server.url, name, viewport)
        people.append(somebody)
        if new:
            somebody.sign_up()
        return somebody

    yield person
    for somebody in people:
        somebody.close()
