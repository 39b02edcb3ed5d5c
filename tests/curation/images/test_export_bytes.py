"""The bytes that go into the dataset: pixels kept where possible, metadata never."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from curation.images.export_bytes import dataset_picture, strip_jpeg


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
