"""Chromium on the page, by Playwright: chromium.py URL NAME PROGRAM FLAG... client.py says what goes in and out."""

from __future__ import annotations

import sys
from typing import Any

from page import talk
from playwright.sync_api import Page, sync_playwright


class Chromium:
    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, url: str) -> None:
        self.page.goto(url)

    def script(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def type(self, name: str, text: str) -> None:
        self.page.get_by_role("textbox", name=name, exact=True).fill(text)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()


def main(url: str, name: str, program: str, *flags: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags, headless=True)
        talk(Chromium(browser.new_context(ignore_https_errors=True).new_page()), url, name)
        browser.close()


main(*sys.argv[1:])
