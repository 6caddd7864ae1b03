"""What text and names may contain, in every dialect. Dialects add rules of their own."""

import unicodedata

from veche.core.errors import ChatError, Code

MAX_TEXT_BYTES = 65_536
MAX_NAME = 100
MAX_EMAIL = 254
MAX_CLIENT_MESSAGE_ID = 64
RESERVED_HANDLES = frozenset({"admin", "anonymous", "error", "system", "veche"})

_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = frozenset(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_MIXABLE = frozenset({"LATIN", "CYRILLIC", "GREEK"})


def size_of(text: str) -> int:
    """Count the bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def check_text(text: str) -> None:
    """Refuse text that not every database can store: NUL, lone surrogates, more than 64 KiB of UTF-8."""
    if "\0" in text:
        raise ChatError(Code.INVALID, "Text may not hold a NUL character.", field="text")
    try:
        size = size_of(text)
    except UnicodeEncodeError:
        raise ChatError(Code.INVALID, "Text may not hold a lone surrogate.", field="text") from None
    if size > MAX_TEXT_BYTES:
        raise ChatError(Code.TOO_LARGE, f"Text may have {MAX_TEXT_BYTES} bytes of UTF-8.", field="text")


def check_name(name: str, field: str = "name", longest: int = MAX_NAME) -> None:
    """Refuse a name that hides or reorders what people see.

    Not allowed: control, bidirectional and zero-width characters, surrogates, letters that are blank (fillers), and in
    usernames the selectors that choose between forms of a letter. Elsewhere an emoji may need a selector.
    """
    if len(name) > longest:
        raise ChatError(Code.INVALID, f"A {field} may have {longest} characters.", field=field)
    unseen = _FILLERS | _SELECTORS if field == "username" else _FILLERS
    for char in name:
        if char in unseen or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            raise ChatError(Code.INVALID, f"A {field} may not hold invisible or control characters.", field=field)


def handle_of(username: str) -> str:
    """Make the form of a username that is unique: case and width do not matter (NFKC, casefold)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def mixes_scripts(name: str) -> bool:
    """Tell whether a name mixes alphabets that look alike (Latin `admin` with a Cyrillic `а`)."""
    scripts = {unicodedata.name(char, "").split(" ", 1)[0] for char in name if char.isalpha()}
    return len(scripts & _MIXABLE) > 1
