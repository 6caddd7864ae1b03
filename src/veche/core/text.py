"""What text and names may hold, whichever dialect they come through; each contract adds rules of its own."""

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
    """Refuse what cannot be stored alike on every database: NUL, lone surrogates, over 64 KiB of UTF-8."""
    if "\0" in text:
        raise ChatError(Code.INVALID, "Text may not hold a NUL character.", field="text")
    try:
        size = size_of(text)
    except UnicodeEncodeError:
        raise ChatError(Code.INVALID, "Text may not hold a lone surrogate.", field="text") from None
    if size > MAX_TEXT_BYTES:
        raise ChatError(Code.TOO_LARGE, f"Text may have {MAX_TEXT_BYTES} bytes of UTF-8.", field="text")


def check_name(name: str, field: str = "name", longest: int = MAX_NAME) -> None:
    """Refuse names that hide or reorder what people see: control, bidirectional, zero-width characters, surrogates.

    Letters of which nothing is seen too: fillers, and in usernames what only chooses between forms of a letter.
    """
    if len(name) > longest:
        raise ChatError(Code.INVALID, f"A {field} may have {longest} characters.", field=field)
    unseen = _FILLERS | _SELECTORS if field == "username" else _FILLERS  # elsewhere an emoji may need a selector
    for char in name:
        if char in unseen or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            raise ChatError(Code.INVALID, f"A {field} may not hold invisible or control characters.", field=field)


def handle_of(username: str) -> str:
    """Make the key under which a username is unique: without regard to case and width (NFKC, casefold)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def mixes_scripts(name: str) -> bool:
    """Tell whether letters of look-alike alphabets stand in one name (Latin `admin` with a Cyrillic `а`)."""
    scripts = {unicodedata.name(char, "").split(" ", 1)[0] for char in name if char.isalpha()}
    return len(scripts & _MIXABLE) > 1
