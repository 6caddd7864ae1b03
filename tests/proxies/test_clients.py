"""Real clients talk with each other, directly and through each proxy of docs/proxies.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import MissingError, skip

from .client import KINDS
from .conversation import Conversation
from .site import FIRST_OR_LONG, Proxy, serving

PROXY_SECONDS = 13  # a proxy closes a silent connection after so long, instead of the 75 seconds of the page
SETTINGS = {"VECHE_PING_SECONDS": "8", "VECHE_PONG_SECONDS": "7.9"}  # browsers start beside the clients


@pytest.mark.timeout(600)  # the first run may fetch many things
@pytest.mark.parametrize(
    "proxy",
    [None, *FIRST_OR_LONG],
    ids=lambda proxy: str(proxy or "directly"),
)
async def test_clients(proxy: Proxy | None, tmp_path: Path, subtests: pytest.Subtests) -> None:
    sooner = {"75s": f"{PROXY_SECONDS}s"} if proxy is not None and proxy.limits_silence else {}
    try:
        with serving(proxy, tmp_path, SETTINGS, sooner) as site, Conversation(site) as talk:
            await converse(talk)
    except MissingError as missing:
        skip(missing)
    for kind in KINDS:
        with subtests.test(kind.name):
            if kind.name in talk.missing:
                skip(talk.missing[kind.name])
            assert kind.name not in talk.wrong, talk.wrong[kind.name]


async def converse(talk: Conversation) -> None:
    talk.everybody_says("hello, привет 👋")
    await talk.nobody_says_anything(PROXY_SECONDS + 1)
    talk.everybody_says("still here")
    talk.nobody_was_away()
    if talk.site.proxy is None:
        return
    talk.site.reload()
    talk.somebody_says("loaded again", lambda client: client.kind.reconnects)
    if talk.site.proxy.reload_keeps_connections:
        talk.nobody_was_away()
    talk.site.stop()
    talk.site.start()
    talk.somebody_says("started again", lambda client: client.kind.reconnects)
