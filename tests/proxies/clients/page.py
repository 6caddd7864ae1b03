"""What the two browsers share: a person who uses the page. client.py says what goes in and out."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections import Counter
from typing import Any, Protocol

from lines import say

PASSWORD = "correct horse battery"
WATCH = """{
  window.statuses = [];
  const status = document.querySelector("[role=status]");
  new MutationObserver(() => statuses.push(status.textContent)).observe(status, { childList: true });
}"""
NEWS = """(() => {
  const state = (message) => message.querySelector(".state").textContent;
  const shown = [...document.querySelectorAll("[role=log] article")];
  const stored = shown.filter((message) => ["", "sent"].includes(state(message)));
  return JSON.stringify([statuses.splice(0), stored.map((message) => message.querySelector(".text").textContent)]);
})()"""


class Browser(Protocol):
    """A browser with one tab. Elements are found by their accessible names."""

    def open(self, url: str) -> None: ...
    def script(self, expression: str) -> Any: ...
    def type(self, name: str, text: str) -> None: ...
    def press(self, name: str) -> None: ...


def talk(browser: Browser, url: str, name: str) -> None:
    """Sign up on the page, and be a client until the input ends."""
    browser.open(url)
    browser.script(WATCH)
    browser.type("Username", name)
    browser.type("Password", PASSWORD)
    browser.press("Sign up")
    words: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(words,), daemon=True).start()
    shown: Counter[str] = Counter()
    while True:
        statuses, texts = json.loads(browser.script(NEWS))
        for status in statuses:
            say(**({"connected": "websocket"} if status == "caught up" else {"lost": status} if shown else {}))
        for text in (Counter(texts) - shown).elements():
            say(heard=text)
        shown |= Counter(texts)
        try:
            text = words.get(timeout=0.1)
        except queue.Empty:
            continue
        if text is None:
            return
        browser.type("Message", text)
        browser.press("Send")


def _read(words: queue.Queue[str | None]) -> None:
    for line in sys.stdin:
        words.put(line.rstrip("\n"))
    words.put(None)
