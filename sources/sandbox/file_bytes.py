"""The bytes of the embedded world's picture files: drawn when first asked for, the same every time."""

import hashlib
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageEnhance

from sources.sandbox.commons_files import Picture
from sources.sandbox.portraits.faces import Face
from sources.sandbox.portraits.portrait import HEIGHT, WIDTH, draw_portrait
from sources.sandbox.world import World

QUALITY = 90
CACHE_BYTES = 96_000_000
NOTE = b"This is a press note that somebody saved under the name of a picture.\n"
PAGE = (
    b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def jpeg_bytes(image: Image.Image, *, quality: int = QUALITY, exif: Image.Exif | None = None) -> bytes:
    """The picture as JPEG."""
    buffer = io.BytesIO()
    if exif is None:
        image.save(buffer, "JPEG", quality=quality)
    else:
        image.save(buffer, "JPEG", quality=quality, exif=exif)
    return buffer.getvalue()


def _rotated(image: Image.Image) -> bytes:
    """Stored lying on its side, with the EXIF orientation (6) that puts it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg_bytes(image.transpose(Image.Transpose.ROTATE_90), exif=exif)


def _alpha(image: Image.Image) -> bytes:
    """A PNG whose rounded corners are transparent."""
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, image.width - 1, image.height - 1), 36, fill=255)
    image.putalpha(mask)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _animated(face: Face, view: int) -> bytes:
    frames = [draw_portrait(face, view + step).resize((WIDTH // 2, HEIGHT // 2)) for step in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=300, loop=0)
    return buffer.getvalue()


def original_bytes(picture: Picture, face: Face) -> bytes:
    """The file's content. `face` is the identity of the person drawn (the picture's owner)."""
    if picture.encoding in ("text", "pdf", "empty"):
        return {"text": NOTE, "pdf": PAGE, "empty": b""}[picture.encoding]
    if picture.encoding == "animated":
        return _animated(face, picture.view)
    image = draw_portrait(face, picture.view)
    match picture.encoding:
        case "recompressed":
            return jpeg_bytes(image, quality=40)
        case "resized":
            return jpeg_bytes(image.resize((WIDTH * 6 // 10, HEIGHT * 6 // 10), Image.Resampling.LANCZOS))
        case "brighter":
            return jpeg_bytes(ImageEnhance.Brightness(image).enhance(1.2))
        case "tiny":
            return jpeg_bytes(image.resize((64, 80), Image.Resampling.LANCZOS))
        case "truncated":
            whole = jpeg_bytes(image)
            return whole[: len(whole) * 6 // 10]
        case "cmyk":
            return jpeg_bytes(image.convert("CMYK"))
        case "alpha":
            return _alpha(image)
        case "rotated":
            return _rotated(image)
        case _:
            return jpeg_bytes(image)


def _stated_size(picture: Picture) -> tuple[int, int]:
    """Width and height as Commons would state them: upright."""
    match picture.encoding:
        case "resized":
            return WIDTH * 6 // 10, HEIGHT * 6 // 10
        case "tiny":
            return 64, 80
        case "animated":
            return WIDTH // 2, HEIGHT // 2
        case "pdf":
            return 595, 842
        case _:
            return WIDTH, HEIGHT


@dataclass(frozen=True, slots=True)
class Measures:
    """What imageinfo states of a file's content."""

    sha1: str
    size: int
    """Bytes."""
    width: int
    height: int


class PictureStore:
    """Draws the files of one world on request and keeps the latest ones, up to CACHE_BYTES."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._held = 0
        self._measures: dict[str, Measures] = {}

    def content(self, title: str) -> bytes:
        """Bytes of the original file; raises KeyError for a title that does not exist."""
        picture = self._world.gallery.pictures[title]
        with self._lock:
            if title in self._contents:
                self._contents.move_to_end(title)
                return self._contents[title]
        content = original_bytes(picture, self._world.face(picture.owner))
        with self._lock:
            if title not in self._contents:
                self._contents[title] = content
                self._held += len(content)
            while self._held > CACHE_BYTES:
                self._held -= len(self._contents.popitem(last=False)[1])
        return content

    def measures(self, title: str) -> Measures:
        """sha1, bytes and size of the original file; raises KeyError for a title that does not exist."""
        if title not in self._measures:
            content = self.content(title)
            sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            width, height = _stated_size(self._world.gallery.pictures[title])
            self._measures[title] = Measures(sha1, len(content), width, height)
        return self._measures[title]

    def thumbnail(self, title: str, width: int) -> bytes:
        """The file scaled to a width in pixels, upright, as JPEG or PNG; raises OSError if it does not decode."""
        with Image.open(io.BytesIO(self.content(title))) as image:
            form = image.format
            image.load()
            upright = _upright(image)
            small = upright.resize((width, round(upright.height * width / upright.width)), Image.Resampling.LANCZOS)
            if form == "JPEG":
                return jpeg_bytes(small, quality=85)
            buffer = io.BytesIO()
            small.save(buffer, "PNG")
            return buffer.getvalue()


def _upright(image: Image.Image) -> Image.Image:
    turned = image.transpose(Image.Transpose.ROTATE_270) if image.getexif().get(0x0112) == 6 else image
    return turned if turned.mode in ("RGB", "RGBA") else turned.convert("RGB")
