"""General visual questions: true of their pictures, the same every time, training apart from held out."""

import io

import pytest
from PIL import Image

from schemas.errors import BadInput
from sources.sandbox.utility_images import COLOURS, general_samples


def test_the_same_seed_gives_the_same_samples() -> None:
    assert list(general_samples(20, seed=1, part="train")) == list(general_samples(20, seed=1, part="train"))


def test_the_first_sample_has_the_documented_ids() -> None:
    first = next(general_samples(1, seed=1, part="train"))
    assert (first.sample_id, first.subject_id, first.modality) == ("general_0001", "000", "vqa")


def test_no_picture_is_both_trained_on_and_held_out() -> None:
    train = {sample.image for sample in general_samples(300, seed=1, part="train")}
    assert not train & {sample.image for sample in general_samples(150, seed=1, part="held_out")}


def test_a_named_background_is_the_pictures_corner() -> None:
    asked = [sample for sample in general_samples(120, seed=2, part="train") if "background" in sample.prompt]
    assert len(asked) > 10
    for sample in asked:
        assert sample.image is not None
        with Image.open(io.BytesIO(sample.image)) as image:
            assert image.getpixel((1, 1)) == COLOURS[sample.answer.rstrip(".").lower()]


def test_a_named_shape_colour_is_in_the_picture() -> None:
    asked = [
        sample
        for sample in general_samples(120, seed=2, part="held_out")
        if sample.prompt.startswith("What colour is the")
    ]
    assert len(asked) > 5
    for sample in asked:
        assert sample.image is not None
        with Image.open(io.BytesIO(sample.image)) as image:
            assert COLOURS[sample.answer.rstrip(".").lower()] in {
                colour for _, colour in image.getcolors(100_000) or []
            }


def test_questions_are_of_several_kinds() -> None:
    starts = {" ".join(sample.prompt.split()[:2]) for sample in general_samples(80, seed=3, part="train")}
    assert {"What colour", "Which shape", "Where is", "How many"} <= starts


def test_more_questions_than_scenes_are_refused() -> None:
    with pytest.raises(BadInput, match="at most"):
        next(general_samples(100_000, seed=1, part="train"))
