"""The format of values, and the rules for names, e-mail addresses and numbers; without a server."""

from __future__ import annotations

import pytest

from veche.core.errors import ChatError, Code
from veche.core.values import LOBBY_ID, valid_person_id
from veche.dialects.rooms.encode import time_of, to_json
from veche.dialects.rooms.rules import (
    Frame,
    Invitation,
    Registration,
    check_name,
    check_registration,
    decode,
    room_number,
    valid_room_id,
)

AT = 1_795_206_918_379_458


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (AT, "2026-11-20T20:35:18.379458Z"),
        (AT - 58, "2026-11-20T20:35:18.3794Z"),
        (AT - 379_458, "2026-11-20T20:35:18Z"),
        (AT - 379_457, "2026-11-20T20:35:18.000001Z"),
        (0, "1970-01-01T00:00:00Z"),
    ],
)
def test_times_have_no_trailing_zeros(at: int, written: str) -> None:
    assert time_of(at) == written


def test_json_is_escaped_like_go() -> None:
    assert to_json('<a> & \u2028\u2029 " \\ я\n') == b'"\\u003ca\\u003e \\u0026 \\u2028\\u2029 \\" \\\\ \xd1\x8f\\n"\n'


@pytest.mark.parametrize("name", ["abc", "a_1", "___", "Ж_٣", "имя", "x" * 20, "я" * 10])
def test_valid_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "ab", "x" * 21, "я" * 11, "a b", "a-b", "a.b", "a@b", "ab²", "ab\u200b", "😀", "ab\n"]
)
def test_invalid_names(name: str) -> None:
    with pytest.raises(ChatError):
        check_name(name)


@pytest.mark.parametrize("email", ["a@b.cd", "A.b_c%d+e-f@g-h.i.JK", "1@2.xyz", "a@b..cd"])
def test_valid_addresses(email: str) -> None:
    check_registration(Registration("name", email, "password"))


@pytest.mark.parametrize(
    "email", ["a", "a@b", "a@b.c", "@b.cd", "a@.c", "a b@c.de", "a@b.cd\n", "a@b.cd1", "я@b.cd", "a@я.cd"]
)
def test_invalid_addresses(email: str) -> None:
    with pytest.raises(ChatError) as refused:
        check_registration(Registration("name", email, "password"))
    assert refused.value.data == {"field": "email"}


@pytest.mark.parametrize(("password", "fits"), [("x" * 7, False), ("яяяя", True), ("x" * 128, True), ("я" * 65, False)])
def test_a_password_is_counted_in_bytes(password: str, fits: bool) -> None:
    body = Registration("name", "a@b.cd", password)
    if fits:
        check_registration(body)
    else:
        with pytest.raises(ChatError):
            check_registration(body)


def test_keys_ignore_case() -> None:
    assert decode(Invitation, b'{"ROOM_ID":1,"room_id":2,"User_Id":3,"user_id":null,"x":[]}') == Invitation(2, 3)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "1",
        '"x"',
        "{",
        '{"type":1}',
        '{"content":true}',
        '{"content":1.5}',
        '{"content":{}}',
        '{"content":9223372036854775808}',
        '{"content":"\\ud800"}',
        "{}{}",
        "[" * 60_000,
    ],
)
def test_unreadable_bodies(body: str) -> None:
    with pytest.raises(ChatError) as refused:
        decode(Frame, body)
    assert refused.value.code is Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("content", "number"),
    [
        ("1", 1),
        ("+7", 7),
        ("-7", -7),
        ("007", 7),
        (7, 7),
        (-(2**63), -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("", None),
        (" 1", None),
        ("1\n", None),
        ("1_0", None),
        ("1.0", None),
        ("0x1", None),
        ("٣", None),
        ("9" * 10_000, None),
    ],
)
def test_room_numbers(content: str | int, number: int | None) -> None:
    assert room_number(content) == number


def test_valid_ids() -> None:
    ids = (-1, 0, 1, 2**31 - 1025, 2**31 - 2, 2**62)
    assert [valid_person_id(id) for id in ids] == [valid_room_id(id) for id in ids] == [0, 0, 1, 2**31 - 1025, 0, 0]
    assert (valid_person_id(LOBBY_ID), valid_room_id(LOBBY_ID)) == (0, LOBBY_ID)
