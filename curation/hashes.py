"""Perceptual hashes of a candidate picture, both computed from one scaled decode without letterbox bars."""

import imagehash
from PIL import Image as PilImage

from curation.licences import licence_problem
from curation.pictures import decode_picture
from curation.refusals import Refusal
from schemas.records import Drop, Image, ImageHashes

HASH_SIDE = 192
"""Least side of the scaled decode in pixels: a 960- or 1024-pixel JPEG is decoded at a quarter of its size."""


def picture_hashes(image: PilImage.Image) -> tuple[str, str]:
    """DCT hash (phash) and gradient hash (dhash) of a picture, 64 bits each as 16 hex digits."""
    return str(imagehash.phash(image)), str(imagehash.dhash(image))


def screen_picture(image: Image, *, min_side: int, max_pixels: int, max_bytes: int) -> ImageHashes | Drop:
    """What a candidate's pixels say: size and hashes, or a drop of stage `screen` (licence, limits, damage).

    Pure and without shared state, so that pictures can be screened in any order and in several processes.
    """
    refusal = licence_problem(image.licence)
    if refusal is not None:
        return _drop(image, refusal)
    picture = decode_picture(
        image.content, max_bytes=max_bytes, max_pixels=max_pixels, min_side=min_side, draft_side=HASH_SIDE
    )
    if isinstance(picture, Refusal):
        return _drop(image, picture)
    phash, dhash = picture_hashes(picture.image)
    return ImageHashes(
        image_id=image.image_id,
        subject_id=image.subject_id,
        title=image.title,
        origin=image.origin,
        width=picture.width,
        height=picture.height,
        sha1=image.sha1,
        timestamp=image.timestamp,
        description=image.description,
        phash=phash,
        dhash=dhash,
    )


def _drop(image: Image, refusal: Refusal) -> Drop:
    return Drop(
        stage="screen",
        subject_id=image.subject_id,
        item=image.image_id,
        reason=refusal.reason,
        detail=f"{image.title}: {refusal.detail}",
    )
