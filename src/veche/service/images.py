"""Images: their size, and small pictures of them. Pillow reads four formats, and nothing large.

These functions compute for long, so they are called in a thread.
"""

import io
from typing import Final

from PIL import Image, ImageOps

from veche.core.file_types import INLINE

FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")
MAX_PIXELS: Final = 24_000_000
"""Of an image that is made smaller. Pillow needs four bytes for each."""
MAX_IMAGE_BYTES: Final = 20_000_000
THUMBNAIL: Final = 480
"""Pixels of the longer side of a small picture."""
THUMBNAIL_TYPE: Final = "image/webp"

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit only warns; ours is checked before anything is decoded


def size_of_image(head: bytes, type: str) -> tuple[int, int] | None:
    """Return the width and the height of an image that begins with these bytes. None: it is none, or broken."""
    if type not in INLINE:
        return None
    try:
        with _opened(head) as image:
            return image.size
    except Exception:  # Pillow raises many kinds for what is broken, and none of them means anything else here
        return None


def thumbnail_of(data: bytes) -> bytes | None:
    """Return a small picture of an image, the right way up, without what a camera wrote beside it.

    None: it is no image, it is broken, or it has more than MAX_PIXELS.
    """
    try:
        with _opened(data) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            image.draft("RGB", (2 * THUMBNAIL, 2 * THUMBNAIL))  # a JPEG is read at a fraction of its size
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((THUMBNAIL, THUMBNAIL))
            shown = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            shown.info.clear()
            found = io.BytesIO()
            shown.save(found, "WEBP", quality=80)
            return found.getvalue()
    except Exception:
        return None


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=FORMATS)
