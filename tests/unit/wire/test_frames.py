"""Building and parsing frames: valid input split at any point, and invalid input (RFC 6455, sections 5 to 8)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Close,
    Fault,
    Incoming,
    Ping,
    Pong,
    binary_frame,
    close_frame,
    ping_frame,
    pong_frame,
    text_frame,
)
from veche.wire.reader import SLICE, FrameReader

from .client import MASK, close, frame, text

KOSME = "κόσμε"


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_data_frames_have_the_shortest_header(size: int, head: bytes) -> None:
    payload = b"x" * size
    assert text_frame(payload) == head + payload
    assert binary_frame(payload) == b"\x82" + head[1:] + payload


def test_control_frames() -> None:
    assert ping_frame() == b"\x89\x00"
    assert pong_frame(b"hi") == b"\x8a\x02hi"
    assert close_frame() == b"\x88\x00"
    assert close_frame(1000) == b"\x88\x02\x03\xe8"
    assert close_frame(4001, "no") == b"\x88\x04\x0f\xa1no"
    with pytest.raises(ValueError, match="125"):
        ping_frame(b"x" * 126)


def test_a_long_reason_is_cut_at_a_character_boundary() -> None:
    written = close_frame(1000, "x" * 122 + "é")
    assert written == b"\x88\x7c\x03\xe8" + b"x" * 122


READ: dict[str, tuple[bytes, list[Incoming]]] = {
    "empty text": (text(""), [""]),
    "text": (text("hello"), ["hello"]),
    "text of 125": (text("x" * 125), ["x" * 125]),
    "text of 126": (text("x" * 126), ["x" * 126]),
    "text of 127": (text("x" * 127), ["x" * 127]),
    "non-ASCII text": (text(KOSME), [KOSME]),
    "NUL, and the last code point": (text("\0\U0010ffff"), ["\0\U0010ffff"]),
    "binary": (frame(BINARY, b"\xff\x00"), [b"\xff\x00"]),
    "empty binary": (frame(BINARY), [b""]),
    "zero mask": (frame(TEXT, b"hello", mask=b"\0\0\0\0"), ["hello"]),
    "longer length than needed": (b"\x81\xfe\x00\x02" + b"\0\0\0\0" + b"hi", ["hi"]),
    "two texts": (text("one") + text("two"), ["one", "two"]),
    "two fragments": (frame(TEXT, b"he", final=False) + frame(CONTINUATION, b"llo"), ["hello"]),
    "empty fragments": (frame(TEXT, final=False) + frame(CONTINUATION, final=False) + frame(CONTINUATION), [""]),
    "a last fragment that is empty": (frame(TEXT, b"hello", final=False) + frame(CONTINUATION), ["hello"]),
    "binary fragments": (frame(BINARY, b"\xff", final=False) + frame(CONTINUATION, b"\xfe"), [b"\xff\xfe"]),
    "a character split between fragments": (
        frame(TEXT, KOSME.encode()[:3], final=False) + frame(CONTINUATION, KOSME.encode()[3:]),
        [KOSME],
    ),
    "ping": (frame(PING, b"a"), [Ping(b"a")]),
    "ping of 125": (frame(PING, b"x" * 125), [Ping(b"x" * 125)]),
    "unsolicited pong": (frame(PONG), [Pong(b"")]),
    "ping between fragments": (
        frame(TEXT, b"he", final=False) + frame(PING, b"!") + frame(CONTINUATION, b"llo"),
        [Ping(b"!"), "hello"],
    ),
    "text, ping, text": (text("a") + frame(PING) + text("b"), ["a", Ping(b""), "b"]),
    "close": (close(), [Close(None, "")]),
    "close with a code": (close(1000), [Close(1000, "")]),
    "close with a reason": (close(4999, KOSME.encode()), [Close(4999, KOSME)]),
    "close with the longest reason": (close(1000, b"x" * 123), [Close(1000, "x" * 123)]),
    "nothing is read after close": (close(1000) + text("late") + frame(PING), [Close(1000, "")]),
    "close in a message": (frame(TEXT, b"x", final=False) + close(1000), [Close(1000, "")]),
}

REFUSED: dict[str, tuple[bytes, int]] = {
    "unmasked text": (frame(TEXT, b"hello", mask=None), 1002),
    "unmasked, long": (frame(TEXT, b"x" * 126, mask=None), 1002),
    "unmasked ping": (frame(PING, mask=None), 1002),
    **{f"reserved bits {rsv}": (frame(TEXT, b"hello", rsv=rsv), 1002) for rsv in range(1, 8)},
    "reserved bits of a ping": (frame(PING, rsv=1), 1002),
    "reserved bits of a close": (frame(CLOSE, rsv=4), 1002),
    **{f"opcode {opcode}": (frame(opcode), 1002) for opcode in (*range(3, 8), *range(11, 16))},
    "fragmented ping": (frame(PING, final=False), 1002),
    "fragmented close": (frame(CLOSE, final=False), 1002),
    "ping of 126": (frame(PING, b"x" * 126), 1002),
    "close of 126": (close(1000, b"x" * 124), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"hello"), 1002),
    "fragmented continuation of nothing": (frame(CONTINUATION, b"hello", final=False), 1002),
    "continuation after the end": (text("done") + frame(CONTINUATION), 1002),
    "text in a message": (frame(TEXT, b"a", final=False) + text("b"), 1002),
    "binary in a text": (frame(TEXT, b"a", final=False) + frame(BINARY, b"b"), 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "reason not UTF-8": (close(1000, b"\xce\xba\xed\xa0\x80"), 1007),
    "text not UTF-8": (frame(TEXT, b"\xce\xba\xed\xa0\x80edited"), 1007),
    "long text not UTF-8": (frame(TEXT, b"x" * 200 + b"\xff"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xbf\xbf"), 1007),
    "overlong": (frame(TEXT, b"\xc0\xaf"), 1007),
    "above the last code point": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "an incomplete character": (frame(TEXT, b"\xce"), 1007),
    "an incomplete character, in fragments": (frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"\xce"), 1007),
    "a first fragment not UTF-8": (frame(TEXT, b"\xff", final=False), 1007),
    "length with the highest bit set": (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + MASK, 1009),
}


def read(data: bytes, step: int, limit: int = 65_536) -> list[Incoming]:
    return read_parts([data[at : at + step] for at in range(0, len(data), step)], limit)


def read_parts(parts: list[bytes], limit: int = 65_536) -> list[Incoming]:
    """Feed all parts to a reader. A part may hold more frames than one call of `feed` returns."""
    reader = FrameReader(limit)
    events: list[Incoming] = []
    for part in parts:
        events += reader.feed(part)
        while reader.has_more:
            more = reader.feed(b"")
            assert len(more) <= SLICE
            events += more
    return events


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1_000, 1_000_000])
@pytest.mark.parametrize("name", READ)
def test_read(name: str, step: int) -> None:
    data, events = READ[name]
    assert read(data, step) == events


@pytest.mark.parametrize("step", [1, 2, 7, 1_000_000])
@pytest.mark.parametrize("name", REFUSED)
def test_invalid_input(name: str, step: int) -> None:
    data, code = REFUSED[name]
    last = read(data + text("late"), step)[-1]
    assert isinstance(last, Fault)
    assert last.code == code


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_codes_that_may_be_sent(code: int) -> None:
    assert read(close(code), 100) == [Close(code, "")]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
def test_codes_that_may_not_be_sent(code: int) -> None:
    (fault,) = read(close(code), 100)
    assert isinstance(fault, Fault)
    assert fault.code == 1002


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc1\x85", 1002),
        (b"\x81\x05", 1002),
        (b"\x89\xfe", 1002),
        (frame(TEXT, b"x" * 17)[:6], 1009),
        (frame(TEXT, b"x" * 1_000)[:8], 1009),
        (frame(TEXT, b"x" * 70_000)[:14], 1009),
        (frame(TEXT, b"x" * 10, final=False) + frame(CONTINUATION, b"x" * 7)[:6], 1009),
    ],
)
def test_an_invalid_header_is_refused_before_its_payload_arrives(data: bytes, code: int) -> None:
    (fault,) = read(data, 1_000, limit=16)
    assert isinstance(fault, Fault)
    assert fault.code == code


@pytest.mark.parametrize("step", [1_300, 65_536, 1_000_000])
@pytest.mark.parametrize("size", [65_535, 65_536])
def test_large_messages(size: int, step: int) -> None:
    assert read(text("x" * size), step) == ["x" * size]
    assert read(frame(BINARY, b"x" * size), step) == [b"x" * size]
    half = size // 2
    halves = frame(TEXT, b"x" * half, final=False) + frame(CONTINUATION, b"x" * (size - half))
    assert read(halves, step) == ["x" * size]


@pytest.mark.parametrize("step", [1_300, 1_000_000])
def test_messages_over_the_limit_are_refused(step: int) -> None:
    assert read(text("x" * 65_537), step) == [Fault(1009, "message too big")]
    fragments = frame(TEXT, b"x" * 65_530, final=False) + frame(CONTINUATION, b"x" * 7)
    assert read(fragments, step) == [Fault(1009, "message too big")]


def test_a_message_of_the_limit_is_read() -> None:
    assert read(text("x" * 16), 1_000, limit=16) == ["x" * 16]
    assert isinstance(read(text("x" * 17), 1_000, limit=16)[0], Fault)


def test_invalid_utf8_is_refused_before_its_frame_is_complete() -> None:
    reader = FrameReader()
    whole = frame(TEXT, b"ok\xff" + b"x" * 100)
    assert reader.feed(whole[:8]) == []
    assert reader.feed(whole[8:9]) == [Fault(1007, "not UTF-8")]


def test_the_number_of_fragments_is_limited() -> None:
    first, middle, last = frame(TEXT, final=False), frame(CONTINUATION, final=False), frame(CONTINUATION)
    assert read(first + middle * 1_022 + last, 1_000_000) == [""]
    (fault,) = read(first + middle * 1_023 + last, 1_000_000)
    assert isinstance(fault, Fault)
    assert fault.code == 1009


def test_nothing_is_read_after_a_fault() -> None:
    reader = FrameReader()
    assert isinstance(reader.feed(frame(TEXT, b"hello", mask=None))[0], Fault)
    assert not reader.feed(text("late"))
    assert not reader.feed(frame(PING))


MESSAGES = st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=5)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str | bytes], bytes]:
    """Some messages, and their bytes: in fragments of any size, with pings in between, each frame with a new mask."""
    messages = draw(MESSAGES)
    data = b""
    for message in messages:
        payload = message.encode() if isinstance(message, str) else message
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
        pieces = [payload[start:stop] for start, stop in pairwise([0, *cuts, len(payload)])]
        opcode = TEXT if isinstance(message, str) else BINARY
        for following, piece in zip(reversed(range(len(pieces))), pieces, strict=True):
            data += draw(st.sampled_from((b"", b"", frame(PING, b"?"))))
            data += frame(opcode, piece, final=not following, mask=draw(st.binary(min_size=4, max_size=4)))
            opcode = CONTINUATION
    return messages, data


@settings(max_examples=examples(150), deadline=None)
@given(streams(), st.data())
def test_messages_survive_any_fragmentation_and_any_chunks(
    stream: tuple[list[str | bytes], bytes], draws: st.DataObject
) -> None:
    messages, data = stream
    cuts = sorted(draws.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    events = read_parts([data[start:stop] for start, stop in pairwise([0, *cuts, len(data)])])
    assert [event for event in events if not isinstance(event, Ping)] == messages


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_read_alike_in_any_chunks(data: bytes, step: int) -> None:
    assert read(data, step) == read(data, 1_000)
