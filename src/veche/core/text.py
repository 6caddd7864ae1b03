"""The rules for texts in all dialects. A dialect may add stricter rules. The rules for names are in `names`."""

from veche.core.errors import ChatError, Code

MAX_TEXT_BYTES = 65_536
MAX_CLIENT_ID = 64  # characters


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


def check_text(text: str, field: str = "text") -> None:
    """Raise ChatError if a text has more than 64 KiB of UTF-8, or contains NUL or a lone surrogate.

    Not every database can store NUL and lone surrogates.
    """
    if "\0" in text:
        raise ChatError(Code.INVALID, "Text may not hold a NUL character.", field=field)
    try:
        size = size_of(text)
    except UnicodeEncodeError:
        raise ChatError(Code.INVALID, "Text may not hold a lone surrogate.", field=field) from None
    if size > MAX_TEXT_BYTES:
        raise ChatError(Code.TOO_LARGE, f"Text may have {MAX_TEXT_BYTES} bytes of UTF-8.", field=field)


def check_client_id(client_id: str | None, field: str = "client_id") -> None:
    """Raise ChatError if there is a client id that is empty, too long, or has characters that are not printable."""
    if client_id is not None and not (client_id.isprintable() and 1 <= len(client_id) <= MAX_CLIENT_ID):
        raise ChatError(Code.INVALID, f"A {field} has 1 to {MAX_CLIENT_ID} printable characters.", field=field)
