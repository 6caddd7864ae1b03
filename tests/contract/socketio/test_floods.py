"""Backpressure: reading from a client that sends too much pauses, and resumes afterwards."""

from __future__ import annotations

import json

from messenger.harness import LiveServer

from veche.service.shares import MAX_WAITING

from .conftest import NewPerson

URL = "/socket.io/?EIO=4&transport=polling"


def test_a_client_may_enter_again_after_many_messages(server: LiveServer, new_person: NewPerson) -> None:
    entering = f"40{json.dumps({'token': new_person('ann').token})}"
    much = [f'42["message","{number}"]' for number in range(MAX_WAITING + 1)]
    with server.http() as http:
        url = f"{URL}&sid={json.loads(http.get(URL).text[1:])['sid']}"
        assert http.post(url, content=entering).text == "ok"
        assert http.get(url).text.startswith('40{"sid":')
        assert http.post(url, content="\x1e".join([*much, "41"])).text == "ok"
        assert http.post(url, content=entering).text == "ok"
        while '40{"sid":' not in http.get(url).text:
            pass
