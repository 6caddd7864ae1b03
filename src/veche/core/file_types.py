"""What files are: their media type, found in their first bytes, and a name that is safe to show and to save under.

What a client says of the type is not believed. HTML and SVG are text like any other: nobody's browser runs it.
"""

import unicodedata
from typing import Final

HEAD: Final = 65_536
"""How many of the first bytes are looked at."""
MAX_FILE_NAME: Final = 128
"""Characters of a name."""
UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"
INLINE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Types that a browser may show. It runs nothing in them."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORBIDDEN = frozenset('<>:"|?*')  # in names of files on some systems
_EXTENSION = 16  # characters after the last dot that a name keeps when it is cut

# The type, and pairs of an offset and the bytes that begin there.
_SIGNATURES: Final[tuple[tuple[str, tuple[tuple[int, bytes], ...]], ...]] = (
    ("image/png", ((0, b"\x89PNG\r\n\x1a\n"),)),
    ("image/jpeg", ((0, b"\xff\xd8\xff"),)),
    ("image/gif", ((0, b"GIF87a"),)),
    ("image/gif", ((0, b"GIF89a"),)),
    ("image/webp", ((0, b"RIFF"), (8, b"WEBP"))),
    ("image/avif", ((4, b"ftypavif"),)),
    ("image/heic", ((4, b"ftypheic"),)),
    ("audio/wav", ((0, b"RIFF"), (8, b"WAVE"))),
    ("audio/mpeg", ((0, b"ID3"),)),
    ("audio/flac", ((0, b"fLaC"),)),
    ("audio/ogg", ((0, b"OggS"),)),
    ("audio/mp4", ((4, b"ftypM4A"),)),
    ("video/quicktime", ((4, b"ftypqt"),)),
    ("video/mp4", ((4, b"ftyp"),)),
    ("video/webm", ((0, b"\x1aE\xdf\xa3"),)),
    ("application/pdf", ((0, b"%PDF-"),)),
    ("application/zip", ((0, b"PK\x03\x04"),)),
    ("application/gzip", ((0, b"\x1f\x8b"),)),
    ("application/x-7z-compressed", ((0, b"7z\xbc\xaf\x27\x1c"),)),
)


def type_of(head: bytes) -> str:
    """Return the media type of a file that begins with these bytes, the first HEAD of it or all."""
    for type, parts in _SIGNATURES:
        if all(head.startswith(part, at) for at, part in parts):
            return type
    return TEXT if _is_text(head) else UNKNOWN


def _is_text(head: bytes) -> bool:
    """Return whether bytes are text in UTF-8. At the end, a character may be cut off."""
    if not head or b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) >= HEAD and error.reason == "unexpected end of data" and error.end == len(head)
    return True


def clean_name(given: str) -> str:
    """Return a name for a file that is like the given one: without a path, and without what nobody sees.

    It has 1 to MAX_FILE_NAME characters, and keeps its extension.
    """
    last = given.replace("\\", "/").rstrip("/").rpartition("/")[2]
    plain = (" " if unicodedata.category(char) == "Zs" else char for char in last if char not in _FORBIDDEN)
    seen = "".join(char for char in plain if unicodedata.category(char) not in _UNSEEN)
    name = unicodedata.normalize("NFC", seen).strip(" .")
    if len(name) > MAX_FILE_NAME:
        stem, dot, extension = name.rpartition(".")
        end = dot + extension if 0 < len(extension) <= _EXTENSION and stem else ""
        name = name[: MAX_FILE_NAME - len(end)].rstrip(" .") + end
    return name or "file"
