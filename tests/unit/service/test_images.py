"""The size of images, and small pictures of them."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from veche.core.file_types import HEAD
from veche.service.images import MAX_PIXELS, THUMBNAIL, size_of_image, thumbnail_of

ORIENTATION, GPS, TURNED = 0x0112, 0x8825, 6


def drawn(format: str, size: tuple[int, int] = (1200, 600), **more: object) -> bytes:
    found = io.BytesIO()
    Image.new("RGB", size, (200, 30, 40)).save(found, format, **more)
    return found.getvalue()


def bomb(side: int) -> bytes:
    """Make a PNG that says it has side * side pixels, and has none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_image_is_made_smaller(format: str) -> None:
    data = drawn(format)
    assert size_of_image(data[:HEAD], f"image/{format.lower()}") == (1200, 600)
    made = thumbnail_of(data)
    assert made is not None
    with Image.open(io.BytesIO(made)) as small:
        assert (small.format, small.size) == ("WEBP", (THUMBNAIL, THUMBNAIL // 2))
        assert not small.getexif()


def test_a_photo_is_turned_and_tells_nothing_of_its_place() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    exif.get_ifd(GPS)[1] = "N"
    made = thumbnail_of(drawn("JPEG", exif=exif))
    assert made is not None
    with Image.open(io.BytesIO(made)) as small:
        assert small.size == (THUMBNAIL // 2, THUMBNAIL)
        assert (dict(small.getexif()), "exif" in small.info) == ({}, False)


@pytest.mark.parametrize("side", [30_000, 5_000])
def test_a_bomb_is_refused(side: int) -> None:
    assert side * side > MAX_PIXELS
    assert thumbnail_of(bomb(side)) is None


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n", drawn("PNG")[:60], drawn("TIFF", (9, 9))])
def test_what_is_no_image_has_no_picture(data: bytes) -> None:
    assert thumbnail_of(data) is None


def test_only_what_a_browser_may_show_has_a_size() -> None:
    assert size_of_image(drawn("PNG"), "text/plain") is None
    assert size_of_image(b"\x89PNG\r\n\x1a\nx", "image/png") is None


@given(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]), st.integers(0, 400), st.binary(max_size=20))
def test_broken_images_raise_nothing(format: str, at: int, junk: bytes) -> None:
    data = drawn(format, (40, 30))
    broken = data[:at] + junk + data[at + len(junk) :]
    size_of_image(broken, f"image/{format.lower()}")
    thumbnail_of(broken)
