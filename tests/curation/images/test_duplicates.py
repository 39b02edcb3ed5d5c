"""Groups of the same picture, and which of a group stays."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.images.decoding import Picture, decode_picture
from curation.images.duplicates import (
    HashColumns,
    Settled,
    find_links,
    find_twins,
    settle,
    settle_beside,
)
from curation.images.perceptual_hash import HASH_SIDE, picture_hashes
from schemas.records.build_rows import ImageHashes
from tests.documents import ROOT

PHOTOS = ROOT.parent / "shared" / "recorded" / "images"
NAMES = {"001": ("Ada Lund", "A. Lund"), "002": ("Bo Örn",)}


def picture(image_id: str, phash: int = 0, dhash: int = 0, **changes: object) -> ImageHashes:
    fields = {
        "image_id": image_id, "subject_id": image_id[:3], "title": f"{image_id}.jpg", "origin": "category",
        "width": 300, "height": 400, "sha1": f"sha1 of {image_id}", "timestamp": "2020-01-01T00:00:00Z",
        "description": "", "phash": f"{phash:016x}", "dhash": f"{dhash:016x}",
    }  # fmt: skip
    return ImageHashes.model_validate(fields | changes)


def columns(*pictures: ImageHashes) -> HashColumns:
    return HashColumns([one.sha1 for one in pictures], [one.phash for one in pictures], [one.dhash for one in pictures])


def screened(*pictures: ImageHashes, radius: int = 6) -> Settled:
    return settle(pictures, find_links(columns(*pictures), radius=radius), names=NAMES)


def left(*pictures: ImageHashes, radius: int = 6) -> list[ImageHashes]:
    gone = screened(*pictures, radius=radius).gone
    return [one for position, one in enumerate(pictures) if position not in gone]


def kept(*pictures: ImageHashes, radius: int = 6) -> list[str]:
    return [one.image_id for one in left(*pictures, radius=radius)]


FAR = 0xFFFF_0000_FFFF_0000


def test_pictures_with_far_hashes_all_stay() -> None:
    assert kept(picture("001-a"), picture("001-b", FAR, FAR)) == ["001-a", "001-b"]


def test_a_hash_within_two_bits_is_a_duplicate_whatever_the_second_hash_says() -> None:
    assert kept(picture("001-a"), picture("001-b", 0b11, FAR)) == ["001-a"]
    assert kept(picture("001-a"), picture("001-b", 0b111, FAR)) == ["001-a", "001-b"]


def test_up_to_the_radius_and_a_third_more_the_second_hash_decides() -> None:
    ten_bits, eleven_bits = 0x3FF, 0x7FF
    assert kept(picture("001-a"), picture("001-b", 0xFF, ten_bits)) == ["001-a"]
    assert kept(picture("001-a"), picture("001-b", 0xFF, eleven_bits)) == ["001-a", "001-b"]
    assert kept(picture("001-a"), picture("001-b", 0x1FF, 0)) == ["001-a", "001-b"]


def test_a_radius_of_0_finds_equal_hashes_only() -> None:
    assert kept(picture("001-a"), picture("001-b", 0, FAR), picture("001-c", 1, 0), radius=0) == ["001-a", "001-c"]


def test_an_equal_sha1_is_a_duplicate_whatever_the_hashes_say() -> None:
    pictures = picture("001-a", sha1="same"), picture("001-b", FAR, FAR, sha1="same")
    assert kept(*pictures) == ["001-a"]
    assert [(row.exact, row.distance) for row in screened(*pictures).duplicates] == [(True, 32)]


def test_an_empty_sha1_says_nothing() -> None:
    assert kept(picture("001-a", sha1=""), picture("001-b", FAR, FAR, sha1="")) == ["001-a", "001-b"]


def test_the_portrait_stays_before_the_larger_picture() -> None:
    assert kept(picture("001-a", width=900), picture("001-b", origin="portrait")) == ["001-b"]


def test_the_larger_picture_stays_before_the_earlier_one() -> None:
    assert kept(picture("001-a", timestamp="2001"), picture("001-b", width=301)) == ["001-b"]


def test_the_earlier_picture_stays_before_the_first_title() -> None:
    assert kept(picture("001-a", title="A"), picture("001-b", title="B", timestamp="2019")) == ["001-b"]


def test_the_first_title_stays_where_nothing_else_differs() -> None:
    assert kept(picture("001-a", title="B"), picture("001-b", title="A")) == ["001-b"]


def test_a_chain_of_near_pictures_is_one_group() -> None:
    assert kept(picture("001-a", 0, 0), picture("001-b", 0x3F), picture("001-c", 0xFFF)) == ["001-a"]


def test_a_drop_names_the_picture_that_stays() -> None:
    (drop,) = screened(picture("001-a"), picture("001-b")).drops
    assert (drop.stage, drop.subject_id, drop.item) == ("screen", "001", "001-b")
    assert (drop.reason, drop.detail) == ("duplicate_same_subject", "001-b.jpg: same picture as 001-a")


def test_two_titles_with_the_same_bytes_leave_one_picture() -> None:
    pictures = picture("001-a", title="B"), picture("001-a", title="A")
    assert [one.title for one in left(*pictures)] == ["A"]
    assert [drop.detail for drop in screened(*pictures).drops] == ["B: same picture as 001-a"]


def test_a_picture_of_two_subjects_stays_with_the_one_whose_portrait_it_is() -> None:
    pictures = picture("001-a"), picture("002-a", origin="portrait", width=10)
    assert kept(*pictures) == ["002-a"]
    found = screened(*pictures)
    assert [(drop.item, drop.reason) for drop in found.drops] == [("001-a", "duplicate_other_subject")]
    assert [row.kept for row in found.duplicates] == ["002-a"]


def test_a_picture_of_two_subjects_stays_with_the_one_it_names() -> None:
    assert kept(picture("001-a", title="ADA_LUND at work.jpg"), picture("002-a", width=10)) == ["001-a"]
    assert kept(picture("001-a", width=900), picture("002-a", description="Portrait of Bo Orn, 1990")) == ["002-a"]


def test_part_of_a_word_is_not_a_name() -> None:
    assert kept(picture("001-a", description="Adalund"), picture("002-a", description="Bo Ornstein")) == []


def test_a_picture_that_names_both_or_neither_stays_with_nobody() -> None:
    for description in ("Ada Lund and Bo Örn", ""):
        found = screened(picture("001-a", description=description), picture("002-a", description=description))
        assert found.gone == {0, 1}
        assert {drop.reason for drop in found.drops} == {"duplicate_other_subject"}
        assert [row.kept for row in found.duplicates] == [""]


def test_the_portrait_of_two_subjects_stays_with_the_one_it_names() -> None:
    one = picture("001-a", origin="portrait", title="Ada Lund.jpg")
    assert kept(one, picture("002-a", origin="portrait", title="Ada Lund.jpg")) == ["001-a"]


def test_the_owner_of_a_shared_picture_keeps_its_best_copy() -> None:
    pictures = (
        picture("001-a", title="Ada Lund.jpg"), picture("001-b", title="Ada Lund 2.jpg", width=900), picture("002-a")
    )  # fmt: skip
    assert kept(*pictures) == ["001-b"]
    assert [(drop.item, drop.reason) for drop in screened(*pictures).drops] == [
        ("001-a", "duplicate_same_subject"),
        ("002-a", "duplicate_other_subject"),
    ]


def test_only_the_linked_pictures_are_needed_to_settle_a_group() -> None:
    pictures = [picture("001-a", FAR, FAR), picture("001-b"), picture("001-c")]
    links = find_links(columns(*pictures), radius=4)
    assert links.members() == [1, 2]
    assert settle({1: pictures[1], 2: pictures[2]}, links, names=NAMES).gone == {2}


@given(
    st.lists(st.tuples(st.sampled_from(["001", "002"]), st.sampled_from([0, 3, 0x3F, 0xFFF, FAR]), st.booleans())),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_pictures_changes_nothing_and_counts_add_up(rows, random) -> None:  # noqa: ANN001
    pictures = [
        picture(f"{subject}-{number}", phash, 0, origin="portrait" if portrait else "depicts")
        for number, (subject, phash, portrait) in enumerate(rows)
    ]
    shuffled = list(pictures)
    random.shuffle(shuffled)
    one, other = screened(*pictures), screened(*shuffled)
    assert len(one.gone) == len(one.drops)
    assert one.drops == other.drops
    assert set(kept(*pictures)) == set(kept(*shuffled))


def recorded(path: Path) -> ImageHashes:
    content = path.read_bytes()
    found = decode_picture(content, max_bytes=10**7, max_pixels=10**8, min_side=64, draft_side=HASH_SIDE)
    assert isinstance(found, Picture)
    phash, dhash = picture_hashes(found.image)
    subject = {"obama": "076", "biden": "627", "collins": "999"}[path.parent.name]
    return picture(f"{subject}-{path.stem}", int(phash, 16), int(dhash, 16), width=found.width, height=found.height)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the recorded photos in ../shared/recorded/images")
def test_of_the_recorded_photos_the_letterboxes_join_the_original_and_the_crops_cannot_be_found() -> None:
    pictures = [recorded(path) for path in sorted(PHOTOS.glob("*/*"))]
    found = screened(*pictures)
    # The four letterboxes are equal to each other, and once their bars are gone they join the original (phash 8,
    # dhash 4 to 6: they also lack its lowest 5 %). It stays, having the most pixels.
    assert [drop.item for drop in found.drops] == [f"076-obama-{height}p" for height in (1080, 240, 480, 720)]
    assert {row.distance for row in found.duplicates if row.kept} == {8}
    # Not found by a 64-bit hash: the tight crop of the face, the two partial faces and the letterboxed crop (all of
    # obama.jpg), and two_people.jpg, into which parts of obama3.jpg and biden.jpg are pasted.
    assert kept(*pictures) == [
        "627-biden", "627-two_people", "999-astronaut", "076-obama", "076-obama2", "076-obama3",
        "076-obama_partial_face", "076-obama_partial_face2", "076-obama_small",
    ]  # fmt: skip


def beside(new: list[ImageHashes], known: list[ImageHashes], standing: tuple[str, ...] = ()) -> Settled:
    found = columns(*new)
    twins = {position: known[other] for position, other in find_twins(found, columns(*known), radius=6).items()}
    links = find_links(found, radius=6)
    return settle_beside(new, links, twins, standing=standing, names=NAMES)


def test_a_new_picture_that_an_earlier_batch_has_goes_even_if_it_is_a_portrait() -> None:
    earlier = picture("001-a")
    settled = beside([picture("002-b", 0b11, origin="portrait"), picture("002-c", FAR, FAR)], [earlier], ("001-a",))
    assert settled.gone == {0}
    (drop,) = settled.drops
    assert (drop.reason, drop.subject_id) == ("duplicate_other_subject", "002")
    assert drop.detail == "002-b.jpg: same picture as 001-a, which shows that subject"
    (pair,) = settled.duplicates
    assert (pair.left_id, pair.right_id, pair.distance, pair.kept) == ("001-a", "002-b", 2, "001-a")


def test_what_is_linked_to_such_a_picture_goes_with_it_and_the_rest_is_settled_as_ever() -> None:
    # b is the earlier one; c is linked to b (2 bits) but 4 bits of both hashes from a, with a far second hash.
    near, linked = picture("002-b", 0b11, FAR), picture("002-c", 0b1111, FAR)
    twins = [picture("002-d", FAR, 1), picture("002-e", FAR, 1, width=900)]
    settled = beside([near, linked, *twins], [picture("001-a", 0, 0)])
    assert settled.gone == {0, 1, 2}
    assert [drop.reason for drop in settled.drops] == [
        "duplicate_other_subject", "duplicate_other_subject", "duplicate_same_subject",
    ]  # fmt: skip
    assert {pair.kept for pair in settled.duplicates} == {"", "002-e"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 15), max_size=6), st.lists(st.integers(0, 15), max_size=6))
def test_twins_are_exactly_the_pairs_that_a_self_join_links_across(new: list[int], known: list[int]) -> None:
    def some(prefix: str, values: list[int]) -> list[ImageHashes]:
        return [picture(f"{prefix}-{place:02d}", 37**value % 2**64, value) for place, value in enumerate(values)]

    ours, theirs = some("002", new), some("001", known)
    twins = find_twins(columns(*ours), columns(*theirs), radius=6)
    for position, one in enumerate(ours):
        linked = [find_links(columns(other, one), radius=6).left for other in theirs]
        assert (position in twins) == any(linked)
