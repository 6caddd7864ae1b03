"""Engine.IO packets: decoding payloads, invalid payloads, and conversion to WebSocket frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.wire.engineio.packets import (
    MAX_PAYLOAD,
    BadPacket,
    number_of_packets,
    packets_of,
    poll_binary,
    poll_frame,
    split_packets,
    to_websocket,
)
from veche.wire.frames import binary_frame, text_frame

texts = st.text(st.characters(exclude_characters="\x1e", exclude_categories=("Cs",))).map(lambda text: "4" + text)
messages = st.one_of(texts, st.binary())


def decoded(body: bytes) -> list[str | bytes]:
    return list(packets_of(body))


def framed(message: str | bytes) -> bytes:
    return poll_binary(message) if isinstance(message, bytes) else poll_frame(message.encode())


@pytest.mark.parametrize(
    ("body", "packets"),
    [
        (b"4hello", ["4hello"]),
        (b"4hello\x1e2\x1e4world", ["4hello", "2", "4world"]),
        (b"4hello\x1ebAQIDBA==", ["4hello", b"\x01\x02\x03\x04"]),
        (b"b", [b""]),
        (b"4", ["4"]),
        ("4привет".encode(), ["4привет"]),
        (b"3\x1e" * 400_000 + b"3", ["3"] * 400_001),
    ],
)
def test_decode(body, packets):
    assert decoded(body) == packets


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"abc",
        b"7",
        "٤x".encode(),  # an Arabic digit four
        b"4a\x1e",
        b"\x1e4a",
        b"4\xff",
        b"bAQI",
        b"b====",
        b"bAQID\nBA==",
        b"3\x1e\x1e3",
        b"bAQ\xffD",
    ],
)
def test_invalid_payloads_are_refused(body):
    with pytest.raises(BadPacket):
        decoded(body)


def test_a_payload_is_read_only_as_far_as_it_is_taken():
    packets = packets_of(b"4one\x1e2\x1e" + b"\xff" * MAX_PAYLOAD)
    assert [next(packets), next(packets)] == ["4one", "2"]
    with pytest.raises(BadPacket, match="unknown"):
        next(packets)


@given(st.lists(messages, max_size=20), st.integers(1, 25))
def test_split_packets(sent, count):
    frames = list(map(framed, sent))
    first, rest = split_packets(b"".join(frames), count)
    assert (first, rest) == (b"".join(frames[:count]), b"".join(frames[count:]))
    assert number_of_packets(first) == min(count, len(sent))


@given(st.lists(messages, min_size=1, max_size=20))
def test_framed_packets_are_decoded_again(sent):
    payload = b"".join(map(framed, sent))[:-1]
    assert decoded(payload) == sent


@given(st.lists(messages, max_size=20))
def test_packets_framed_for_polling_are_converted_to_websocket_frames(sent):
    frames = [binary_frame(one) if isinstance(one, bytes) else text_frame(one.encode()) for one in sent]
    assert to_websocket(b"".join(map(framed, sent))) == b"".join(frames)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body):
    try:
        packets = decoded(body)
    except BadPacket:
        return
    assert all(isinstance(packet, bytes) or packet[0] in "0123456" for packet in packets)
