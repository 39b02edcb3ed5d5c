"""Decoding untrusted pictures: limits, formats, orientation, colour, bars, damage."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from curation.images.decoding import Picture, decode_picture, letterbox_bars
from schemas.records.drop_reasons import Refusal
from tests.documents import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

LIMITS = {"max_bytes": 2_000_000, "max_pixels": 1_000_000, "min_side": 32}


def drawn(width: int = 120, height: int = 160, seed: int = 0) -> Image.Image:
    """A smooth colour picture that differs in every corner."""
    coarse = np.random.default_rng(seed).integers(30, 226, (6, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(content: bytes, **changes: int) -> Picture:
    picture = decode_picture(content, **{**LIMITS, **changes})
    assert isinstance(picture, Picture), picture
    return picture


def refused(content: bytes, **changes: int) -> Refusal:
    refusal = decode_picture(content, **{**LIMITS, **changes})
    assert isinstance(refusal, Refusal)
    return refusal


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_the_five_still_formats_decode_to_rgb(kind: str) -> None:
    picture = decoded(encoded(drawn(), kind))
    assert (picture.image.mode, picture.image.size, picture.format) == ("RGB", (120, 160), kind)


def test_an_empty_file_is_broken() -> None:
    assert refused(b"") == ("broken_file", "the file is empty")


@pytest.mark.parametrize(
    "content",
    [b"<svg/>", b"%PDF-1.4", b"BM" + bytes(60), b"<html>429</html>", b"\0\0\0 ftypavif"],
    ids=["svg", "pdf", "bmp", "html", "avif"],
)
def test_other_types_are_not_decoded(content: bytes) -> None:
    assert refused(content).reason == "not_an_image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_truncated_file_is_broken_and_never_raises(kind: str, share: float) -> None:
    content = encoded(drawn(), kind)
    assert refused(content[: max(12, int(len(content) * share))]).reason == "broken_file"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_damaged_bytes_end_as_a_picture_or_a_refusal(kind: str) -> None:
    content = bytearray(encoded(drawn(), kind))
    generator = np.random.default_rng(5)
    for _ in range(60):
        damaged = bytearray(content)
        for place in generator.integers(4, len(content), 6):
            damaged[place] = int(generator.integers(0, 256))
        assert isinstance(decode_picture(bytes(damaged), **LIMITS), Picture | Refusal)


def png_bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [1001, 10_000, 30_000, 2**31 - 1])
def test_an_image_bomb_is_refused_by_its_header(side: int) -> None:
    assert refused(png_bomb(side, side)).reason == "too_large"


def test_a_webp_bomb_is_refused_by_its_header() -> None:
    canvas = (16383).to_bytes(3, "little")
    content = b"RIFF" + (22).to_bytes(4, "little") + b"WEBPVP8X" + (10).to_bytes(4, "little") + bytes(4) + canvas * 2
    assert refused(content).reason in ("too_large", "broken_file")


def test_a_file_that_asks_for_more_memory_than_a_picture_takes_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def asks(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", asks)
    found = decode_picture(b"\xff\xd8\xff", max_bytes=100, max_pixels=1_000, min_side=1)
    assert found == Refusal("broken_file", "JPEG: MemoryError")


def test_a_machine_without_memory_calls_no_sound_picture_broken() -> None:
    script = """
import io, resource
from PIL import Image
from curation.images.decoding import decode_picture
content = io.BytesIO()
Image.new("L", (5000, 4000)).save(content, "PNG")
used = 4096 * int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (used + 30_000_000, used + 30_000_000))
try:
    print(decode_picture(content.getvalue(), max_bytes=10**8, max_pixels=60_000_000, min_side=1))
except MemoryError:
    print("no memory")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "no memory\n", done.stderr


def test_more_bytes_than_allowed_are_refused_undecoded() -> None:
    assert refused(encoded(drawn()), max_bytes=100).reason == "too_large"


def test_a_picture_with_a_side_below_the_least_is_too_small() -> None:
    assert refused(encoded(drawn(31, 200))).reason == "too_small"
    assert decoded(encoded(drawn(32, 200))).width == 32


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames_are_animated(kind: str) -> None:
    frames = [drawn(seed=seed) for seed in range(3)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert refused(content).reason == "animated"


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise for viewing
    upright = drawn(120, 160)
    picture = decoded(encoded(upright.rotate(90, expand=True), "JPEG", exif=exif, quality=95))
    assert (picture.width, picture.height) == picture.image.size == (120, 160)
    assert np.abs(np.asarray(picture.image, dtype=int) - np.asarray(upright, dtype=int)).mean() < 4


def test_a_scaled_decode_keeps_the_full_size_of_a_turned_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    picture = decoded(encoded(drawn(800, 600), "JPEG", exif=exif), draft_side=100)
    assert (picture.width, picture.height) == (600, 800)
    assert (picture.image.mode, picture.image.size) == ("L", (150, 200))


def test_alpha_lies_over_white() -> None:
    image = drawn().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert set(np.unique(np.asarray(decoded(encoded(image, "PNG"), min_side=1).image))) == {255}


def test_a_transparent_palette_entry_lies_over_white() -> None:
    image = Image.new("P", (64, 64), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(0, (0, 0, 64, 30))
    picture = decoded(encoded(image, "PNG", transparency=0))
    assert picture.image.getpixel((5, 5)) == (255, 255, 255)
    assert picture.image.getpixel((5, 60)) == (200, 100, 50)


def test_cmyk_becomes_rgb_of_the_same_look() -> None:
    picture = decoded(encoded(drawn().convert("CMYK"), "JPEG", quality=95))
    assert picture.image.mode == "RGB"
    assert np.abs(np.asarray(picture.image, dtype=int) - np.asarray(drawn(), dtype=int)).mean() < 6


def test_sixteen_bit_grey_is_scaled_to_eight_and_not_clipped() -> None:
    values = np.linspace(0, 65535, 64 * 64, dtype=np.uint16).reshape(64, 64)
    picture = decoded(encoded(Image.fromarray(values), "PNG"))
    assert picture.image.getpixel((0, 0)) == (0, 0, 0)
    assert picture.image.getpixel((32, 31)) == (126, 126, 126)
    assert picture.image.getpixel((63, 63)) == (255, 255, 255)


@pytest.mark.parametrize("shade", [0, 255])
@pytest.mark.parametrize("bars", [(40, 0, 40, 0), (0, 30, 0, 28), (20, 20, 20, 20)])
def test_black_and_white_bars_are_trimmed_despite_jpeg_noise(shade: int, bars: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = bars
    framed = Image.new("RGB", (120 + left + right, 160 + top + bottom), (shade,) * 3)
    framed.paste(drawn(), (left, top))
    picture = decoded(encoded(framed, "JPEG", quality=60))
    assert all(abs(found - drawn_width) <= 1 for found, drawn_width in zip(picture.bars, bars, strict=True))


def test_a_picture_is_measured_without_its_bars() -> None:
    framed = Image.new("RGB", (120, 160))
    framed.paste(drawn(120, 28), (0, 66))
    assert refused(encoded(framed, quality=95)).reason == "too_small"


def test_the_plain_background_of_a_studio_portrait_is_no_bar() -> None:
    portrait = Image.new("L", (100, 120), 255)
    portrait.paste(90, (30, 20, 70, 60))  # a head
    portrait.paste(40, (10, 60, 90, 120))  # shoulders
    assert letterbox_bars(portrait) == (0, 0, 0, 0)


def test_a_bar_on_one_side_only_is_part_of_the_picture() -> None:
    image = drawn().convert("L")
    image.paste(0, (0, 0, 120, 40))
    assert letterbox_bars(image) == (0, 0, 0, 0)


def test_an_all_black_picture_keeps_its_size() -> None:
    assert letterbox_bars(Image.new("L", (50, 50), 0)) == (0, 0, 0, 0)
