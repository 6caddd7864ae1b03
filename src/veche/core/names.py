"""What a name may be, in every dialect: usernames, display names, names of rooms. A dialect may add stricter rules.

docs/decisions/0019 says which standards the rule for usernames follows, and why.
"""

import hashlib
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from veche.core.errors import ChatError, Code
from veche.core.unicode_tables import CONFUSABLES, IGNORABLE, SCRIPTS

MAX_NAME = 100
MAX_EMAIL = 254
GONE_LENGTH = 32  # characters of the hash of a handle that is gone
MAX_NONSPACING = 4  # marks above or below one letter (UTS 39, 5.4)
MAX_MARKS = 8  # marks of all kinds on one letter; Burmese needs five

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # categories
_BLANKS = frozenset("\u2800\ufffc\U0001d159\U00016fe4")  # shown as nothing, although Unicode does not class them so
# Variation selectors: they choose between forms of the character before them. Some emoji need one.
_SELECTORS = frozenset(map(chr, (*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_HIDDEN_DOT = re.compile(r"([ijl][^\w\s]*?)\u0307")  # an `i` has a dot already (UTS 39, 5.4)
_ANY_SCRIPT = frozenset({"Zyyy", "Zinh"})
_MIXABLE = (  # scripts that may stand in one name (UTS 39, 5.2: highly restrictive)
    frozenset({"Latn", "Hani", "Hira", "Kana"}),
    frozenset({"Latn", "Hani", "Bopo"}),
    frozenset({"Latn", "Hani", "Hang"}),
)


def _ranges(text: str) -> Iterator[range]:
    for part in text.split():
        first, _, last = part.partition("-")
        yield range(int(first, 16), int(last or first, 16) + 1)


def _entries(table: str) -> Iterator[tuple[str, str]]:
    for entry in " ".join(table.split()).split("; "):
        key, _, values = entry.partition("=")
        yield key, values


_SCRIPTS = sorted(
    (found.start, found.stop, frozenset(key.split())) for key, values in _entries(SCRIPTS) for found in _ranges(values)
)
_STARTS = [start for start, _, _ in _SCRIPTS]
_IGNORABLE = frozenset(chr(code) for found in _ranges(IGNORABLE) for code in found)
_LOOKS = {
    chr(int(code, 16)): "".join(chr(int(part, 16)) for part in key.split())
    for key, values in _entries(CONFUSABLES)
    for code in values.split()
}


def normal_form(name: str) -> str:
    """Return a username as it is checked, stored and shown: in the Unicode form NFC.

    A name that is too long is returned as it is, because to normalize a huge one could take a second.
    """
    return unicodedata.normalize("NFC", name) if len(name) <= 4 * MAX_NAME else name


def handle_of(username: str) -> str:
    """Return the handle of a username. Usernames that differ only in case or width have the same handle.

    The handle is the casefolded username in the Unicode form NFKC.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def gone_key(handle: str) -> str:
    """Return what is kept of the handle of a deleted account: a hash, by which nobody else gets the handle."""
    return hashlib.sha256(handle.encode()).hexdigest()[:GONE_LENGTH]


def skeleton_of(username: str) -> str:
    """Return the skeleton of a username (UTS 39, 4). Usernames that look alike have the same skeleton.

    Case does not count, as it does not count in handles. So the skeleton is made again from its small letters, and `l`,
    which looks like `I`, is the same as `i`.
    """
    return _looks(_looks(username).casefold()).replace("l", "i")


def _looks(name: str) -> str:
    looks = "".join(
        _LOOKS.get(char) or "".join(_LOOKS.get(part, part) for part in unicodedata.normalize("NFKD", char))
        for char in unicodedata.normalize("NFD", name)
        if char not in _IGNORABLE
    )
    return _HIDDEN_DOT.sub(r"\1", unicodedata.normalize("NFD", looks).replace("ȷ", "j"))


class Reserved:
    """Names that nobody may take: some words, and the names that the server itself speaks as.

    A name that looks like one of them is reserved too, if one of the two is not ASCII.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        names = {*_WORDS, *names}
        self._handles = frozenset(map(handle_of, names))
        self._skeletons = {skeleton_of(name) for name in names}
        self._skeletons_not_ascii = {skeleton_of(name) for name in names if not name.isascii()}

    def __contains__(self, name: str) -> bool:
        """Return whether a username, or a display name, is reserved. Blanks at its ends do not count."""
        if len(name) > MAX_NAME:
            return False
        name = name.strip()
        alike = self._skeletons_not_ascii if name.isascii() else self._skeletons
        return handle_of(name) in self._handles or (bool(alike) and skeleton_of(name) in alike)


_WORDS = "admin administrator anonymous error moderator operator root server support system veche".split()
RESERVED_WORDS = Reserved()


def check_username(username: str) -> None:
    """Check a username in its normal form. This is the rule of all dialects. Raises ChatError.

    1 to 100 code points that are assigned and can be seen; no blanks at the ends, and no two in a row; not `.` or `..`,
    which are segments of paths; marks only on letters, and few; letters of one script, or of Latin and one of Chinese,
    Japanese and Korean.
    """
    if not 1 <= len(username) <= MAX_NAME:
        raise _invalid(f"A username has 1 to {MAX_NAME} characters.")
    for char in username:
        if _is_unseen(char) or char in _IGNORABLE or not _scripts_of(char):
            raise _invalid("A username may not hold invisible, control or unassigned characters.")
    if not all(re.split(r"\s", username)):
        raise _invalid("A username may not have blanks at its ends, or two in a row.")
    if handle_of(username) in (".", ".."):
        raise _invalid("A username may not be a segment of a path.")
    _check_marks(username, "username", on_letters=True)
    if _mixes_scripts(username):
        raise _invalid("A username keeps to one alphabet.")


def check_name(name: str, field: str = "name", longest: int = MAX_NAME) -> None:
    """Raise ChatError if a name that need not be unique is too long, or contains what hides or covers text.

    Not allowed: control, bidirectional and zero-width characters, surrogates, line separators, fillers, and many marks
    on one letter. Variation selectors are allowed, because some emoji need one.
    """
    if len(name) > longest:
        raise ChatError(Code.INVALID, f"A {field} may have {longest} characters.", field=field)
    for char in name:
        if _is_unseen(char) or (char in _IGNORABLE and char not in _SELECTORS):
            raise ChatError(Code.INVALID, f"A {field} may not hold invisible or control characters.", field=field)
    _check_marks(name, field, on_letters=False)


def check_display_name(name: str, reserved: Reserved = RESERVED_WORDS) -> None:
    """Check the name that an account shows beside its username. Raises ChatError."""
    check_name(name)
    if name in reserved:
        raise ChatError(Code.INVALID, "This name is reserved.", field="name")


def _invalid(sentence: str) -> ChatError:
    return ChatError(Code.INVALID, sentence, field="username")


def _is_unseen(char: str) -> bool:
    return char in _BLANKS or unicodedata.category(char) in _UNSEEN


def _check_marks(name: str, field: str, *, on_letters: bool) -> None:
    """Raise ChatError if marks cover what is around them (UTS 39, 5.4), or do not belong to a letter (UAX 31)."""
    marks = ""  # on the last letter, up to here
    nonspacing = 0  # the last ones of them
    letter = False
    for char in unicodedata.normalize("NFD", name):
        category = unicodedata.category(char)
        if category[0] != "M":
            marks, nonspacing, letter = "", 0, not on_letters or category[0] == "L"
            continue
        nonspacing = 0 if category == "Mc" else nonspacing + 1
        covers = nonspacing > MAX_NONSPACING or len(marks) >= MAX_MARKS or (nonspacing > 1 and marks[-1] == char)
        if covers or not letter or (on_letters and category == "Me"):
            sentence = f"A {field} may not hold marks without a letter, or many on one."
            raise ChatError(Code.INVALID, sentence, field=field)
        marks += char


def _scripts_of(char: str) -> frozenset[str]:
    """Return the scripts that use a code point (UAX 24, Script_Extensions), or nothing if it is not assigned."""
    _, stop, scripts = _SCRIPTS[bisect_right(_STARTS, ord(char)) - 1]
    return scripts if ord(char) < stop else frozenset()


def _mixes_scripts(name: str) -> bool:
    """Return whether no one script, and no usual mixture, has all letters of a name (UTS 39, 5.1 and 5.2)."""
    letters = (unicodedata.normalize("NFKC", c) if unicodedata.category(c)[0] == "L" else c for c in name)
    used = {scripts for part in letters for c in part if not (scripts := _scripts_of(c)) & _ANY_SCRIPT}
    single = ({script} for script in next(iter(used), ()))
    return bool(used) and not any(all(scripts & allowed for scripts in used) for allowed in (*single, *_MIXABLE))
