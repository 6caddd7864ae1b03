"""Engine.IO packets: decoding payloads, invalid payloads, and conversion to WebSocket frames."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.wire.engineio.packets import (
    MAX_PACKETS,
    MAX_PAYLOAD,
    BadPacket,
    decode_payload,
    poll_binary,
    poll_frame,
    to_websocket,
)
from veche.wire.frames import binary_frame, text_frame

texts = st.text(st.characters(exclude_characters="\x1e", exclude_categories=("Cs",))).map(lambda text: "4" + text)
messages = st.one_of(texts, st.binary())


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
        (b"3\x1e" * (MAX_PACKETS - 1) + b"3", ["3"] * MAX_PACKETS),
    ],
)
def test_decode_payload(body, packets):
    assert decode_payload(body) == packets


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
        b"3\x1e" * MAX_PACKETS + b"3",
        b"4" + b"x" * MAX_PAYLOAD,
    ],
)
def test_invalid_payloads_are_refused(body):
    with pytest.raises(BadPacket):
        decode_payload(body)


def test_too_many_packets_are_refused_quickly():
    bomb = b"2\x1e" * 400_000
    begin = time.perf_counter()
    with pytest.raises(BadPacket, match="too many"):
        decode_payload(bomb)
    assert time.perf_counter() - begin < 0.05


@given(st.lists(messages, min_size=1, max_size=20))
def test_framed_packets_are_decoded_again(sent):
    payload = b"".join(map(framed, sent))[:-1]
    assert decode_payload(payload) == sent


@given(st.lists(messages, max_size=20))
def test_packets_framed_for_polling_are_converted_to_websocket_frames(sent):
    frames = [binary_frame(one) if isinstance(one, bytes) else text_frame(one.encode()) for one in sent]
    assert to_websocket(b"".join(map(framed, sent))) == b"".join(frames)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body):
    try:
        packets = decode_payload(body)
    except BadPacket:
        return
    assert all(isinstance(packet, bytes) or packet[0] in "0123456" for packet in packets)
