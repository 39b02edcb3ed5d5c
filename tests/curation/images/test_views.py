"""Which clean pictures become views 001 to 004."""

from curation.images.views import assign_views
from schemas.records.build_rows import ImageHashes


def picture(title: str, origin: str = "category") -> ImageHashes:
    return ImageHashes.model_validate({
        "image_id": f"001-{title}", "subject_id": "001", "title": title, "origin": origin, "width": 300, "height": 400,
        "sha1": "", "timestamp": "", "description": "", "phash": "0" * 16, "dhash": "0" * 16,
    })  # fmt: skip


def test_views_go_to_the_portrait_then_category_then_depicts_each_by_title() -> None:
    pictures = [picture("d", "depicts"), picture("c"), picture("b"), picture("z", "portrait")]
    views = assign_views("001", pictures, min_views=4)
    assert [(one.title, view) for one, view in views.assigned] == [
        ("z", "001"),
        ("b", "002"),
        ("c", "003"),
        ("d", "004"),
    ]
    assert views.drop is None


def test_pictures_beyond_the_fourth_are_spares() -> None:
    views = assign_views("001", [picture(title) for title in "fedcba"], min_views=4)
    assert [view for _, view in views.assigned] == ["001", "002", "003", "004", None, None]


def test_a_subject_with_too_few_pictures_is_dropped_and_gets_no_view() -> None:
    views = assign_views("001", [picture("a"), picture("b")], min_views=3)
    assert [view for _, view in views.assigned] == [None, None]
    assert views.drop is not None
    assert (views.drop.subject_id, views.drop.reason) == ("001", "too_few_views")
    assert views.drop.detail == "2 clean pictures, 3 wanted"


def test_fewer_than_four_views_are_enough_where_the_recipe_says_so() -> None:
    views = assign_views("001", [picture("a"), picture("b")], min_views=1)
    assert [view for _, view in views.assigned] == ["001", "002"]
    assert views.drop is None


def test_a_subject_without_pictures_stays_if_none_is_wanted() -> None:
    assert assign_views("001", [], min_views=0).drop is None
