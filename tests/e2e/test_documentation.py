"""The pages of API documentation show the calls of every dialect, and load nothing from other servers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from veche.app import DIALECTS

from .harness import Server

pytestmark = pytest.mark.e2e


RENDERED_MS = 60_000  # the page lays out hundreds of calls in one go


@pytest.mark.parametrize(
    ("path", "group", "shown"),
    [
        ("/docs", "#operations-tag-{}", "Remove a member from a room that you own"),
        ("/redoc", "#tag\\/{} h2", "correct horse"),
    ],
)
def test_a_page_of_documentation(browser: Browser, server: Server, path: str, group: str, shown: str) -> None:
    page = browser.new_page()
    requested, errors = list[str](), list[str]()
    page.on("requestfinished", lambda request: requested.append(request.url))
    page.on("requestfailed", lambda request: requested.append(request.url) if request.failure != "csp" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}{path}")
    for dialect in DIALECTS:
        expect(page.locator(group.format(dialect.name)).first).to_be_visible(timeout=RENDERED_MS)
    expect(page.get_by_text(shown).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.close()
    assert requested
    assert not [url for url in requested if not url.startswith((server.url, f"blob:{server.url}", "data:"))]
    assert not errors
