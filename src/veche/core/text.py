"""The rules for texts and names in all dialects. A dialect may add stricter rules."""

import unicodedata

from veche.core.errors import ChatError, Code

MAX_TEXT_BYTES = 65_536
MAX_NAME = 100
MAX_EMAIL = 254
MAX_CLIENT_MESSAGE_ID = 64
RESERVED_HANDLES = frozenset({"admin", "anonymous", "error", "system", "veche"})

# Characters that are displayed as blanks or not at all, although Unicode does not class them as spaces or controls.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Variation selectors: they choose between forms of the character before them.
_SELECTORS = frozenset(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_MIXABLE = frozenset({"LATIN", "CYRILLIC", "GREEK"})  # scripts that have letters which look the same


def size_of(text: str) -> int:
    """Return the size of a text in bytes of UTF-8. Raises UnicodeEncodeError if it contains a lone surrogate."""
    return len(text) if text.isascii() else len(text.encode())


def check_text(text: str) -> None:
    """Raise ChatError if a text has more than 64 KiB of UTF-8, or contains NUL or a lone surrogate.

    Not every database can store NUL and lone surrogates.
    """
    if "\0" in text:
        raise ChatError(Code.INVALID, "Text may not hold a NUL character.", field="text")
    try:
        size = size_of(text)
    except UnicodeEncodeError:
        raise ChatError(Code.INVALID, "Text may not hold a lone surrogate.", field="text") from None
    if size > MAX_TEXT_BYTES:
        raise ChatError(Code.TOO_LARGE, f"Text may have {MAX_TEXT_BYTES} bytes of UTF-8.", field="text")


def check_name(name: str, field: str = "name", longest: int = MAX_NAME) -> None:
    """Raise ChatError if a name is too long, or contains characters that are invisible or reorder the text around them.

    Not allowed: control, bidirectional and zero-width characters, surrogates, line separators, and fillers. Variation
    selectors are not allowed in usernames. They are allowed in other names, because some emoji need one.
    """
    if len(name) > longest:
        raise ChatError(Code.INVALID, f"A {field} may have {longest} characters.", field=field)
    unseen = _FILLERS | _SELECTORS if field == "username" else _FILLERS
    for char in name:
        if char in unseen or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            raise ChatError(Code.INVALID, f"A {field} may not hold invisible or control characters.", field=field)


def handle_of(username: str) -> str:
    """Return the handle of a username. Usernames that differ only in case or width have the same handle.

    The handle is the casefolded username in the Unicode form NFKC.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def mixes_scripts(name: str) -> bool:
    """Return whether a name mixes scripts whose letters look alike, such as Latin `admin` with a Cyrillic `а`."""
    scripts = {unicodedata.name(char, "").split(" ", 1)[0] for char in name if char.isalpha()}
    return len(scripts & _MIXABLE) > 1
