"""What the older dialects show of a message with files."""

from __future__ import annotations

import msgspec
import pytest

from veche.core.messages import Message, References
from veche.core.values import LOBBY_ID, FileInfo, Person
from veche.dialects.channels import encode as channels
from veche.dialects.dispatch import encode as dispatch
from veche.dialects.messenger import encode as messenger
from veche.dialects.rooms.encode import serializer_of
from veche.dialects.socketio.encode import line
from veche.gateway.lines import text_with_files
from veche.hub.serializer import Serializer

PLAIN = Message(LOBBY_ID, 3, 1_780_000_000_123_456, 31, Person(1, "ann", "Ann"), "look", None, "native", 1)
FILES = (FileInfo("a" * 32, "one.png", 5, "image/png"), FileInfo("b" * 32, "two.txt", 5, "text/plain"))
WITH_FILES = msgspec.structs.replace(PLAIN, references=References(files=FILES))


def test_a_line_for_each_file_follows_the_text() -> None:
    lines = [f"one.png: /#file={'a' * 32}", f"two.txt: /#file={'b' * 32}"]
    assert text_with_files(WITH_FILES) == "\n".join(["look", *lines])
    assert text_with_files(msgspec.structs.replace(WITH_FILES, text="")) == "\n".join(lines)
    assert text_with_files(PLAIN) == "look"


@pytest.mark.parametrize(
    "serializer",
    [channels.SERIALIZER, dispatch.SERIALIZER, messenger.SERIALIZER, serializer_of("System")],
    ids=lambda s: s.name,
)
def test_older_clients_get_it(serializer: Serializer) -> None:
    shown = serializer.encode(WITH_FILES)
    assert shown is not None
    assert f"/#file={'b' * 32}".encode() in shown


def test_socketio_clients_get_it() -> None:
    shown = line(WITH_FILES)
    assert shown is not None
    assert f"/#file={'b' * 32}" in str(shown)
