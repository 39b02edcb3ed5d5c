"""Pictures as data: addresses, scaled to the size that a server is sent, each encoded once for all its questions."""

import base64
import io
from collections import OrderedDict

_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))
QUALITY = 90
"""Of the JPEG that a picture becomes when it is scaled down."""


class DataUris:
    """Remembers up to `capacity_mb` of addresses; the oldest go first. Not for several threads."""

    def __init__(self, *, side: int = 0, capacity_mb: int = 64) -> None:
        """`side`: pixels of the longer side to which larger pictures are scaled down; 0 sends all as they are."""
        self._side, self._capacity = side, capacity_mb * 2**20
        self.held = 0
        self._kept: OrderedDict[bytes, str] = OrderedDict()

    def of(self, content: bytes) -> str:
        """The address of an encoded picture. Raises OSError or ValueError for one that has to be scaled and is none."""
        found = self._kept.get(content)
        if found is None:
            found = data_uri(scaled(content, side=self._side) if self._side else content)
            self._kept[content] = found
            self.held += len(found) + len(content)
            while self.held > self._capacity and len(self._kept) > 1:
                gone, address = self._kept.popitem(last=False)
                self.held -= len(address) + len(gone)
        else:
            self._kept.move_to_end(content)
        return found


def scaled(content: bytes, *, side: int) -> bytes:
    """The picture with its longer side at most `side` pixels, as JPEG; the same bytes if it is small enough already."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as picture:
        if max(picture.size) <= side:
            return content
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    upright.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def data_uri(content: bytes) -> str:
    """An encoded picture as a data: address, its type read from its first bytes."""
    kind = next((mime for magic, mime in _MAGIC if content.startswith(magic)), "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
