"""Perceptual hashes of a scaled decode, and the screen of one candidate picture."""

import hashlib
import io

import imagehash
import numpy as np
import pytest
from PIL import Image as PilImage

from curation.images.decoding import Picture, decode_picture
from curation.images.perceptual_hash import HASH_SIDE, picture_hashes, screen_picture
from schemas.records.build_rows import Drop, Image, ImageHashes, Licence
from tests.documents import ROOT

PHOTOS = ROOT.parent / "shared" / "recorded" / "images"
LIMITS = {"min_side": 64, "max_pixels": 60_000_000, "max_bytes": 40_000_000}
FREE = Licence(
    short_name="CC0", code="cc0", url="", usage_terms="", artist="", credit="", attribution="",
    attribution_required=False, restrictions="", non_free=False,
)  # fmt: skip


def jpeg(image: PilImage.Image, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def photo_like(seed: int, *, size: tuple[int, int] = (640, 800)) -> PilImage.Image:
    """Blobs of several sizes with noise over them: energy at all frequencies, as in a photo."""
    generator = np.random.default_rng(seed)
    image = np.zeros((size[1], size[0], 3))
    for cells in (3, 6, 12, 24):
        coarse = PilImage.fromarray(generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image += np.asarray(coarse.resize(size, PilImage.Resampling.BICUBIC), dtype=float) / cells
    noisy = image * 255 / image.max() * 0.9 + generator.normal(0, 6, image.shape)
    return PilImage.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def candidate(content: bytes, *, licence: Licence = FREE) -> Image:
    return Image(
        image_id=f"001-{hashlib.sha256(content).hexdigest()[:12]}", subject_id="001", title="A.jpg", origin="portrait",
        page_id=1, source_url="", description_url="", description="", width=1, height=1, mime="image/jpeg",
        sha1=hashlib.sha1(content).hexdigest(), timestamp="2020-01-01T00:00:00Z", licence=licence, content=content,
    )  # fmt: skip


def scaled_hashes(content: bytes) -> tuple[str, str]:
    picture = decode_picture(content, **LIMITS, draft_side=HASH_SIDE)
    assert isinstance(picture, Picture)
    return picture_hashes(picture.image)


def bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_the_scaled_decode_drifts_by_no_bit_in_the_median_from_the_full_one() -> None:
    contents = [jpeg(photo_like(seed, size=(1024, 1024)), quality=88) for seed in range(9)]
    drifts = [
        bits(scaled_hashes(content)[0], str(imagehash.phash(PilImage.open(io.BytesIO(content)))))
        for content in contents
    ]
    assert np.median(drifts) == 0
    assert max(drifts) <= 2


@pytest.mark.parametrize(
    ("change", "most"),
    [("recompressed", 2), ("resized", 2), ("brighter", 6), ("grey", 0), ("pillarboxed", 4)],
)
def test_a_changed_copy_stays_near(change: str, most: int) -> None:
    for seed in range(4):
        image = photo_like(seed)
        copies = {
            "recompressed": lambda image: jpeg(image, quality=40),
            "resized": lambda image: jpeg(image.resize((330, 412))),
            "brighter": lambda image: jpeg(image.point([min(255, int(level * 1.2)) for level in range(256)] * 3)),
            "grey": lambda image: jpeg(image.convert("L"), quality=92),
            "pillarboxed": lambda image: jpeg(pillarbox(image)),
        }
        assert bits(scaled_hashes(jpeg(image, quality=92))[0], scaled_hashes(copies[change](image))[0]) <= most


def pillarbox(image: PilImage.Image) -> PilImage.Image:
    wide = PilImage.new("RGB", (image.width * 2, image.height))
    wide.paste(image, (image.width // 2, 0))
    return wide


def test_different_pictures_are_far_apart() -> None:
    hashes = [scaled_hashes(jpeg(photo_like(seed)))[0] for seed in range(12)]
    assert min(bits(one, other) for i, one in enumerate(hashes) for other in hashes[:i]) > 12


def test_a_good_candidate_is_measured_and_hashed() -> None:
    found = screen_picture(candidate(jpeg(photo_like(1))), **LIMITS)
    assert isinstance(found, ImageHashes)
    assert (found.width, found.height, len(found.phash), len(found.dhash)) == (640, 800, 16, 16)


def test_a_damaged_candidate_becomes_a_drop_that_names_its_title() -> None:
    drop = screen_picture(candidate(jpeg(photo_like(1))[:4000]), **LIMITS)
    assert isinstance(drop, Drop)
    assert (drop.stage, drop.subject_id, drop.reason) == ("screen", "001", "broken_file")
    assert drop.detail.startswith("A.jpg: JPEG: ")


def test_a_candidate_without_licence_becomes_a_drop() -> None:
    bare = FREE.model_copy(update={"short_name": "", "code": ""})
    drop = screen_picture(candidate(jpeg(photo_like(1)), licence=bare), **LIMITS)
    assert isinstance(drop, Drop)
    assert drop.reason == "licence_missing"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the recorded photos in ../shared/recorded/images")
def test_recorded_photos_hash_within_two_bits_of_a_full_decode() -> None:
    drifts = []
    for path in sorted(PHOTOS.glob("*/*")):
        if not path.name.startswith("obama-"):  # letterboxed: trimmed before hashing
            drifts.append(bits(scaled_hashes(path.read_bytes())[0], str(imagehash.phash(PilImage.open(path)))))
    assert len(drifts) == 9
    assert max(drifts) <= 2
    assert np.median(drifts) == 0
