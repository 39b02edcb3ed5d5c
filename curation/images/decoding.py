"""Decoding of untrusted pictures under limits: formats by their magic bytes, upright, RGB, without letterbox bars."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from curation.images.picture_metadata import without_metadata
from schemas.records.drop_reasons import Refusal

DECODE_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, AttributeError,
    OverflowError, ZeroDivisionError, NotImplementedError, struct.error, zlib.error, MemoryError,
)  # fmt: skip
"""What Pillow's decoders raise on damaged files; MemoryError also where there is no room: see _require_memory."""
_BYTES_A_PIXEL = 12
"""Room for a picture as Pillow holds it (4 bytes a pixel), turned upright and converted."""

# Pillow warns of damaged tags, which do not matter if the pixels decode, and of sizes that are checked below. Set once
# and not around each call, because filters belong to the whole process and pictures are decoded in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_ORIENTATION = 0x0112
"""EXIF tag; 1 is upright, 5 to 8 lie on their side."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of such an orientation upright."""
_DARK, _BRIGHT = 24, 238
"""Luma (0-255) up to which a bar counts as black and from which as white; leaves room for JPEG noise."""
_OUTLIERS = 0.01
"""Share of a bar's pixels that may be outside that range (ringing at the bar's ends)."""
_EDGE_SHARE = 0.6
"""Share of the pixels next to the two bars that must lie outside their range: bars end sharply, a plain background does
not, because a head or shoulders begin on a part of a row."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture. `image` may be a scaled decode; width and height are those of the full, trimmed one."""

    image: Image.Image
    """Mode RGB, or L where a scaled decode was asked for."""
    format: str
    """JPEG, PNG, WEBP, TIFF or GIF."""
    width: int
    height: int
    bars: tuple[int, int, int, int]
    """Full-size pixels trimmed at left, top, right, bottom."""


def picture_format(content: bytes) -> str | None:
    """The format that the first bytes announce: JPEG, PNG, WEBP, TIFF, GIF, or None for anything else."""
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if content.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WEBP"
    return None


def decode_picture(
    content: bytes, *, max_bytes: int, max_pixels: int, min_side: int, draft_side: int | None = None
) -> Picture | Refusal:
    """The upright picture without letterbox bars, or why it is refused; never raises on damaged files.

    A file that only its metadata keep from being read is read without them.
    Raises MemoryError where the machine has no room for a picture of `max_pixels`, whatever the file is.

    Size is checked on the header, before any pixel is decoded. `min_side` is compared after trimming.
    With `draft_side` the result is grey and JPEGs are decoded at the smallest of the scales 1, 1/2, 1/4, 1/8 whose
    sides are at least that long (Image.draft), which is what hashing needs.
    """
    if len(content) > max_bytes:
        return Refusal("too_large", f"{len(content)} bytes, at most {max_bytes} allowed")
    if not content:
        return Refusal("broken_file", "the file is empty")
    file_format = picture_format(content)
    if file_format is None:
        return Refusal("not_an_image", f"starts with {content[:8]!r}")
    found = _attempt(content, file_format, max_pixels, min_side, draft_side)
    if isinstance(found, Refusal) and found.reason == "broken_file":
        bare = without_metadata(content, file_format)
        again = found if bare is None else _attempt(bare, file_format, max_pixels, min_side, draft_side)
        return found if isinstance(again, Refusal) and again.reason == "broken_file" else again
    return found


def _attempt(
    content: bytes, file_format: str, max_pixels: int, min_side: int, draft_side: int | None
) -> Picture | Refusal:
    try:
        with Image.open(io.BytesIO(content), formats=[file_format]) as opened:
            refusal = _header_refusal(opened, file_format, max_pixels=max_pixels, min_side=min_side)
            return refusal or _decoded(opened, file_format, min_side=min_side, draft_side=draft_side)
    except Image.DecompressionBombError:
        return Refusal("too_large", f"more than {max_pixels} pixels")
    except UnidentifiedImageError:
        return Refusal("broken_file", f"{file_format}: the header is damaged")
    except DECODE_ERRORS as error:
        if isinstance(error, MemoryError):
            _require_memory(max_pixels)
        return Refusal("broken_file", f"{file_format}: {' '.join(str(error).split())[:120] or type(error).__name__}")


def _require_memory(pixels: int) -> None:
    """Raise MemoryError where a picture of so many pixels has no room: a sound one must not be called broken then."""
    bytearray(_BYTES_A_PIXEL * pixels)


def _header_refusal(opened: Image.Image, file_format: str, *, max_pixels: int, min_side: int) -> Refusal | None:
    width, height = opened.size
    if width * height > max_pixels:
        return Refusal("too_large", f"{width} x {height} pixels, at most {max_pixels} pixels allowed")
    # A JPEG with several pictures (MPO, of stereo cameras and phones) is a still picture with previews.
    if file_format != "JPEG" and getattr(opened, "n_frames", 1) > 1:
        return Refusal("animated", f"{getattr(opened, 'n_frames', 1)} frames")
    if min(width, height) < min_side:
        return Refusal("too_small", f"{width} x {height} pixels, at least {min_side} a side wanted")
    return None


def _decoded(opened: Image.Image, file_format: str, *, min_side: int, draft_side: int | None) -> Picture | Refusal:
    full = opened.size
    if draft_side is not None:
        opened.draft("L", (draft_side, draft_side))
    opened.load()
    scale = full[0] / opened.size[0]
    width, height = full[::-1] if orientation(opened) >= 5 else full
    pixels = to_grey(upright(opened)) if draft_side is not None else to_rgb(upright(opened))
    left, top, right, bottom = letterbox_bars(pixels if pixels.mode == "L" else pixels.convert("L"))
    if left or top or right or bottom:
        pixels = pixels.crop((left, top, pixels.width - right, pixels.height - bottom))
    bars = (round(left * scale), round(top * scale), round(right * scale), round(bottom * scale))
    width, height = width - bars[0] - bars[2], height - bars[1] - bars[3]
    if min(width, height) < min_side:
        return Refusal("too_small", f"{width} x {height} pixels without its bars, at least {min_side} a side wanted")
    return Picture(image=pixels, format=file_format, width=width, height=height, bars=bars)


def orientation(image: Image.Image) -> int:
    """How the picture lies, by its EXIF: 1 (upright) to 8; 1 where that cannot be read or is none of these."""
    try:
        found: object = image.getexif().get(_ORIENTATION)
    except DECODE_ERRORS:
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says."""
    lies = orientation(image)
    return image if lies == 1 else image.transpose(_TURNS[lies])


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB, 8 bits a channel: alpha is laid over white, 16-bit grey is scaled. Raises ValueError for float pixels."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        return eight_bits(image).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no stated range")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")


def to_grey(image: Image.Image) -> Image.Image:
    """Grey, 8 bits, of the picture as `to_rgb` shows it."""
    return image if image.mode == "L" and "transparency" not in image.info else to_rgb(image).convert("L")


def eight_bits(image: Image.Image) -> Image.Image:
    """8-bit grey of a 16-bit one (modes I;16*, and I, which 16-bit files may decode to)."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("grey values outside 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def letterbox_bars(grey: Image.Image) -> tuple[int, int, int, int]:
    """Pixels of uniform black or white bars at left, top, right and bottom of a grey (L) picture.

    A bar is trimmed only with its opposite (letterbox, pillarbox, frame) and only where it ends sharply, so that the
    plain background of a studio portrait is no bar. A picture that would lose more than 90 % of a side keeps its bars.
    """
    values = np.asarray(grey)
    left, right = _opposite_bars(values.T)
    top, bottom = _opposite_bars(values[:, left : values.shape[1] - right])
    if (left, right) == (0, 0) and top:  # a frame's sides show only once the top and bottom bars are gone
        left, right = _opposite_bars(values[top : values.shape[0] - bottom].T)
    return left, top, right, bottom


def _opposite_bars(values: NDArray[np.uint8]) -> tuple[int, int]:
    """Rows of the bars at the start and at the end of the first axis, (0, 0) unless there are both."""
    ends = values[[0, -1]]
    if not ((ends <= _DARK) | (ends >= _BRIGHT)).mean(axis=1).min() >= 1 - _OUTLIERS:
        return 0, 0
    for share in ((values <= _DARK).mean(axis=1), (values >= _BRIGHT).mean(axis=1)):
        outside = np.flatnonzero(share < 1 - _OUTLIERS)
        if outside.size == 0:
            return 0, 0
        start, end = int(outside[0]), int(len(share) - 1 - outside[-1])
        if min(start, end) == 0 or len(share) - start - end < 0.1 * len(share):
            continue
        # The row at the boundary may be half bar, half picture, so the sharp end is looked for in the next two.
        first, last = share[start : start + 2].min(), share[len(share) - end - 2 : len(share) - end].min()
        if (first + last) / 2 <= 1 - _EDGE_SHARE:
            return start, end
    return 0, 0
