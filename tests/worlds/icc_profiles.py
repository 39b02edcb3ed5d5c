"""Small ICC profiles (version 2) as files carry them: linear grey, and a CMYK of two grid points."""

import io
import struct
from itertools import product

from PIL import ImageCms


def rgb_profile() -> bytes:
    """The sRGB profile that Pillow makes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def grey_profile() -> bytes:
    """Grey values that are linear light: 128 of 255 is shown as sRGB 188."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile() -> bytes:
    """Without ink white, each colour of ink green of Lab (50, -80, 0), black ink black."""
    cells = bytearray()
    for *inks, black in product((0, 1), repeat=4):
        cells += bytes((0, 128, 128) if black else (127, 48, 128) if any(inks) else (255, 128, 128))
    identity = struct.pack(">9i", *(65536 if row == column else 0 for row in range(3) for column in range(3)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + bytes(range(256)) * 4 + bytes(cells)
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table + bytes(range(256)) * 3})


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    white = b"XYZ " + bytes(4) + _fixed(0.9642, 1.0, 0.8249)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    found = {b"desc": text, b"wtpt": white, **tags}
    place = 128 + 4 + 12 * len(found)
    table, data = io.BytesIO(), io.BytesIO()
    table.write(struct.pack(">I", len(found)))
    for name, content in found.items():
        table.write(name + struct.pack(">II", place + data.tell(), len(content)))
        data.write(content + bytes(-len(content) % 4))
    body = table.getvalue() + data.getvalue()
    head = struct.pack(">I", 128 + len(body)) + bytes(4) + bytes((2, 64, 0, 0)) + kind + space + connection
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(0.9642, 1.0, 0.8249)
    return head + bytes(128 - len(head)) + body


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
