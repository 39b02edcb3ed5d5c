"""Metadata of picture files: JPEG segments and PNG chunks that do not show pixels are cut out, nothing is decoded."""

import re
import zlib

_JPEG_KEPT = frozenset({0xE0, 0xEE})
"""Application segments that say how to show the pixels: JFIF (APP0), Adobe transform (APP14); and ICC profiles."""
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"tRNS"}
)
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_MARKER_IN_SCAN = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A marker within entropy-coded data: not a stuffed byte (FF 00), not a restart (FF D0-D7)."""
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers that no length follows: TEM, restarts, a second start."""
_END, _SCAN = 0xD9, 0xDA


def without_metadata(content: bytes, file_format: str) -> bytes | None:
    """The JPEG or PNG without metadata; None for other formats, and where the file cannot be parsed."""
    if file_format == "JPEG":
        return strip_jpeg(content)
    return strip_png(content) if file_format == "PNG" else None


def strip_jpeg(content: bytes) -> bytes | None:
    """The JPEG with only the segments that show its pixels, ended at its end marker; None if it cannot be parsed.

    Bytes between two segments, which decoders step over, go as well.
    """
    kept = [content[:2]]
    position, in_scan = 2, False
    while True:
        found = (_MARKER_IN_SCAN if in_scan else _MARKER).search(content, position)
        if found is None:
            return None
        if in_scan:
            kept.append(content[position : found.start()])
        marker = found.group(1)[0]
        if marker == _END:
            return b"".join([*kept, b"\xff\xd9"])
        if marker in _BARE:
            position = found.end()
            continue
        length = int.from_bytes(content[found.end() : found.end() + 2], "big")
        end = found.end() + length
        if length < 2 and 0xE0 <= marker <= 0xEF:
            position = found.end() + 2  # says that it is shorter than its own length: nothing of it is read
            continue
        if length < 2 or end > len(content):
            return None
        if marker == 0xE2:  # APP2 also carries previews (MPF)
            wanted = content.startswith(b"ICC_PROFILE\0", found.end() + 2)
        else:
            wanted = marker in _JPEG_KEPT or not (0xE0 <= marker <= 0xEF or marker == 0xFE)
        if wanted:
            kept.append(b"\xff" + content[found.end() - 1 : end])
        position, in_scan = end, marker == _SCAN


def strip_png(content: bytes) -> bytes | None:
    """The PNG with only the chunks that show its pixels, as far as they are whole; None if it cannot be parsed."""
    kept = [content[:8]]
    position = 8
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(content):
            return None
        whole = zlib.crc32(content[position + 4 : end - 4]) == int.from_bytes(content[end - 4 : end], "big")
        if kind in _PNG_KEPT and (whole or kind[:1].isupper()):
            kept.append(content[position:end])
        if kind == b"IEND":
            return b"".join(kept)
        position = end
    return None
