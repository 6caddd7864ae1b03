"""Encoding and decoding Socket.IO packets."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.wire.engineio.packets import BadPacket
from veche.wire.socketio.packets import (
    ACK,
    CONNECT,
    DISCONNECT,
    EVENT,
    MAX_ATTACHED,
    MAX_ATTACHMENTS,
    MAX_DEPTH,
    MAX_TEXT,
    MAX_VALUES,
    Decoder,
    Packet,
    encode,
    event,
    most_values,
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
        '6["a"]',
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
    text = '2["a",' + ",".join(["[{}]"] * 300) + "]"
    packet = Decoder().text(text)
    assert packet is not None
    assert len(packet.data) == 301
    deep = Decoder().text('2["a",' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "]")
    assert deep is not None


N = 990_000  # characters: a little less than the limit of a payload


def filled(unit: str) -> str:
    return (unit * (N // len(unit))).removesuffix(",")


MANY = {
    "objects": '2["m",' + filled('{"":0},') + "]",
    "arrays": '2["m",' + filled("[],") + "]",
    "numbers": '2["m",' + filled("1,") + "]",
    "strings": '2["m",' + filled('"",') + "]",
    "strings of commas": '2["m",' + filled('",,,",') + "]",
    "keys": '2["m",{' + filled('"":1,') + "}]",
    "arguments": '2["m"' + ",0" * MAX_VALUES + "]",
    "arrays in depth": '2["m",' + "[" * 60 + filled("[],") + "]" * 60 + "]",
    "objects behind escapes": '2["m","\\\\","\\\\\\"",' + filled('{"":0},') + "]",
    "objects behind a text that seems to go on": '2["m","\\\\\\\\",' + filled('{"":0},') + "]",
    "surrogates": '2["m","\\ud800",' + filled('{"":0},') + "]",
    "open arrays": '2["m",' + filled("["),
    "open objects": '2["m",' + filled('{"":'),
    "auth": '0{"a":[' + filled("[],") + "]}",
}
LONG = {
    "ascii": '2["m","' + filled("a") + '"]',
    "letters": '2["m","' + "ж" * (N // 2) + '"]',
    "commas and brackets": '2["m","' + filled("],[{,") + '"]',
    "escaped quotes": '2["m","' + filled('\\",[') + '"]',
    "escaped backslashes": '2["m","' + filled("\\\\") + '"]',
    "a quote after backslashes": '2["m","' + filled('\\\\\\",') + '"]',
    "surrogates": '2["m","' + filled("\\ud800,") + '"]',
    "spaces": '2["m",' + filled(" ") + "1]",
    "digits": '2["m",0.' + filled("1") + "]",
    "the most values": '2["m",' + ",".join(["[]"] * (MAX_VALUES // 2 - 1)) + ',"' + filled("{") + '"]',
    "long integers": '2["m",' + ",".join(["9" * 4300] * 220) + "]",
}


def cpu_seconds(text: str) -> tuple[float, Packet | str | None]:
    """Return the CPU time to decode a text, the best of three, and the packet or the refusal."""
    best, found = 9.0, None
    for _ in range(3):
        begin = time.thread_time()
        try:
            found = Decoder().text(text)
        except BadPacket as bad:
            found = str(bad)
        best = min(best, time.thread_time() - begin)
    return best, found


@pytest.mark.parametrize("name", MANY)
def test_many_values_are_refused_before_anything_is_built(name):
    tracemalloc.start()
    took, found = cpu_seconds(MANY[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == "too many values"
    assert took < 0.03
    assert peak < 6 * N, "a few copies of the text"


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_is_decoded_quickly(name):
    took, found = cpu_seconds(LONG[name])
    assert isinstance(found, Packet), found
    assert took < 0.04


@given(st.text(alphabet='[]{},:"\\\\a0 ', max_size=60))
def test_the_number_of_values_is_not_underestimated(text):
    """What a JSON reader builds is never more than what was counted, also before an error."""
    text = f'["m",{text}]'
    with contextlib.suppress(ValueError):
        values = number_of_values(json.loads(text))
        assert values <= most_values(text)


def number_of_values(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return len(inner) + sum(map(number_of_values, inner))


def test_packets_of_a_namespace_that_is_not_entered_are_dropped_unread():
    decoder = Decoder(lambda namespace: namespace == "/in")
    for text in ("2", "2{", '2["m",' + "[" * N, "2/out,[]", "3[]", '2/out,7["m"]', "1{}"):
        assert decoder.text(text) is None
    assert decoder.text("52-" + "[" * N) is None
    with pytest.raises(BadPacket, match="instead of an attachment"):
        decoder.text('2/in,["m"]')
    assert decoder.binary(b"x" * MAX_ATTACHED) is None
    assert decoder.binary(b"x" * MAX_ATTACHED) is None
    assert decoder.text("0{}") == Packet(CONNECT, "/", {})
    assert decoder.text('2/in,["m"]') == Packet(EVENT, "/in", ["m"])
    with pytest.raises(BadPacket, match="unexpected attachment"):
        decoder.binary(b"")


def test_a_text_that_waits_for_attachments_costs_its_size_alone():
    text = '51-["m",' + ",".join(['{"":0}'] * 400) + "," + PLACEHOLDER % 0 + "]"
    tracemalloc.start()
    decoders = [Decoder() for _ in range(50)]
    for decoder in decoders:
        assert decoder.text(text) is None
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 50 * (len(text) + 2_000)
    packet = decoders[0].binary(b"x")
    assert packet is not None
    assert packet.data[-1] == b"x"


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
        ["51-{}", b"x"],
        ["61-[]", b"x"],
        ['51-["a",' + PLACEHOLDER % 0 + "]", '2["b"]'],
        ['51-["a"]', b"no placeholder"],
        ['51-["a",' + PLACEHOLDER % 1 + "]", b"x"],
        ['51-["a",' + PLACEHOLDER % 0 + "," + PLACEHOLDER % 0 + "]", b"twice"],
        ['51-["a",{"_placeholder":true,"num":false}]', b"x"],
        ['51-["a",{"_placeholder":true}]', b"x"],
        ['51-["a",{"_placeholder":true,"num":[]}]', b"x"],
        ['51-["a",' + PLACEHOLDER % 0 + "]", b"x" * (MAX_ATTACHED + 1)],
        ['52-["a"]', b"x" * 200_000, b"x" * 200_000],
        ['51-["a",' + PLACEHOLDER % 0 + f',"{"x" * MAX_TEXT}"]', b"x"],
        ['51-["a",' + "0," * MAX_VALUES + PLACEHOLDER % 0 + "]", b"x"],
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
