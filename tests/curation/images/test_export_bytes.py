"""The bytes that go into the dataset: pixels kept where possible, metadata never."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from curation.images.decoding import Picture, decode_picture
from curation.images.export_bytes import dataset_picture
from curation.images.picture_metadata import strip_jpeg
from tests.documents import ROOT
from tests.worlds.icc_profiles import cmyk_profile, grey_profile, rgb_profile


def drawn(width: int = 120, height: int = 160) -> Image.Image:
    coarse = np.random.default_rng(3).integers(30, 226, (6, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=int)


def private_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = "Home of the photographer"
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def test_a_plain_jpeg_is_kept_as_served() -> None:
    content = encoded(drawn())
    found = dataset_picture(content, max_side=200)
    assert (found.content, found.mime, found.width, found.height) == (content, "image/jpeg", 120, 160)
    assert found.transformation == ""


def test_a_plain_png_is_kept_as_served() -> None:
    content = encoded(drawn(), "PNG")
    found = dataset_picture(content, max_side=200)
    assert (found.content, found.mime, found.transformation) == (content, "image/png", "")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}])
def test_metadata_of_a_jpeg_goes_and_its_pixels_stay_bit_for_bit(options: dict[str, object]) -> None:
    content = encoded(drawn(), exif=private_exif(), comment=b"by Ada", icc_profile=b"icc" * 9, **options)
    content += b"a second picture after the end"
    found = dataset_picture(content, max_side=200)
    assert b"photographer" in content
    assert not any(word in found.content for word in (b"photographer", b"Exif", b"by Ada", b"second"))
    assert b"icciccicc" in found.content
    assert (pixels(found.content) == pixels(content)).all()
    assert found.transformation == "metadata removed, pixels unchanged"


def test_metadata_of_a_png_goes_and_its_pixels_stay() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "Ada")
    content = encoded(drawn(), "PNG", pnginfo=text, exif=private_exif())
    found = dataset_picture(content, max_side=200)
    assert b"Ada" not in found.content
    assert b"photographer" not in found.content
    assert (pixels(found.content) == pixels(content)).all()


def test_a_jpeg_that_stops_between_segments_cannot_be_stripped() -> None:
    assert strip_jpeg(encoded(drawn())[:30]) is None


def test_a_turned_picture_is_encoded_upright_and_says_so() -> None:
    exif = private_exif()
    exif[0x0112] = 6
    found = dataset_picture(encoded(drawn(160, 120), exif=exif), max_side=200)
    assert (found.width, found.height) == (120, 160)
    assert Image.open(io.BytesIO(found.content)).getexif().get(0x0112, 1) == 1
    assert found.transformation == (
        "turned upright; encoded again from JPEG (RGB) as JPEG of quality 90, metadata removed"
    )


def test_a_large_picture_is_scaled_to_the_longer_side() -> None:
    found = dataset_picture(encoded(drawn(300, 600)), max_side=200)
    assert (found.width, found.height) == Image.open(io.BytesIO(found.content)).size == (100, 200)
    assert found.transformation.startswith("scaled down from 300 x 600 to 100 x 200 pixels; ")


@pytest.mark.parametrize(
    ("mode", "kind"), [("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "GIF"), ("RGB", "WEBP"), ("RGB", "TIFF")]
)
def test_other_colours_and_formats_become_rgb_jpeg(mode: str, kind: str) -> None:
    found = dataset_picture(encoded(drawn().convert(mode), kind), max_side=200)
    assert found.mime == "image/jpeg"
    assert Image.open(io.BytesIO(found.content)).mode == "RGB"
    assert f"encoded again from {kind}" in found.transformation


def test_a_smaller_rendition_of_the_source_is_named_as_a_change() -> None:
    found = dataset_picture(encoded(drawn()), max_side=200, source_size=(1200, 1600))
    assert found.transformation == "scaled down from 1200 x 1600 pixels by the source"


def test_the_same_file_gives_the_same_bytes() -> None:
    content = encoded(drawn().convert("RGBA"), "PNG")
    assert dataset_picture(content, max_side=100) == dataset_picture(content, max_side=100)


def shared_case(name: str) -> bytes:
    path = ROOT.parent / "shared" / "cases" / "data" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path.read_bytes()


def with_segment(content: bytes, segment: bytes) -> bytes:
    return content[:2] + segment + content[2:]


def exif_of_orientation(value: bytes, *, kind: int = 3, count: int = 1) -> bytes:
    """An APP1 segment whose one tag is an orientation of that TIFF type."""
    body = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01" + struct.pack("<HI", kind, count) + value.ljust(4, b"\0") + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


JUNK = {
    "after a segment that goes": lambda content: with_segment(content, b"\xff\xe1\x00\x04xxjunk"),
    "an escaped ff": lambda content: content.replace(b"\xff\xdb", b"\xff\x00\xff\x00\xff\xdb", 1),
    "fill bytes": lambda content: with_segment(content, b"\xff\xff\xff"),
    "before the tables": lambda content: content.replace(b"\xff\xdb", b"by Ada\xff\xdb", 1),
    "a comment between scans": lambda content: content.replace(b"\xff\xda", b"\xff\xfe\x00\x08by Ada\xff\xda"),
}


@pytest.mark.parametrize("place", JUNK)
@pytest.mark.parametrize("progressive", [False, True])
def test_bytes_between_segments_go_and_the_pixels_stay(place: str, progressive: bool) -> None:
    content = JUNK[place](encoded(drawn(), exif=private_exif(), progressive=progressive))
    found = dataset_picture(content, max_side=200)
    assert found.content.startswith(b"\xff\xd8\xff")
    assert b"Ada" not in found.content
    assert (pixels(found.content) == pixels(content)).all()
    assert found.transformation == "metadata removed, pixels unchanged"


def test_the_recorded_file_with_junk_between_segments_opens() -> None:
    content = shared_case("junk_between_segments.jpg")
    found = dataset_picture(content, max_side=960)
    assert (pixels(found.content) == pixels(content)).all()
    assert b"Exif" not in found.content


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_a_file_that_would_show_other_pixels_without_its_metadata_is_encoded_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, other = encoded(drawn(), name), encoded(drawn().rotate(180), name)
    monkeypatch.setattr("curation.images.export_bytes.without_metadata", lambda content, file_format: other)
    found = dataset_picture(content, max_side=200)
    assert "encoded again" in found.transformation
    assert np.abs(pixels(found.content) - pixels(content)).mean() < 5


BROKEN_EXIF = {
    "orientation 0": exif_of_orientation(b"\0"),
    "orientation 9": exif_of_orientation(b"\x09"),
    "a text for an orientation": exif_of_orientation(b"up\0", kind=2, count=3),
    "an offset outside of the block": exif_of_orientation(b"\xff\xff\xff\x7f", kind=2, count=400),
    "no TIFF": b"\xff\xe1\x00\x10Exif\0\0nonsense",
    "an empty block": b"\xff\xe1\x00\x08Exif\0\0",
    "a directory without an end": b"\xff\xe1\x00\x14Exif\0\0II*\0\x08\0\0\0\xff\xff",
}


@pytest.mark.parametrize("kind", BROKEN_EXIF)
def test_broken_exif_is_removed_and_the_pixels_stay(kind: str) -> None:
    content = with_segment(encoded(drawn()), BROKEN_EXIF[kind])
    found = dataset_picture(content, max_side=200)
    assert (pixels(found.content) == pixels(content)).all()
    assert found.transformation == "metadata removed, pixels unchanged"


@pytest.mark.parametrize("kind", BROKEN_EXIF)
def test_broken_exif_does_not_make_a_picture_broken(kind: str) -> None:
    content = with_segment(encoded(drawn()), BROKEN_EXIF[kind])
    picture = decode_picture(content, max_bytes=10**7, max_pixels=10**7, min_side=32)
    assert isinstance(picture, Picture)
    assert (picture.width, picture.height) == (120, 160)


def test_the_recorded_file_of_orientation_zero_keeps_its_pixels() -> None:
    content = shared_case("exif_orientation_zero.jpg")
    found = dataset_picture(content, max_side=960)
    assert (pixels(found.content) == pixels(content)).all()
    assert found.transformation == "metadata removed, pixels unchanged"


def test_a_png_whose_text_cannot_be_read_is_kept_without_it() -> None:
    chunk = b"zTXtAda\0\0not deflated"
    bad = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", 1)
    plain = encoded(drawn(), "PNG")
    content = plain[:33] + bad + plain[33:]
    found = dataset_picture(content, max_side=200)
    assert found.content == plain
    assert isinstance(decode_picture(content, max_bytes=10**7, max_pixels=10**7, min_side=32), Picture)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    content = encoded(drawn(), "PNG", exif=exif)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))), dtype=int)
    assert np.abs(pixels(dataset_picture(content, max_side=200).content) - wanted).mean() < 5


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_a_profile_of_rgb_values_stays_with_them(mode: str) -> None:
    content = encoded(drawn().convert(mode), "PNG", icc_profile=rgb_profile())
    found = Image.open(io.BytesIO(dataset_picture(content, max_side=200).content))
    assert found.info["icc_profile"] == rgb_profile()


@pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16"])
def test_grey_values_are_converted_by_their_profile(mode: str) -> None:
    grey = Image.new("L", (160, 160), 255 if mode == "1" else 128)
    if mode == "I;16":
        grey = Image.fromarray(np.full((160, 160), 128 << 8, dtype=np.uint16))
    content = encoded(grey if mode == "I;16" else grey.convert(mode), "PNG", icc_profile=grey_profile())
    found = dataset_picture(content, max_side=100)
    assert found.transformation.startswith("colours converted to sRGB; ")
    assert np.abs(pixels(found.content) - (255 if mode == "1" else 188)).max() <= 2
    assert "icc_profile" not in Image.open(io.BytesIO(found.content)).info


def test_cmyk_values_are_converted_by_their_profile() -> None:
    content = encoded(Image.new("CMYK", (160, 160), (255, 0, 0, 0)), icc_profile=cmyk_profile())
    found = dataset_picture(content, max_side=200)
    red, green, blue = pixels(found.content)[80, 80]
    assert found.transformation.startswith("colours converted to sRGB; ")
    assert green > 120 > red
    assert green > blue  # without the profile this ink is cyan


@pytest.mark.parametrize(
    ("mode", "profile"),
    [("RGB", grey_profile()), ("RGBA", cmyk_profile()), ("CMYK", b"none")],
    ids=["grey beside RGB", "CMYK beside RGBA", "none beside CMYK"],
)
def test_a_profile_of_another_kind_than_the_pixels_is_left_out(mode: str, profile: bytes) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    content = encoded(drawn(400, 300).convert(mode), kind, icc_profile=profile)
    found = dataset_picture(content, max_side=200)
    assert "icc_profile" not in Image.open(io.BytesIO(found.content)).info
    assert "sRGB" not in found.transformation


def _png_with(kind: bytes, data: bytes, checksum: bytes) -> bytes:
    content = encoded(drawn(), "PNG")
    at = content.index(b"IDAT") - 4
    return content[:at] + struct.pack(">I", len(data)) + kind + data + checksum + content[at:]


@pytest.mark.parametrize("kind", ["iCCP", "tEXt", "eXIf", "gAMA", "pHYs"])
def test_a_damaged_note_of_a_png_does_not_decide_about_its_pixels(kind: str) -> None:
    content = _png_with(kind.encode(), b"Author\0Ada", b"\0\0\0\0")
    assert isinstance(decode_picture(content, max_bytes=1 << 20, max_pixels=1 << 20, min_side=20), Picture)
    assert dataset_picture(content, max_side=200).content == encoded(drawn(), "PNG")


@pytest.mark.parametrize("length", [0, 1])
def test_a_segment_shorter_than_its_own_length_is_left_out_and_the_pixels_stay(length: int) -> None:
    content = encoded(drawn())
    found = dataset_picture(content[:2] + bytes((255, 0xE1, 0, length)) + content[2:], max_side=200)
    assert (found.content, found.transformation) == (content, "metadata removed, pixels unchanged")
