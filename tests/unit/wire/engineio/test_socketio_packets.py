"""Encoding and decoding Socket.IO packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.wire.engineio.packets import BadPacket
from veche.wire.socketio.packets import (
    ACK,
    CONNECT,
    DISCONNECT,
    EVENT,
    MAX_ATTACHMENTS,
    MAX_DEPTH,
    Decoder,
    Packet,
    encode,
    event,
)

PLACEHOLDER = '{"_placeholder":true,"num":%d}'


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", Packet(CONNECT)),
        ('0{"token":"123"}', Packet(CONNECT, data={"token": "123"})),
        ("0/custom", Packet(CONNECT, "/custom")),
        ("0/custom,", Packet(CONNECT, "/custom")),
        ('0/custom,{"token":"abc"}', Packet(CONNECT, "/custom", {"token": "abc"})),
        ("1", Packet(DISCONNECT)),
        ("1/admin,", Packet(DISCONNECT, "/admin")),
        ('2["foo"]', Packet(EVENT, data=["foo"])),
        ('2["foo",1,{"a":[true,null]}]', Packet(EVENT, data=["foo", 1, {"a": [True, None]}])),
        ('212["foo"]', Packet(EVENT, data=["foo"], id=12)),
        ('2/admin,["foo"]', Packet(EVENT, "/admin", ["foo"])),
        ('2/admin,7["foo"]', Packet(EVENT, "/admin", ["foo"], 7)),
        ('2["\\ud800"]', Packet(EVENT, data=["\ud800"])),
        ('2["\\ud800",1.5]', Packet(EVENT, data=["\ud800", 1.5])),
        ("3/admin,13[]", Packet(ACK, "/admin", [], 13)),
        ('50-["foo"]', Packet(EVENT, data=["foo"])),
    ],
)
def test_decode(text, packet):
    assert Decoder().text(text) == packet


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "7",
        "٢[]",
        "0[]",
        '0"token"',
        "05",
        "0 ,",
        "1{}",
        "2",
        "2{}",
        "2[]",
        "2[1]",
        '2["a"',
        '2["a"]]',
        '2["a",NaN]',
        '2abc["a"]',
        '2-1["a"]',
        '21-["a"]',
        '2/admin["a"]',
        "2/" + "x" * 200 + ',["a"]',
        '2["a",1e999]',
        '2["\\ud800",1e999]',
        '2["\\ud800",-Infinity]',
        "2" + "9" * 16 + '["a"]',
        "3[]",
        "31{}",
        '4{"message":"x"}',
        '5["a"]',
        '599-["a"]',
        f'5{MAX_ATTACHMENTS + 1}-["a"]',
        "51-{}",
        '6["a"]',
        "61-[]",
        '2["a",' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "]",
        '2["a",' + "[" * 100_000 + "]" * 100_000 + "]",
        '2["a",' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "]",
        '2["a",' + "9" * 10_000 + "]",
    ],
)
def test_invalid_texts_are_refused(text):
    with pytest.raises(BadPacket):
        Decoder().text(text)


def test_a_wide_value_is_not_deep():
    text = '2["a",' + ",".join(["[{}]"] * 1000) + "]"
    packet = Decoder().text(text)
    assert packet is not None
    assert len(packet.data) == 1001
    deep = Decoder().text('2["a",' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "]")
    assert deep is not None


def test_attachments():
    decoder = Decoder()
    assert decoder.text(f'52-/x,3["a",{PLACEHOLDER % 1},{{"b":[{PLACEHOLDER % 0}]}}]') is None
    assert decoder.binary(b"zero") is None
    assert decoder.binary(b"one") == Packet(EVENT, "/x", ["a", b"one", {"b": [b"zero"]}], 3)
    assert decoder.text('2["next"]') == Packet(EVENT, data=["next"])
    assert decoder.text(f"61-9[{PLACEHOLDER % 0}]") is None
    assert decoder.binary(b"") == Packet(ACK, data=[b""], id=9)


@pytest.mark.parametrize(
    "parts",
    [
        [b"unexpected"],
        ['51-["a",' + PLACEHOLDER % 0 + "]", '2["b"]'],
        ['51-["a"]', b"no placeholder"],
        ['51-["a",' + PLACEHOLDER % 1 + "]", b"x"],
        ['51-["a",' + PLACEHOLDER % 0 + "," + PLACEHOLDER % 0 + "]", b"twice"],
        ['51-["a",{"_placeholder":true,"num":false}]', b"x"],
        ['51-["a",{"_placeholder":true}]', b"x"],
        ['51-["a",{"_placeholder":true,"num":[]}]', b"x"],
        ['51-["a",' + PLACEHOLDER % 0 + "]", b"x" * 1_000_001],
        ['52-["a"]', b"x" * 600_000, b"x" * 600_000],
    ],
)
def test_invalid_attachments_are_refused(parts):
    with pytest.raises(BadPacket):
        decode(parts)


def decode(parts):
    decoder = Decoder()
    return [decoder.binary(part) if isinstance(part, bytes) else decoder.text(part) for part in parts]


@pytest.mark.parametrize(
    ("packet", "payload", "attachments"),
    [
        (Packet(CONNECT, data={"sid": "x"}), b'40{"sid":"x"}', []),
        (Packet(DISCONNECT, "/a"), b"41/a,", []),
        (Packet(EVENT, data=["m", {"a": "ж\x1e"}]), '42["m",{"a":"ж\\u001e"}]'.encode(), []),
        (Packet(EVENT, data=["m", "\ud800"]), b'42["m","\\ud800"]', []),
        (Packet(ACK, "/a", [], 5), b"43/a,5[]", []),
        (
            Packet(EVENT, data=["m", b"x", (b"y",)], id=1),
            f'452-1["m",{PLACEHOLDER % 0},[{PLACEHOLDER % 1}]]'.encode(),
            [b"x", b"y"],
        ),
        (Packet(ACK, "/a", [{"k": b"x"}], 1), f'461-/a,1[{{"k":{PLACEHOLDER % 0}}}]'.encode(), [b"x"]),
    ],
)
def test_encode(packet, payload, attachments):
    assert encode(packet) == (payload, attachments)


def test_event():
    assert event("message", {"text": "hi"}) == b'42["message",{"text":"hi"}]'
    assert event("message", "hi", namespace="/admin") == b'42/admin,["message","hi"]'


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(st.characters(exclude_categories=("Cs",)))
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)
data = st.lists(st.one_of(values, st.binary(max_size=8)), max_size=4)
namespaces = st.sampled_from(["/", "/admin", "/a/b c"])


@given(data, namespaces, st.one_of(st.none(), st.integers(0, 10**15 - 1)))
def test_encoded_packets_are_decoded_again(data, namespace, id):
    packet = Packet(EVENT, namespace, ["name", *data], id)
    payload, attachments = encode(packet)
    decoder = Decoder()
    found = decoder.text(payload.decode()[1:])
    for one in attachments:
        assert found is None
        found = decoder.binary(one)
    assert found == packet


@given(st.text(alphabet='0123456-/,[]{}"a:\\', max_size=30))
def test_any_text_is_decoded_or_refused(text):
    try:
        Decoder().text(text)
    except BadPacket:
        return
