"""Perceptual hashes of a candidate picture, both computed from one scaled decode without letterbox bars."""

import imagehash
from PIL import Image as PilImage

from curation.images.decoding import decode_picture
from curation.images.faces import SIDE, face_problem
from curation.images.licences import licence_problem
from schemas.records.build_rows import Drop, Image, ImageHashes
from schemas.records.drop_reasons import Refusal

HASH_SIDE = 128
"""Least side of the scaled decode in pixels: JPEGs of 1024 pixels are decoded at an eighth, of 960 at a quarter."""
_PHASH_SIDE = 32
"""Side to which phash scales a picture; dhash is taken from the same small picture."""


def picture_hashes(image: PilImage.Image) -> tuple[str, str]:
    """DCT hash (phash) and gradient hash (dhash) of a picture, 64 bits each as 16 hex digits.

    The phash is that of `imagehash.phash(image)`; both hashes share its scaling to 32 x 32 pixels.
    """
    small = image.convert("L").resize((_PHASH_SIDE, _PHASH_SIDE), PilImage.Resampling.LANCZOS)
    return str(imagehash.phash(small)), str(imagehash.dhash(small))


def screen_picture(
    image: Image, *, min_side: int, max_pixels: int, max_bytes: int, one_face: bool = False
) -> ImageHashes | Drop:
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
    if one_face:
        # The decode for hashing is too small for faces, and another one would give other hashes.
        larger = decode_picture(
            image.content, max_bytes=max_bytes, max_pixels=max_pixels, min_side=min_side, draft_side=SIDE
        )
        problem = larger if isinstance(larger, Refusal) else face_problem(larger.image)
        if problem is not None:
            return _drop(image, problem)
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
