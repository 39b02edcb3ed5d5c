"""The bytes of a picture that go into the dataset: upright RGB without personal metadata, as served where possible."""

import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from curation.images.colours import in_rgb
from curation.images.decoding import DECODE_ERRORS, orientation, picture_format, upright
from curation.images.picture_metadata import without_metadata

JPEG_QUALITY = 90


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
    (EXIF with GPS, XMP, IPTC, comments, embedded previews). Anything else becomes a JPEG of quality 90, as does a file
    that without its metadata would not show the same pixels. `source_size` (width, height of the original on Commons)
    lets the change note say that a smaller rendition was fetched. Letterbox bars stay. Whatever is returned was opened
    and decoded once. The same bytes give the same bytes (for one version of Pillow).
    """
    file_format = picture_format(content) or "JPEG"
    try:
        return _rendition(content, file_format, max_side=max_side, source_size=source_size)
    except DECODE_ERRORS:
        bare = without_metadata(content, file_format)
        if bare is None or bare == content:
            raise
        return _rendition(bare, file_format, max_side=max_side, source_size=source_size)


def _rendition(content: bytes, file_format: str, *, max_side: int, source_size: tuple[int, int] | None) -> Rendition:
    changes = []
    with Image.open(io.BytesIO(content), formats=[file_format]) as opened:
        opened.load()
        if source_size is not None and max(source_size) > max(opened.size) and source_size != opened.size:
            changes.append(f"scaled down from {source_size[0]} x {source_size[1]} pixels by the source")
        keeps = max(opened.size) <= max_side and opened.mode in ("RGB", "L") and "transparency" not in opened.info
        clean = without_metadata(content, file_format) if keeps and orientation(opened) == 1 else None
        if clean is not None and _shows(clean, file_format, opened):
            changes += ["metadata removed, pixels unchanged"] if clean != content else []
            mime: Literal["image/jpeg", "image/png"] = "image/jpeg" if file_format == "JPEG" else "image/png"
            return Rendition(clean, mime, *opened.size, transformation="; ".join(changes))
        return _encoded_again(opened, max_side=max_side, changes=changes)


def _shows(content: bytes, file_format: str, wanted: Image.Image) -> bool:
    """Whether the file opens and its pixels are the wanted ones, bit for bit."""
    try:
        with Image.open(io.BytesIO(content), formats=[file_format]) as shown:
            return (shown.mode, shown.size, shown.tobytes()) == (wanted.mode, wanted.size, wanted.tobytes())
    except DECODE_ERRORS:
        return False


def _encoded_again(opened: Image.Image, *, max_side: int, changes: list[str]) -> Rendition:
    source = f"{opened.format} ({opened.mode})"
    if orientation(opened) != 1:
        changes.append("turned upright")
    coloured = in_rgb(upright(opened))
    image = coloured.image
    if coloured.converted:
        changes.append("colours converted to sRGB")
    if max(image.size) > max_side:
        before = image.size
        scale = max_side / max(before)
        size = (max(1, round(before[0] * scale)), max(1, round(before[1] * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
        changes.append(f"scaled down from {before[0]} x {before[1]} to {size[0]} x {size[1]} pixels")
    changes.append(f"encoded again from {source} as JPEG of quality {JPEG_QUALITY}, metadata removed")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, icc_profile=coloured.profile)
    encoded = buffer.getvalue()
    with Image.open(io.BytesIO(encoded), formats=["JPEG"]) as written:
        written.load()
    return Rendition(encoded, "image/jpeg", *image.size, transformation="; ".join(changes))
