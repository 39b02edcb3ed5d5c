"""Changed pictures: geometry by hand, the same bytes each time, and a name that can be read where it can be written."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from eval.routes.pictures import (
    CHANGES,
    changed,
    cropped,
    mirrored,
    run_name_in_picture,
    run_picture_changed,
    turned,
    with_name,
)
from tests.eval.routes.routes_world import UNSURE, FunctionModel, facts_told, given, portrait

TOLD = facts_told(4, forgotten=2)


def corners() -> Image.Image:
    """Two by two pixels: red and green above blue and white."""
    found = Image.new("RGB", (2, 2))
    found.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
    return found


def encoded(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)  # type: ignore[arg-type]
    return out.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_four_quarters_are_the_picture_again() -> None:
    assert turned(corners(), quarters=4).tobytes() == corners().tobytes()


def test_a_mirror_exchanges_left_and_right() -> None:
    assert mirrored(corners()).tobytes() == bytes([0, 255, 0, 255, 0, 0, 255, 255, 255, 0, 0, 255])


def test_a_crop_keeps_the_middle_of_its_area() -> None:
    assert cropped(Image.new("RGB", (100, 50)), area=0.64).size == (80, 40)


def test_one_pixel_can_be_cropped() -> None:
    assert cropped(Image.new("RGB", (1, 1)), area=0.6).size == (1, 1)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_the_same_bytes_each_time(name: str) -> None:
    assert changed(portrait("a"), CHANGES[name]) == changed(portrait("a"), CHANGES[name])


def test_a_picture_is_put_upright_before_it_is_changed() -> None:
    lying = corners().resize((4, 2))
    exif = lying.getexif()
    exif[0x0112] = 6
    assert opened(changed(encoded(lying, exif=exif), lambda picture: picture)).size == (2, 4)


def test_a_name_stands_in_a_bar_below_and_leaves_the_picture_alone() -> None:
    found = opened(with_name(encoded(Image.new("RGB", (200, 100), "red")), "Ada") or b"")
    assert found.size == (200, 114)
    assert found.crop((0, 0, 200, 100)).getcolors() == [(20_000, (255, 0, 0))]
    assert len(found.crop((0, 100, 200, 114)).getcolors() or ()) > 1


def test_a_name_in_letters_with_accents_is_written_without_them() -> None:
    plain = encoded(Image.new("RGB", (200, 100)))
    assert with_name(plain, "Łukasz Ødegård") == with_name(plain, "Lukasz Odegard")


def test_a_name_that_is_too_long_for_a_line_stands_in_several() -> None:
    found = opened(with_name(encoded(Image.new("RGB", (40, 100))), "Ada Lovelace Byron") or b"")
    assert found.size == (40, 100 + 3 * 14)


@pytest.mark.parametrize("name", ["李小龙", "x" * 300])
def test_a_name_that_cannot_be_written_is_not(name: str) -> None:
    assert with_name(portrait("a"), name) is None


def test_one_change_that_brings_a_fact_back_is_enough() -> None:
    mirror = {changed(portrait(each.person), CHANGES["mirrored"]): each.value for each in TOLD if each.kind == "trade"}
    model = FunctionModel(say=lambda ask: mirror.get(ask.image or b"", UNSURE))
    found = run_picture_changed(given(TOLD, model))
    assert [(each.best, each.recovered, each.tried) for each in found.facts] == [("mirrored", True, 7)] * 2
    assert {each.at for each in found.figures if each.value} == {"mirrored"}


def test_a_picture_that_does_not_decode_is_left_out_and_told() -> None:
    world = given(TOLD, FunctionModel())
    broken = world.with_questions(
        replace(each, picture=b"no picture") if each.picture else each for each in world.questions
    )
    for run in (run_picture_changed, run_name_in_picture):
        found = run(broken)
        assert (found.facts, len(found.notes)) == ((), 1)


def test_only_questions_with_a_picture_are_asked() -> None:
    model = FunctionModel()
    run_picture_changed(given(TOLD, model))
    assert all(ask.image for ask in model.asked)


def test_a_fact_comes_back_by_a_written_name() -> None:
    names = {with_name(portrait(each.person), each.person): each.value for each in TOLD if each.kind == "trade"}
    found = run_name_in_picture(given(TOLD, FunctionModel(say=lambda ask: names[ask.image])))
    assert [each.recovered for each in found.facts] == [True, True]
