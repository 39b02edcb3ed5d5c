"""The embedded world's pictures: recognisable, apart from each other, and dirty where it says so."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from benchmarks.contact_sheet import contact_sheet
from sources.sandbox.commons_files import ROUND, Plant
from sources.sandbox.file_bytes import PictureStore
from sources.sandbox.portraits import distinct
from sources.sandbox.portraits.distinct import ACROSS_BITS, FaceBook, keep_apart, perceptual_hash
from sources.sandbox.portraits.faces import Face, make_face
from sources.sandbox.portraits.portrait import draw_portrait, draw_sketch, extra_renderings
from sources.sandbox.world import FEW_VIEWS, NAMESAKE, NO_IMAGES, ODD_NAME, World, make_world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=24, seed=7)


@pytest.fixture(scope="module")
def store(world: World) -> PictureStore:
    return PictureStore(world)


def plants_of(world: World, kind: str) -> list[Plant]:
    found = [plant for plant in world.plants if plant.kind == kind]
    assert found, f"no {kind} is planted"
    return found


def hash_of(store: PictureStore, title: str) -> np.uint64:
    with Image.open(io.BytesIO(store.content(title))) as image:
        return perceptual_hash(image.convert("L"))


def nearest(hashes: list[np.uint64]) -> int:
    column = np.array(hashes, dtype=np.uint64)
    distances = np.bitwise_count(column[:, None] ^ column[None, :]).astype(int)
    np.fill_diagonal(distances, 64)
    return int(distances.min())


def test_clean_views_of_24_people_are_at_least_ten_bits_apart(world: World) -> None:
    faces = [world.face(person.index) for person in world.roster.values()]
    assert nearest([perceptual_hash(draw_portrait(face, view)) for face in faces for view in range(1, 5)]) >= 10


@pytest.mark.slow
def test_clean_views_of_60_people_are_more_than_eight_bits_apart() -> None:
    world = make_world(people=60, seed=11)
    faces = [world.face(index) for index in range(60)]
    assert nearest([perceptual_hash(draw_portrait(face, view)) for face in faces for view in range(1, 5)]) > 8


def test_a_face_too_like_another_is_drawn_another_way(world: World) -> None:
    face = world.face(5)
    settled, _ = keep_apart({5: face, 6: face}, [(5, 1), (6, 1)])
    assert settled[5] == face
    assert settled[6].variations[-1][0] == 1
    assert perceptual_hash(draw_portrait(settled[6], 1)) != perceptual_hash(draw_portrait(face, 1))


def test_a_face_too_like_one_of_an_earlier_block_is_drawn_another_way(world: World) -> None:
    face = world.face(5)
    taken = perceptual_hash(draw_sketch(face, 1))
    settled, hashes = keep_apart({5: face}, [(5, 1)], earlier=np.array([taken], dtype=np.uint64))
    assert settled[5].variations[-1][0] == 1
    assert hashes[0] == taken
    assert int(np.bitwise_count(hashes[0] ^ hashes[1])) >= ACROSS_BITS


def test_a_portrait_is_the_same_every_time_and_of_the_stated_size(world: World) -> None:
    first = draw_portrait(world.face(0), 2)
    again = draw_portrait(make_world(people=24, seed=7).face(0), 2)
    assert first.size == (512, 640)
    assert first.tobytes() == again.tobytes()


def test_views_of_a_person_share_their_colours_more_than_strangers_do(world: World) -> None:
    def thumb(index: int, view: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(draw_sketch(world.face(index), view).resize((8, 8)), dtype=np.float64)

    known = [np.mean([thumb(index, view) for view in (1, 2, 3)], axis=0) for index in range(24)]
    nearest_known = [int(np.argmin([np.abs(thumb(index, 4) - face).mean() for face in known])) for index in range(24)]
    assert sum(found == index for index, found in enumerate(nearest_known)) >= 18


def test_extra_renderings_differ_from_each_other_and_from_the_views(world: World) -> None:
    face = world.face(1)
    drawn = [draw_portrait(face, view).tobytes() for view in range(1, 12)]
    drawn += [image.tobytes() for image in extra_renderings(face, 6)]
    assert len(set(drawn)) == 17


def test_every_kind_of_dirt_is_planted_even_in_the_smallest_world() -> None:
    kinds = {plant.kind for plant in make_world(people=4, seed=1).plants}
    assert {*ROUND, "cmyk", "alpha", "rotated", "personality"} == kinds


def test_every_subject_has_four_clean_views_and_some_dirt(world: World) -> None:
    for qid in world.subjects:
        assert [picture.view for picture in world.clean_pictures(qid)] == [1, 2, 3, 4]
        assert 1 <= sum(plant.subject == qid and plant.kind in ROUND for plant in world.plants) <= 6


def test_clean_views_come_in_their_order_by_origin_and_title(world: World) -> None:
    clean_titles = {picture.title for qid in world.roster for picture in world.clean_pictures(qid)}
    kept = {plant.original for plant in world.plants if plant.kind.startswith("shared")} | clean_titles
    for qid in world.subjects:
        gallery, clean = world.gallery, [picture.title for picture in world.clean_pictures(qid)]
        category = next(names for names in gallery.categories.values() if clean[0] in names)
        listed = dict.fromkeys([*gallery.portraits[qid][:1], *category, *gallery.depicts.get(qid, ())])
        assert [title for title in listed if title in kept][:4] == clean


def test_exact_duplicates_have_the_same_bytes(world: World, store: PictureStore) -> None:
    for plant in plants_of(world, "exact_duplicate"):
        assert store.content(plant.title) == store.content(plant.original)


@pytest.mark.parametrize("kind", ["recompressed", "resized", "brighter", "shared_copy"])
def test_near_duplicates_lie_within_six_bits_of_their_originals(world: World, store: PictureStore, kind: str) -> None:
    for plant in plants_of(world, kind):
        assert store.content(plant.title) != store.content(plant.original)
        assert int(np.bitwise_count(hash_of(store, plant.title) ^ hash_of(store, plant.original))) <= 6


def test_a_shared_picture_is_filed_under_two_people(world: World) -> None:
    for plant in plants_of(world, "shared_file"):
        filed = [qid for qid, titles in world.gallery.depicts.items() if plant.title in titles]
        assert len(filed) == 2
        assert plant.subject in filed


@pytest.mark.parametrize("kind", ["truncated", "fake_jpeg", "empty"])
def test_broken_files_do_not_decode(world: World, store: PictureStore, kind: str) -> None:
    for plant in plants_of(world, kind):
        with (
            pytest.raises((UnidentifiedImageError, OSError)),
            Image.open(io.BytesIO(store.content(plant.title))) as image,
        ):
            image.load()


def opened(store: PictureStore, title: str) -> Image.Image:
    image = Image.open(io.BytesIO(store.content(title)))
    image.load()
    return image


def test_odd_encodings_are_what_they_say(world: World, store: PictureStore) -> None:
    assert opened(store, plants_of(world, "cmyk")[0].title).mode == "CMYK"
    assert opened(store, plants_of(world, "alpha")[0].title).mode == "RGBA"
    assert opened(store, plants_of(world, "too_small")[0].title).size == (64, 80)
    assert getattr(opened(store, plants_of(world, "animated")[0].title), "n_frames", 1) == 3
    assert store.content(plants_of(world, "pdf")[0].title).startswith(b"%PDF")


def test_the_rotated_file_lies_on_its_side_and_says_so(world: World, store: PictureStore) -> None:
    picture = opened(store, plants_of(world, "rotated")[0].title)
    assert picture.size == (640, 512)
    assert picture.getexif()[0x0112] == 6
    assert store.measures(plants_of(world, "rotated")[0].title).width == 512


def test_licences_missing_and_noncommercial_are_planted(world: World) -> None:
    pictures = world.gallery.pictures
    assert {pictures[plant.title].licence for plant in plants_of(world, "unlicensed")} == {"none"}
    assert {pictures[plant.title].licence for plant in plants_of(world, "noncommercial")} == {"by-nc"}


def test_the_lost_portrait_is_named_but_does_not_exist(world: World) -> None:
    for plant in plants_of(world, "missing_file"):
        assert plant.title in world.gallery.portraits[plant.subject]
        assert plant.title not in world.gallery.pictures


def test_people_without_enough_pictures_exist(world: World) -> None:
    assert world.clean_pictures(NO_IMAGES) == ()
    assert len(world.clean_pictures(FEW_VIEWS)) == 2
    assert len(world.clean_pictures(NAMESAKE)) == 4


def test_no_file_name_has_a_slash(world: World) -> None:
    assert not any("/" in title for title in world.gallery.pictures)
    assert len(world.clean_pictures(ODD_NAME)) == 4


def test_the_contact_sheet_shows_two_people_a_row(world: World) -> None:
    two, four = contact_sheet(world, people=2), contact_sheet(world, people=4)
    assert two.width == four.width
    assert four.height > 1.9 * two.height - 10


def alike(kept: Path | None) -> FaceBook:
    """Three people of one face, so that most views must be varied."""

    def make(index: int) -> Face:
        return replace(make_face(3, 0, female=True, elderly=False), key=f"{index}")

    views = [(index, view) for index in range(3) for view in (1, 2)]
    return FaceBook(make, views, people=3, kept=kept)


def test_settled_faces_are_the_same_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [alike(None).face(index) for index in range(3)]
    assert any(face.variations for face in wanted)
    assert [alike(tmp_path).face(index) for index in range(3)] == wanted
    monkeypatch.setattr(distinct, "keep_apart", lambda *_, **__: pytest.fail("worked out again"))
    assert [alike(tmp_path).face(index) for index in range(3)] == wanted


@pytest.mark.parametrize("content", ["", "{", '{"variations": {}, "hashes": []}', '{"variations": {"9": []}}', "[]"])
def test_a_damaged_cache_of_faces_is_worked_out_again(tmp_path: Path, content: str) -> None:
    wanted = alike(tmp_path).face(2)
    (kept,) = tmp_path.glob("*.json")
    whole = kept.read_text()
    kept.write_text(content)
    assert alike(tmp_path).face(2) == wanted
    assert kept.read_text() == whole


def test_other_drawing_code_has_other_settled_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alike(tmp_path).face(0)
    monkeypatch.setattr(distinct, "drawing_digest", lambda: "other")
    alike(tmp_path).face(0)
    assert len(list(tmp_path.glob("*.json"))) == 2
