"""Near-neighbour search among hashes: exact for every radius, bounded where hashes repeat."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.images.hash_search import Hashes, Pairs, near_links, near_pairs, near_pairs_between, parse_hashes


def brute_force(hashes: Hashes, radius: int) -> list[tuple[int, int, int]]:
    pairs = []
    for i in range(len(hashes)):
        distances = np.bitwise_count(hashes[i + 1 :] ^ hashes[i])
        pairs += [(i, i + 1 + int(j), int(distances[j])) for j in np.flatnonzero(distances <= radius)]
    return pairs


def as_list(pairs: Pairs) -> list[tuple[int, int, int]]:
    return list(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.distance.tolist(), strict=True))


@st.composite
def clustered_hashes(draw: st.DrawFn) -> Hashes:
    """Random hashes, and hashes a few flipped bits away from them, so that every distance up to 14 occurs."""
    centres = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8))
    values = list(centres)
    for _ in range(draw(st.integers(0, 24))):
        flipped = draw(st.lists(st.integers(0, 63), max_size=14, unique=True))
        values.append(draw(st.sampled_from(centres)) ^ sum(1 << bit for bit in flipped))
    return np.array(draw(st.permutations(values)), dtype=np.uint64)


@settings(max_examples=150, deadline=None)
@given(hashes=clustered_hashes(), radius=st.integers(0, 12))
def test_the_pairs_found_are_those_of_comparing_all_pairs(hashes: Hashes, radius: int) -> None:
    assert as_list(near_pairs(hashes, radius=radius)) == brute_force(hashes, radius)


@settings(max_examples=100, deadline=None)
@given(new=clustered_hashes(), known=clustered_hashes(), radius=st.integers(0, 12))
def test_pairs_between_new_and_known_hashes_are_those_of_comparing_all(new: Hashes, known: Hashes, radius: int) -> None:
    found = as_list(near_pairs_between(new, known, radius=radius))
    distances = np.bitwise_count(new[:, None] ^ known[None, :])
    assert found == [(int(i), int(j), int(distances[i, j])) for i, j in np.argwhere(distances <= radius)]


@settings(max_examples=100, deadline=None)
@given(hashes=clustered_hashes(), radius=st.integers(0, 12))
def test_links_connect_the_same_groups_as_all_pairs(hashes: Hashes, radius: int) -> None:
    def components(pairs: list[tuple[int, int, int]]) -> list[int]:
        parent = list(range(len(hashes)))
        for left, right, _ in pairs:
            low, high = sorted((parent[left], parent[right]))
            parent = [low if item == high else item for item in parent]
        return parent

    assert components(as_list(near_links(hashes, radius=radius))) == components(brute_force(hashes, radius))


@pytest.mark.parametrize("radius", [0, 1, 4, 6, 8])
def test_many_random_hashes_with_planted_neighbours_give_the_pairs_of_brute_force(radius: int) -> None:
    generator = np.random.default_rng(radius)
    hashes = generator.integers(0, 2**64, 3000, dtype=np.uint64)
    for position in range(0, 3000, 10):
        flips = generator.choice(64, generator.integers(0, radius + 2), replace=False)
        hashes[position + 1] = hashes[position] ^ np.uint64(sum(1 << int(bit) for bit in flips))
    assert as_list(near_pairs(hashes, radius=radius)) == brute_force(hashes, radius)


def test_a_hundred_thousand_equal_hashes_are_linked_to_the_first_in_little_memory() -> None:
    hashes = np.full(100_000, 0x0123456789ABCDEF, dtype=np.uint64)
    tracemalloc.start()
    links = near_links(hashes, radius=4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(links) == 99_999
    assert set(links.left.tolist()) == {0}
    assert peak < 60_000_000


def test_one_crowded_bucket_is_searched_in_chunks_of_bounded_memory() -> None:
    # Some 7,500 hashes that agree in their upper 48 bits: 28 million candidates in a join of two upper blocks.
    generator = np.random.default_rng(1)
    hashes = np.unique(generator.integers(0, 2**16, 8000, dtype=np.uint64))
    tracemalloc.start()
    links = near_links(hashes, radius=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(links) == len(brute_force(hashes, 1))
    assert peak < 250_000_000


def test_no_hash_and_one_hash_have_no_pairs() -> None:
    assert len(near_pairs(np.array([], dtype=np.uint64), radius=4)) == 0
    assert len(near_pairs(np.array([7], dtype=np.uint64), radius=4)) == 0
    assert len(near_pairs_between(np.array([], dtype=np.uint64), np.array([7], dtype=np.uint64), radius=4)) == 0


@pytest.mark.parametrize("radius", [-1, 13])
def test_a_radius_outside_0_to_12_is_refused(radius: int) -> None:
    with pytest.raises(ValueError, match="0 to 12"):
        near_pairs(np.array([1], dtype=np.uint64), radius=radius)


def test_hex_digits_become_the_number_they_spell() -> None:
    assert parse_hashes(["00000000000000ff", "8000000000000000"]).tolist() == [255, 2**63]
    assert parse_hashes([]).tolist() == []
