"""The rules for texts in all dialects. A dialect may add stricter rules. The rules for names are in `names`."""

from veche.core.errors import ChatError, Code

MAX_TEXT_BYTES = 65_536
MAX_CLIENT_MESSAGE_ID = 64


def size_of(text: str) -> int:
    """Return the size of a text in bytes of UTF-8. Raises UnicodeEncodeError if it contains a lone surrogate."""
    return len(text) if text.isascii() else len(text.encode())


def can_be_stored(text: str) -> bool:
    """Return whether every database can store a text: it contains no NUL and no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


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
