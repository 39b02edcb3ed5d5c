"""One face a picture: recorded photos and copies of them, and what is refused."""

import sys

import pytest
from PIL import Image

from curation.images.faces import face_problem, require_detector
from schemas.errors import BadInput
from tests.documents import ROOT

PHOTOS = ROOT.parent / "shared" / "recorded" / "images"


def photo(name: str) -> Image.Image:
    if not (PHOTOS / name).is_file():
        pytest.skip(f"{PHOTOS / name} is absent")
    return Image.open(PHOTOS / name).convert("RGB")


ONE = ("obama/obama.jpg", "obama/obama2.jpg", "obama/obama3.jpg", "obama/obama-240p.jpg", "obama/obama-480p.jpg",
       "obama/obama-720p.jpg", "obama/obama-1080p.jpg", "obama/obama_small.jpg", "biden/biden.jpg",
       "collins/astronaut.png")  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_a_portrait_of_one_person_passes(name: str) -> None:
    assert face_problem(photo(name)) is None


def test_two_people_are_several_faces() -> None:
    found = face_problem(photo("biden/two_people.jpg"))
    assert found is not None
    assert found.reason == "several_faces"


@pytest.mark.parametrize("name", ["obama/obama_partial_face.jpg", "obama/obama_partial_face2.jpg"])
def test_a_part_of_a_face_is_no_face(name: str) -> None:
    found = face_problem(photo(name))
    assert found is not None
    assert found.reason == "no_face"


def test_a_plain_picture_has_no_face() -> None:
    found = face_problem(Image.new("RGB", (400, 400), (120, 130, 140)))
    assert found is not None
    assert found.reason == "no_face"


def test_a_face_below_the_least_share_is_too_small() -> None:
    found = face_problem(photo("obama/obama.jpg"), least_share=0.9)
    assert found is not None
    assert found.reason == "face_too_small"


def test_without_opencv_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from curation.images import faces

    faces._cascade.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(BadInput, match=r"pip install 'ppubench\[faces\]'"):
        require_detector()
