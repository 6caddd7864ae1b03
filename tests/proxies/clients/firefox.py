"""Firefox on the page: firefox.py URL NAME PROGRAM PROFILE. client.py says what goes in and out.

Firefox speaks WebDriver BiDi itself. Playwright drives only a Firefox of its own, and Debian has no geckodriver.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from page import talk
from websockets.sync.client import ClientConnection, connect

TIMEOUT = 30.0  # seconds
QUIET = """user_pref("services.settings.server", "data:,nowhere");
user_pref("app.normandy.enabled", false);
user_pref("nimbus.rollouts.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"""


class Firefox:
    """One tab, by WebDriver BiDi on a socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._call("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        [tab] = self._call("browsingContext.getTree")["contexts"]
        self._tab: str = tab["context"]

    def _call(self, method: str, **params: Any) -> Any:
        id = next(self._ids)
        self._socket.send(json.dumps({"id": id, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(TIMEOUT))
            if answer.get("id") == id:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, url: str) -> None:
        self._call("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def script(self, expression: str) -> Any:
        found = self._call("script.evaluate", expression=expression, target={"context": self._tab}, awaitPromise=True)
        assert found["type"] == "success", found
        return found["result"].get("value")

    def type(self, name: str, text: str) -> None:
        self._click({"name": name, "role": "textbox"}, {"name": name})  # a field for passwords has no role
        keys = [{"type": how, "value": key} for key in text for how in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": keys})

    def press(self, name: str) -> None:
        self._click({"name": name, "role": "button"})

    def _click(self, *wanted: dict[str, str]) -> None:
        """Click on the first element that one of these describes."""
        nodes: list[dict[str, str]] = []
        while not nodes:
            nodes = [node for one in wanted for node in self._found(one)]
        origin = {"type": "element", "element": {"sharedId": nodes[0]["sharedId"]}}
        moved = {"type": "pointerMove", "x": 0, "y": 0, "origin": origin}
        pressed = [{"type": how, "button": 0} for how in ("pointerDown", "pointerUp")]
        self._act({"type": "pointer", "id": "mouse", "actions": [moved, *pressed]})

    def _found(self, wanted: dict[str, str]) -> list[dict[str, str]]:
        locator = {"type": "accessibility", "value": wanted}
        nodes: list[dict[str, str]] = self._call("browsingContext.locateNodes", context=self._tab, locator=locator)[
            "nodes"
        ]
        return nodes

    def _act(self, actions: dict[str, Any]) -> None:
        self._call("input.performActions", context=self._tab, actions=[actions])

    def close(self) -> None:
        self._call("browser.close")


def main(url: str, name: str, program: str, profile: str) -> None:
    words = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
    Path(profile, "user.js").write_text(QUIET)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = next(filter(None, (re.search(r"BiDi listening on (ws://\S+)", line) for line in process.stderr)), None)
        assert told is not None, "Firefox did not start."
        threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop it
        with connect(f"{told[1]}/session", max_size=None, proxy=None, open_timeout=TIMEOUT) as socket:
            firefox = Firefox(socket)
            talk(firefox, url, name)
            firefox.close()


main(*sys.argv[1:])
