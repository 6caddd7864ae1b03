"""What names may hold, and which usernames are taken for each other."""

from __future__ import annotations

import string
import unicodedata
from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.accounts import ACCOUNTS
from veche.core.errors import ChatError, Code
from veche.core.names import (
    _IGNORABLE,
    _LOOKS,
    RESERVED_WORDS,
    Reserved,
    check_display_name,
    check_name,
    check_username,
    handle_of,
    normal_form,
    skeleton_of,
)

from . import commands as c
from .world import Town

REPEATABLE = settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)

LOOKS_LIKE: dict[str, list[str]] = defaultdict(list)  # by a code point: itself, and those that look like it
for code_point, look in _LOOKS.items():
    LOOKS_LIKE[look].append(code_point)
for width in range(0xFF01, 0xFF5F):
    LOOKS_LIKE[chr(width - 0xFEE0)].append(chr(width))
some = st.sampled_from([*string.ascii_letters, *string.digits, " ", ":", "_", *"аеорсухіјѕҮΑΒΕΖΗΙΚΜΝΟΡΤΥΧο"])
letters = some.flatmap(lambda char: st.sampled_from([char, *LOOKS_LIKE[char]]))
names_like_others = st.text(letters, min_size=1, max_size=6)


def written_otherwise(name: str) -> st.SearchStrategy[str]:
    """Write a name with other code points that look the same."""
    parts = [st.sampled_from([char, *LOOKS_LIKE[_LOOKS.get(char, char)]]) for char in name]
    return st.tuples(*parts).map("".join)


pairs_alike = names_like_others.flatmap(lambda name: st.tuples(st.just(name), written_otherwise(name)))


def refusal_of(check: Callable[[str], None], value: str) -> Code | None:
    try:
        check(value)
    except ChatError as refusal:
        return refusal.code
    return None


def accepted(name: str) -> bool:
    return refusal_of(check_username, normal_form(name)) is None


# Usernames.


@pytest.mark.parametrize(
    "name",
    [
        *("ann", "a", "Ann O'Brien", "alice: hi all", "ann_7", "a.b", "...", "100%", "a/b", "x" * 100),
        *("Женя", "Ёлка", "Дом№5", "Ελένη", "José", "Nguyễn Thị", "Łukasz", "Strauß", "L·l"),
        *("प्रिया", "วิชัย", "தமிழ்", "ஶ்ரீ", "বাংলা", "മലയാളം", "မျှော်", "ភាសាខ្មែរ", "བོད་ཡིག", "සිංහල"),
        *("עברית", "שָׁלוֹם", "عمر", "مُحَمَّد", "Հայ", "ქართული", "አማርኛ", "ᏣᎳᎩ"),
        *("日本 Tanaka", "たなかtanaka", "カナ", "王Wang", "ㄅㄆ漢A", "한글abc", "🚀", "ann 🚀"),
    ],
)
def test_names_of_people_everywhere_are_accepted(name: str) -> None:
    for form in ("NFC", "NFD"):
        check_username(normal_form(unicodedata.normalize(form, name)))


@pytest.mark.parametrize(
    "bad",
    [
        *("nadia\u2065", "nadia\u0378", "nadia\ue000", "nadia\ufdd0", "nadia\U000e0100", "nadia\U000e0fff"),
        *("nadia\u200b", "na\u00addia", "\u2060nadia", "nadia\ufeff", "nadia\u202e", "nadia\u2066", "nadia\u061c"),
        *(
            "nadia\u3164",
            "nadia\uffa0",
            "nadia\u115f",
            "nadia\u2800",
            "nadia\ufffc",
            "nadia\U0001d159",
            "nadia\u034f",
            "nadia\ufe0f",
            "nadia\u180b",
        ),
        *("na\0dia", "na\ndia", "na\x7fdia", "na\x85dia", "na\u2028dia", "na\ud800dia"),
    ],
)
def test_what_is_not_seen_is_in_no_username(bad: str) -> None:
    assert refusal_of(check_username, normal_form(bad)) is Code.INVALID


@pytest.mark.parametrize(
    "bad", ["alice ", " alice", "alice\u00a0", "\u3000alice", "alice\t", "al  ice", "al \u2003ice", " ", "", "x" * 101]
)
def test_blanks_stand_alone_and_inside(bad: str) -> None:
    assert refusal_of(check_username, normal_form(bad)) is Code.INVALID


@pytest.mark.parametrize("bad", [".", "..", "\uff0e", "\u2025", "．．", "\u2024."])
def test_a_segment_of_a_path_is_no_username(bad: str) -> None:
    assert refusal_of(check_username, normal_form(bad)) is Code.INVALID


@pytest.mark.parametrize(
    "bad",
    [
        *("nаdia", "аdmin", "admіn", "αnn", "Аnn", "ann\u0661", "пaul", "µTorrent", "\U0001d6c2lice", "ᴀдам"),
        *("ラA한", "ひらㄅ", "ann\u0931", "شalom", "aд漢"),
    ],
)
def test_scripts_whose_letters_are_taken_for_each_other_do_not_mix(bad: str) -> None:
    assert refusal_of(check_username, normal_form(bad)) is Code.INVALID


@pytest.mark.parametrize(
    "bad",
    [
        *("\u0301ann", "ann 1\u0301", "7\u20e3", "a\u20dd", "🚀\u0301", "e\u0301\u0301", "ж" + "\u0301\u0302" * 3),
        *("က" + "\u102b" * 9, "a" + "\u0315\u0300" * 3, "a\u0300\u0301\u0302\u0303\u0304\u0305"),
    ],
)
def test_marks_belong_to_letters_and_are_few(bad: str) -> None:
    assert refusal_of(check_username, normal_form(bad)) is Code.INVALID


@REPEATABLE
@given(anything | names_like_others)
def test_a_normal_form_is_its_own(name: str) -> None:
    normal = normal_form(name)
    assert normal_form(normal) == normal
    assert handle_of(normal) == handle_of(name)
    assert skeleton_of(normal) == skeleton_of(name)


@REPEATABLE
@given(anything)
def test_a_handle_is_its_own_handle(name: str) -> None:
    assert handle_of(handle_of(name)) == handle_of(name)


@pytest.mark.parametrize(
    ("name", "handle"),
    [("Ａdmin", "admin"), ("ﬁona", "fiona"), ("STRASSE", "strasse"), ("ß", "ss"), ("Jose\u0301", "josé")],
)
def test_names_that_look_alike_in_width_case_and_form_have_one_handle(name: str, handle: str) -> None:
    assert handle_of(name) == handle


@REPEATABLE
@given(anything | names_like_others)
def test_an_accepted_username_can_be_stored_and_seen(name: str) -> None:
    assume(accepted(name))
    name.encode()
    handle_of(name).encode()
    assert not set(name) & _IGNORABLE
    assert handle_of(name).strip()


@pytest.mark.parametrize("name", ["x" * 1_000_000, "a" + "\u0315\u0300" * 500_000])
def test_a_huge_name_is_not_normalized(name: str) -> None:
    assert normal_form(name) is name
    assert refusal_of(check_username, name) is Code.INVALID
    assert name not in RESERVED_WORDS


# Usernames that look alike.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("apple", "аррӏе"), ("COCO", "СОСО"), ("Bob", "ВОВ"), ("Niko", "ΝΙΚΟ"), ("Tom", "ТОМ"), ("scope", "ѕсоре")),
        *(("alice", "ɑlice"), ("fred", "ſred"), ("ill", "Ӏӏӏ"), ("o", "о"), ("paypal", "pаypal"), ("O", "Օ")),
        *(("alice", "ali\u0307ce"), ("İrem", "irem"), ("jill", "\u0237\u0307ill"), ("i\u0323x", "i\u0323\u0307x")),
        *(("nadia", "nadia\u2065"), ("वह", "वह"), ("Жук", "Жук\u00ad"), ("A", "Ꭺ"), ("B8", "Ꞵ8")),
    ],
)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton_of(one) == skeleton_of(other)


@pytest.mark.parametrize(("one", "other"), [("ann", "anna"), ("анна", "анны"), ("José", "Jose"), ("маша", "Саша")])
def test_names_that_do_not_look_alike_have_two_skeletons(one: str, other: str) -> None:
    assert skeleton_of(one) != skeleton_of(other)


@REPEATABLE
@given(pairs_alike | st.tuples(names_like_others, names_like_others), st.booleans())
def test_two_accounts_never_have_usernames_that_look_alike_unless_both_are_ascii(
    pair: tuple[str, str], renames: bool
) -> None:
    one, other = pair
    assume(accepted(one) and accepted(other))
    town = Town()
    town.person("nobody")
    first = town.refuses_or_id(one)
    second = town.refuses_or_id("zz") if renames else town.refuses_or_id(other)
    if renames and second is not None:
        try:
            town.do(c.by(second, c.RenameAccount(other)))
        except ChatError:
            second = None
    if first is not None and second is not None:
        assert handle_of(one) != handle_of(other)
        assert skeleton_of(one) != skeleton_of(other) or (one.isascii() and other.isascii())


@REPEATABLE
@given(names_like_others | anything)
def test_what_is_accepted_survives_a_round_trip(name: str) -> None:
    town = Town()
    if (id := town.refuses_or_id(name)) is not None:
        stored = town.rows(ACCOUNTS)[id].username
        assert stored == normal_form(name)
        assert stored.encode().decode() == stored
        town.do(c.by(id, c.RenameAccount("other")))
        assert town.do(c.by(id, c.RenameAccount(stored))).username == stored


# Reserved names.


@pytest.mark.parametrize(
    "name", ["admin", "SYSTEM", "Ａdmin", "аdmin", "ꓮꓓꓟꓲꓠ", "еггог", " system ", "vеche", "Mоderator"]
)
def test_some_names_are_reserved_and_what_looks_like_them(name: str) -> None:
    assert name in RESERVED_WORDS


@pytest.mark.parametrize("name", ["ann", "administra", "systems", "adrnin", "sy5tem", "система"])
def test_other_names_are_not(name: str) -> None:
    assert name not in RESERVED_WORDS


def test_what_the_server_speaks_as_is_reserved_too() -> None:
    reserved = Reserved(["robot", "вече", "Ops Team"])
    for name in ("Robot", "rоbоt", "ВЕЧЕ", "ops team", "ＯＰＳ Team", "admin"):
        assert name in reserved
    for name in ("robots", "bob"):
        assert name not in reserved


# Other names.


@REPEATABLE
@given(anything)
def test_a_name_that_passes_can_be_stored_and_seen(name: str) -> None:
    if (code := refusal_of(check_name, name)) is not None:
        assert code is Code.INVALID
    else:
        name.encode()
        assert not set(name) & set("\0\n\r\t\x7f\u200b\u200d\u202e\u2065\u2066\ufeff\u2028\u2029\ufff0\U000e0080")


@pytest.mark.parametrize("unseen", ["\u034f", "\u115f", "\u1160", "\u17b4", "\u2065", "\u2800", "\u3164", "\uffa0"])
def test_letters_of_which_nothing_is_seen_are_in_no_name(unseen: str) -> None:
    assert refusal_of(check_name, f"admin{unseen}") is Code.INVALID


@pytest.mark.parametrize("selector", ["\ufe0f", "\ufe00", "\u180b", "\U000e0100"])
def test_what_chooses_a_form_is_in_no_username_but_may_follow_an_emoji_elsewhere(selector: str) -> None:
    check_name(f"❤{selector}")
    assert refusal_of(check_username, f"admin{selector}") is Code.INVALID


@pytest.mark.parametrize("name", ["\u0301ann", "a" + "\u0300\u0301" * 9, "e\u0301\u0301", "\u20dd"])
def test_marks_do_not_cover_what_is_around_a_name(name: str) -> None:
    assert refusal_of(check_name, name) is Code.INVALID


@pytest.mark.parametrize("name", ["Ann", "Анна 🚀", "1\ufe0f\u20e3", "O'Brien, Jr.", "alice", "x\U0001fae8", "\uf8ff"])
def test_display_names_are_free(name: str) -> None:
    check_display_name(name)


@pytest.mark.parametrize("name", ["system", "Admin", " admin", "ѕystem", "root\u00a0"])
def test_a_reserved_word_is_no_display_name(name: str) -> None:
    with pytest.raises(ChatError) as refused:
        check_display_name(name)
    assert (refused.value.code, refused.value.data["field"]) == (Code.INVALID, "name")


@pytest.mark.parametrize("length", [100, 101])
def test_a_name_has_a_hundred_characters(length: int) -> None:
    if length <= 100:
        check_name("x" * length)
    else:
        with pytest.raises(ChatError, match="100 characters"):
            check_name("x" * length, "nickname")
