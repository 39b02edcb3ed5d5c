"""Tensors of several shapes: what each lacks of the largest."""

from schemas.protocols.frames import gaps_to_largest


def test_gaps_of_two_shapes_are_pairs_from_the_last_dimension() -> None:
    assert gaps_to_largest([(2, 5), (3, 4)]) == [[0, 0, 0, 1], [0, 1, 0, 0]]


def test_shapes_without_dimensions_lack_nothing() -> None:
    assert gaps_to_largest([(), ()]) == [[], []]
