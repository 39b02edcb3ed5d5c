"""The bytes of a picture that go into the dataset: upright RGB without personal metadata, as served where possible."""

import io
import re
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageOps

from curation.images.decoding import picture_format, to_rgb

JPEG_QUALITY = 90
_ORIENTATION = 0x0112
_JPEG_KEPT = frozenset({0xE0, 0xEE})
"""Application segments that say how to show the pixels: JFIF (APP0), Adobe transform (APP14); and ICC profiles."""
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT"})
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A marker within entropy-coded data: not a stuffed byte (FF 00), not a restart (FF D0-D7)."""


@dataclass(frozen=True)
class Rendition:
    """Encoded bytes for the dataset, and what was done to the source, in words ("" if nothing)."""

    content: bytes
    mime: Literal["image/jpeg", "image/png"]
    width: int
    height: int
    transformation: str


def dataset_picture(content: bytes, *, max_side: int, source_size: tuple[int, int] | None = None) -> Rendition:
    """The picture for the dataset, of a file that `decode_picture` has passed.

    An upright RGB (or grey) JPEG or PNG within `max_side` keeps its pixels bit for bit and loses only its metadata
    (EXIF with GPS, XMP, IPTC, comments, embedded previews). Anything else becomes a JPEG of quality 90. `source_size`
    (width, height of the original on Commons) lets the change note say that a smaller rendition was fetched.
    Letterbox bars stay. The same bytes give the same bytes (for one version of Pillow).
    """
    changes = []
    with Image.open(io.BytesIO(content), formats=[picture_format(content) or "JPEG"]) as opened:
        if source_size is not None and max(source_size) > max(opened.size) and source_size != opened.size:
            changes.append(f"scaled down from {source_size[0]} x {source_size[1]} pixels by the source")
        kept = _without_metadata(opened, content) if max(opened.size) <= max_side else None
        if kept is not None:
            clean, mime = kept
            changes += ["metadata removed, pixels unchanged"] if clean != content else []
            return Rendition(clean, mime, *opened.size, transformation="; ".join(changes))
        return _encoded_again(opened, max_side=max_side, changes=changes)


def _without_metadata(opened: Image.Image, content: bytes) -> tuple[bytes, Literal["image/jpeg", "image/png"]] | None:
    """The file without metadata and its type, or None if its pixels must be encoded again."""
    if opened.mode not in ("RGB", "L") or "transparency" in opened.info:
        return None
    if opened.getexif().get(_ORIENTATION, 1) != 1:
        return None
    if picture_format(content) == "JPEG":
        clean = strip_jpeg(content)
        return (clean, "image/jpeg") if clean is not None else None
    if picture_format(content) == "PNG":
        clean = strip_png(content)
        return (clean, "image/png") if clean is not None else None
    return None


def _encoded_again(opened: Image.Image, *, max_side: int, changes: list[str]) -> Rendition:
    profile = opened.info.get("icc_profile") if opened.mode == "RGB" else None
    source = f"{opened.format} ({opened.mode})"
    if opened.getexif().get(_ORIENTATION, 1) != 1:
        changes.append("turned upright")
    image = to_rgb(ImageOps.exif_transpose(opened))
    if max(image.size) > max_side:
        before = image.size
        scale = max_side / max(before)
        size = (max(1, round(before[0] * scale)), max(1, round(before[1] * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
        changes.append(f"scaled down from {before[0]} x {before[1]} to {size[0]} x {size[1]} pixels")
    changes.append(f"encoded again from {source} as JPEG of quality {JPEG_QUALITY}, metadata removed")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, icc_profile=profile)
    return Rendition(buffer.getvalue(), "image/jpeg", *image.size, transformation="; ".join(changes))


def strip_jpeg(content: bytes) -> bytes | None:
    """The JPEG with only the segments that show its pixels, ended at its end marker; None if it cannot be parsed."""
    kept = [content[:2]]
    position = 2
    while True:
        found = _MARKER.search(content, position)
        if found is None:
            return None
        kept.append(content[position : found.start()])  # entropy-coded data, if any
        marker = found.group(1)[0]
        if marker == 0xD9:
            return b"".join([*kept, b"\xff\xd9"])
        length = int.from_bytes(content[found.end() : found.end() + 2], "big")
        end = found.end() + length
        if length < 2 or end > len(content):
            return None
        if marker == 0xE2:  # APP2 also carries previews (MPF)
            wanted = content.startswith(b"ICC_PROFILE\0", found.end() + 2)
        else:
            wanted = marker in _JPEG_KEPT or not (0xE0 <= marker <= 0xEF or marker == 0xFE)
        if wanted:
            kept.append(b"\xff" + content[found.end() - 1 : end])
        position = end


def strip_png(content: bytes) -> bytes | None:
    """The PNG with only the chunks that show its pixels; None if it cannot be parsed."""
    kept = [content[:8]]
    position = 8
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(content):
            return None
        if kind in _PNG_KEPT:
            kept.append(content[position:end])
        if kind == b"IEND":
            return b"".join(kept)
        position = end
    return None
