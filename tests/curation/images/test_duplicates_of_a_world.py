"""The picture rules on the embedded world, whose planted dirt is known."""

import hashlib

import pytest

from curation.images.decoding import Picture, decode_picture
from curation.images.duplicates import HashColumns, find_links, settle
from curation.images.perceptual_hash import HASH_SIDE, picture_hashes
from curation.images.views import assign_views
from schemas.records.build_rows import ImageHashes
from sources.sandbox.commons_files import file_base
from sources.sandbox.file_bytes import original_bytes
from sources.sandbox.world import World, make_world

PLANTED = ("exact_duplicate", "recompressed", "resized", "brighter", "shared_file", "shared_copy")


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=24, seed=7)


def looked_at(world: World) -> dict[str, tuple[Picture, str]]:
    """Every decodable file of the world's Commons, with the sha1 of its bytes."""
    found = {}
    for title, file in world.gallery.pictures.items():
        if file.mime != "application/pdf":
            content = original_bytes(file, world.face(file.owner))
            picture = decode_picture(content, max_bytes=10**8, max_pixels=10**8, min_side=128, draft_side=HASH_SIDE)
            if isinstance(picture, Picture):
                found[title] = (picture, hashlib.sha1(content).hexdigest())
    return found


@pytest.fixture(scope="module")
def candidates(world: World) -> list[ImageHashes]:
    """What every subject has under P18, in the category and by depicts, as the images stage would list it."""
    files, rows = looked_at(world), []
    for number, qid in enumerate(world.subjects, start=1):
        gallery, person, seen = world.gallery, world.roster[qid], set()
        listed = [
            *(("portrait", title) for title in gallery.portraits.get(qid, ())),
            *(("category", title) for title in gallery.categories.get(file_base(person), ())),
            *(("depicts", title) for title in gallery.depicts.get(qid, ())),
        ]
        for origin, title in listed:
            if title in files and title not in seen:
                seen.add(title)
                picture, sha1 = files[title]
                phash, dhash = picture_hashes(picture.image)
                file = gallery.pictures[title]
                rows.append(
                    ImageHashes(
                        image_id=f"{number:03d}-{sha1[:12]}",
                        subject_id=f"{number:03d}",
                        title=title,
                        origin=origin,
                        width=picture.width,
                        height=picture.height,
                        sha1=sha1,
                        timestamp=file.timestamp,
                        description=file.description,
                        phash=phash,
                        dhash=dhash,
                    )
                )
    return rows


@pytest.fixture(scope="module")
def kept(world: World, candidates: list[ImageHashes]) -> list[ImageHashes]:
    names = {f"{number:03d}": (world.roster[qid].name,) for number, qid in enumerate(world.subjects, start=1)}
    columns = HashColumns(*([getattr(row, name) for row in candidates] for name in ("sha1", "phash", "dhash")))
    gone = settle(candidates, find_links(columns, radius=6), names=names).gone
    return [row for position, row in enumerate(candidates) if position not in gone]


def test_every_planted_duplicate_is_found(world: World, kept: list[ImageHashes]) -> None:
    numbers = {qid: f"{number:03d}" for number, qid in enumerate(world.subjects, start=1)}
    shown = {(picture.subject_id, picture.title) for picture in kept}
    planted = [(numbers[plant.subject], plant.title) for plant in world.plants if plant.kind in PLANTED]
    assert len(planted) >= 20
    assert [one for one in planted if one in shown] == []


def test_no_clean_view_is_lost(world: World, candidates: list[ImageHashes], kept: list[ImageHashes]) -> None:
    def clean(pictures: list[ImageHashes]) -> set[str]:
        files = world.gallery.pictures
        plants = {plant.title for plant in world.plants if plant.kind in PLANTED}
        return {one.title for one in pictures if files[one.title].view <= 4 and one.title not in plants}

    assert len(clean(candidates)) >= 80
    assert clean(candidates) == clean(kept)


def test_the_four_clean_views_become_views_001_to_004_in_order(world: World, kept: list[ImageHashes]) -> None:
    own = [picture for picture in kept if picture.subject_id == "002"]
    views = assign_views("002", own, min_views=4)
    numbered = [world.gallery.pictures[picture.title].view for picture, view in views.assigned if view is not None]
    assert numbered == [1, 2, 3, 4]
