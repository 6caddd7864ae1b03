"""The pages of documentation: every contract's calls with their examples, and nobody but this server is asked."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from veche.app import DIALECTS

from .harness import Server

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("path", "group", "shown"),
    [("/docs", "#operations-tag-{}", "Put somebody out of one's room"), ("/redoc", "#tag\\/{} h2", "correct horse")],
)
def test_a_page_of_documentation(browser: Browser, server: Server, path: str, group: str, shown: str) -> None:
    page = browser.new_page()
    reached, wrong = list[str](), list[str]()
    page.on("requestfinished", lambda request: reached.append(request.url))
    page.on("requestfailed", lambda request: reached.append(request.url) if request.failure != "csp" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{server.url}{path}")
    for dialect in DIALECTS:
        expect(page.locator(group.format(dialect.name)).first).to_be_visible()
    expect(page.get_by_text(shown).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.close()
    assert reached
    assert not [url for url in reached if not url.startswith((server.url, f"blob:{server.url}", "data:"))]
    assert not wrong
