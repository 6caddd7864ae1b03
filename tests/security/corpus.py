"""Bad input: values, texts, headers, and ways to send a request. `fuzz.py` puts them into valid requests and frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, repeat
from random import Random

LARGE = 65_000  # bytes: a little less than a body, a frame or a head may have


class Raw(str):
    """A JSON text that stands in a JSON value as it is. It need not be JSON."""

    __slots__ = ()


def written(value: object) -> str:
    """Write a JSON value. Unlike `json.dumps`, it writes Raw as it is, and all other characters as themselves."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(key)}:{written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def filled(unit: str, size: int) -> str:
    """Repeat a unit until it has `size` bytes."""
    return unit * (size // max(1, len(unit.encode("utf-8", "surrogatepass"))))


# Texts: a unit that is repeated, and what stands before and after it.

UNITS = {
    "letters": "a",
    "capitals that fold to two": "ẞ",
    "dotted capitals": "İ",
    "blanks": " ",
    "tabs": "\t",
    "controls": "\x01",
    "deletes": "\x7f",
    "line separators": "\u2028",
    "marks": "\u0301",
    "marks in the wrong order": "\u0315\u0300\u05b0",
    "letters with marks": "e\u0323\u0301",
    "marks of many classes": "".join(
        map(chr, (0x0345, 0x035C, 0x0315, 0x0300, 0x0316, 0x05B0, 0x064B, 0x3099, 0x0334))
    ),
    "a ligature of eighteen": "\ufdfa",
    "jamo": "\u1112\u1161\u11ab",
    "han": "漢",
    "look-alikes": "аbсl1I",
    "emoji joined": "👩\u200d",
    "selectors": "\ufe0f",
    "right to left": "\u202e",
    "invisible": "\u200b\u2065\u00ad",
    "private use": "\ue000\U0010ffff",
    "no characters": "\ufffe\uffff",
    "digits": "9",
    "zeros": "0",
    "arabic digits": "٣",
    "dots": ".",
    "labels": "a.",
    "hyphens": "a-",
    "punycode": "xn--a.",
    "at signs": "@",
    "percents": "%",
    "percent of percent": "%25",
    "percent of no UTF-8": "%ff",
    "slashes": "/",
    "up": "../",
    "plus": "+",
    "ampersands": "&a",
    "equals": "=",
    "commas": ",",
    "semicolons": ";a",
    "colons": ":",
    "brackets": "[",
    "braces": "{}",
    "quotes": '"',
    "backslashes": "\\",
    "angles": "<a ",
    "dollars": "`$.send.text`",
    "lines": "\r\n",
    "record separators": "\x1e",
    "addresses": "127.0.0.1, ",
    "base64": "eyJhIjo.",
}
AROUND = {
    "alone": ("", ""),
    "e-mail": ("a@", ".com"),
    "before an at": ("", "@example.com"),
    "quoted before an at": ('"', '"@example.com'),
    "after a letter": ("a", ""),
    "then another": ("", "!"),
    "a domain in brackets": ("a@[", "]"),
    "a token": ("eyJhbGciOiJIUzI1NiJ9.", ".x"),
}


def a_text(random: Random, size: int) -> tuple[str, str]:
    """Choose a bad text of about `size` bytes, and its name."""
    (name, unit), (around, (before, after)) = random.choice(list(UNITS.items())), random.choice(list(AROUND.items()))
    return f"{name}, {around}", before + filled(unit, size) + after


SMALL_TEXTS = ["", " ", "\0", "a\0b", "..", "%00", "null", "-1", "constructor", "\ufeff", "'; --", "a" * 65, "é" * 257]

# JSON values.

SCALARS = [
    *("null", "true", "0", "-0", "-1", "1.0", "1.5", "1e3", "1e308", "-1e999", "NaN", "Infinity", "2147483647"),
    *(
        str(2**53),
        str(2**63 - 1),
        str(2**63),
        str(-(2**63)),
        str(-(2**63) - 1),
        str(2**64),
        "1e-999",
        "01",
        "+1",
        "0x1",
    ),
    *('"1"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', "'x'", "", "[]", "{}", '""', "[null]", "[[]]", '{"":null}'),
]
FILLED: dict[str, tuple[str, str, str]] = {
    "digits": ("", "9", ""),
    "digits after a point": ("0.", "1", ""),
    "an exponent of digits": ("1e", "9", ""),
    "zeros before": ("", "0", "1"),
    "digits in a string": ('"', "9", '"'),
    "escapes": ('"', "\\u0001", '"'),
    "surrogates": ('"', "\\ud800", '"'),
    "pairs": ('"', "\\ud83d\\ude00", '"'),
    "broken escapes": ('"', "\\u00", '"'),
    "an open string": ('"', "a", ""),
    "nested arrays": ("", "[", ""),
    "nested objects": ("", '{"":', ""),
    "blanks": ("", " ", "1"),
    "integers": ("[", "1,", "1]"),
    "large integers": ("[", "9" * 4300 + ",", "1]"),
    "floats": ("[", "1e9,", "1]"),
    "long floats": ("[", "1." + "1" * 700 + "e-300,", "1]"),
    "nulls": ("[", "null,", "null]"),
    "empty texts": ("[", '"",', '""]'),
    "empty arrays": ("[", "[],", "[]]"),
    "empty objects": ("[", "{},", "{}]"),
    "objects": ("[", '{"":0},', "0]"),
    "one key": ("{", '"":0,', '"":0}'),
    "one key of an array": ("{", '"":[],', '"":[]}'),
    "a key with half a character": ("{", '"\\ud800":0,', '"":0}'),
    "deep among many": ("[", "[" * 50 + "]" * 50 + ",", "0]"),
    "commas": ("[", ",", "]"),
}
COUNTED: dict[str, tuple[str, Callable[[int], str], str]] = {
    "ids": ("[", "{},".format, "1]"),
    "ids of rooms": ("{", '"{}":0,'.format, '"1":0}'),
    "ids in the wrong order": ("[", lambda n: f"{2**40 - n},", "1]"),
    "colliding ids": ("{", lambda n: f'"{(n + 1) << 40}":0,', '"1":0}'),
    "keys": ("{", '"k{}":0,'.format, '"":0}'),
    "keys of objects": ("{", '"k{}":{{"a":1}},'.format, '"":0}'),
    "texts": ("[", '"t{}",'.format, '""]'),
}


def a_value(random: Random, size: int) -> tuple[str, Raw]:
    """Choose a bad JSON value of up to `size` bytes, and its name."""
    kind = random.randrange(6)
    if kind == 0:
        text = random.choice(SCALARS)
        return text, Raw(text)
    if kind == 1:
        name, (before, form, after) = random.choice(list(COUNTED.items()))
        number = size // len(form(10_000))
        return name, Raw(before + "".join(map(form, range(1, number))) + after)
    if kind == 2:
        depth = random.choice((60, 900, size // 2))
        if random.random() < 0.5:
            return f"arrays {depth} deep", Raw("[" * depth + "]" * depth)
        return f"objects {depth // 3} deep", Raw('{"":' * (depth // 3) + "0" + "}" * (depth // 3))
    name, (before, unit, after) = random.choice(list(FILLED.items()))
    return name, Raw(before + filled(unit, size) + after)


HEADERS = (
    *("Authorization", "Cookie", "Origin", "Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Host"),
    *("Connection", "Expect", "Forwarded", "If-None-Match", "Idempotency-Key", "Range", "Referer", "Transfer-Encoding"),
    *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Upgrade", "User-Agent", "X", ""),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Access-Control-Request-Headers", "Content-Length"),
)
UNITS_OF_HEADERS = (
    *("a", "a,", "a;", "9", "127.0.0.1,", "::1,", "[", "0-1,", "%ff", "\xff", " ", "bearer.", "xn--a.", "\xe9.", "."),
    *("http://", ":", '"a",', "a=b;", "\t", "=", "gzip;q=0.1,"),
)
LINES = {
    "names": b"".join(b"%x:\r\n" % number for number in range(8_000)),
    "a preflight": b"Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n",
    "a page of others": b"Origin: https://a.example\r\n",
    "no colon": b"abc\r\n",
    "a NUL": b"X: a\0b\r\n",
    "folded": b"X: a\r\n b\r\n",
}


def a_header(random: Random, size: int) -> tuple[str, bytes]:
    """Choose header lines of about `size` bytes together, and their name."""
    if random.random() < 0.2:
        return random.choice(list(LINES.items()))
    name, unit = random.choice(HEADERS), random.choice(UNITS_OF_HEADERS)
    if random.random() < 0.5:
        return f"{name} of {unit!r}", f"{name}: {unit * (size // len(unit))}\r\n".encode("latin-1")
    value = random.choice(("", "a", unit))
    line = f"{name}:{value}\r\n".encode("latin-1")
    return f"{name} {value!r} again and again", line * (size // len(line))


UNITS_OF_QUERIES = (
    *("a&", "&", "a=1&", "%41=%41&", "limit=1&", "cursor=1&", "token=a&", "sid=a&", ";", "%", "%ff", "+", "=", "a[]="),
)
FIELDS = (
    "limit",
    "cursor",
    "before_seq",
    "after_seq",
    "token",
    "ticket",
    "sid",
    "EIO",
    "username",
    "offset",
    "transport",
)


def a_query(random: Random, size: int) -> tuple[str, str]:
    """Choose a query of about `size` bytes, and its name."""
    if random.random() < 0.3:
        unit = random.choice(UNITS_OF_QUERIES)
        return f"{unit!r} again and again", filled(unit, size)
    name, unit = (
        random.choice(FIELDS),
        random.choice(("9", "-", "%00", "%ed%a0%80", "a", ".", "%D9%A3", "%CC%81", "a.")),
    )
    return f"{name} of {unit!r}", f"{name}={filled(unit, size)}"


# Ways to send a body.


MOST = 15_000  # chunks or fragments: more than the server takes


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut data into pieces of `size` bytes. What is left after MOST of them is one more."""
    cut = min(len(data), MOST * size)
    found = [data[at : at + size] for at in range(0, cut, size)]
    return [*found, data[cut:]] if cut < len(data) else found


def chunks(body: bytes, size: int = 1, extension: bytes = b"") -> bytes:
    """Write a body in chunks of `size` bytes."""
    return b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in pieces(body, size)) + b"0\r\n\r\n"


# WebSocket frames.


def frame(payload: bytes, opcode: int = 1, final: bool = True, mask: bytes = bytes(4), reserved: int = 0) -> bytes:
    """Build a frame as a client does."""
    size = len(payload)
    first = bytes(((0x80 if final else 0) | reserved << 4 | opcode,))
    if size < 126:
        head = bytes((0x80 | size,))
    elif size < 65_536:
        head = b"\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\xff" + size.to_bytes(8, "big")
    key = (mask * (size // 4 + 1))[:size]
    masked = (
        (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big") if any(mask) else payload
    )
    return first + head + mask + masked


def fragments(payload: bytes, size: int, between: bytes = b"") -> bytes:
    """Send a text in fragments of `size` bytes, with `between` after each of them."""
    *parts, last = pieces(payload, size) or [b""]
    opcodes = chain((1,), repeat(0))
    first = b"".join(frame(part, opcode, False) + between for part, opcode in zip(parts, opcodes, strict=False))
    return first + frame(last, 0 if parts else 1)


FRAMES: dict[str, bytes] = {
    "a binary": frame(b"abc", 2),
    "a large binary": frame(b"\xff" * LARGE, 2),
    "no UTF-8": frame(b"\xff" * LARGE),
    "no UTF-8 at the end": frame(b"a" * LARGE + b"\xe2\x82"),
    "a surrogate in UTF-8": frame(b"\xed\xa0\x80"),
    "an empty text": frame(b""),
    "a text over the limit": frame(b"a" * 70_000),
    "a length that is not true": b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(4),
    "a mask": frame(b"abc" * 20_000, mask=b"\x01\x02\x03\xff"),
    "not masked": b"\x81\x03abc",
    "reserved bits": frame(b"abc", reserved=4),
    "an unknown opcode": frame(b"abc", 3),
    "a long ping": frame(b"a" * 126, 9),
    "pings": frame(b"a" * 125, 9) * 2_000,
    "empty pings": frame(b"", 9) * 42_000,
    "pongs": frame(b"", 10) * 42_000,
    "closes": frame(b"\x03\xe8", 8) * 20_000,
    "a close without a code": frame(b"", 8),
    "a close of one byte": frame(b"\x03", 8),
    "a close with no UTF-8": frame(b"\x03\xe8\xff\xff", 8),
    "empty texts": frame(b"") * 42_000,
    "empty binaries": frame(b"", 2) * 42_000,
    "fragments": fragments(b"a" * LARGE, 64),
    "fragments of one byte": fragments(b"a" * LARGE, 1),
    "empty fragments": frame(b"", final=False) + frame(b"", 0, final=False) * 40_000,
    "fragments and pings": fragments(b"a" * 10_000, 10, frame(b"a", 9)),
    "a fragment without a beginning": frame(b"a", 0),
    "a text inside a text": frame(b"a", final=False) + frame(b"a"),
    "a text that never ends": frame(b"a" * LARGE)[:-1],
    "zeros": bytes(200_000),
    "ones": b"\xff" * 200_000,
}
