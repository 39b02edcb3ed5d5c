"""Small WebP copies of pictures, for pages that people look at."""

import io
from collections.abc import Sequence

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF")
MAX_PIXELS = 80_000_000
"""Larger pictures get no thumbnail; the screen refuses them before."""
QUALITY = 55


def thumbnail(content: bytes, *, width: int, height: int) -> bytes | None:
    """The picture as WebP within width x height pixels, or None if it cannot be decoded."""
    small = _small(content, width=width, height=height)
    return None if small is None else _webp(small)


def strip(contents: Sequence[bytes], *, width: int, height: int) -> bytes:
    """Pictures side by side as one WebP, each in a cell of width x height pixels; a cell stays grey without one."""
    sheet = Image.new("RGB", (max(1, len(contents)) * width, height), (128, 128, 128))
    for place, content in enumerate(contents):
        small = _small(content, width=2 * width, height=2 * height)
        if small is not None:
            sheet.paste(_cover(small, width, height), (place * width, 0))
    return _webp(sheet)


def _cover(image: Image.Image, width: int, height: int) -> Image.Image:
    """Scaled to fill the cell; what stands over is cut, more from below, since heads are above."""
    scale = max(width / image.width, height / image.height)
    scaled = image.resize((max(width, round(image.width * scale)), max(height, round(image.height * scale))))
    left, top = (scaled.width - width) // 2, (scaled.height - height) // 4
    return scaled.crop((left, top, left + width, top + height))


def _small(content: bytes, *, width: int, height: int) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return None
            opened.draft("RGB", (width, height))
            opened.thumbnail((width, height))
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=2)
    return out.getvalue()
