"""Exact near-neighbour search among 64-bit hashes: the pigeonhole principle over blocks of bits, in numpy.

Cut the 64 bits into radius + k blocks: two hashes that differ in at most `radius` bits agree in at least k whole
blocks. So every pair is found by joining, for each choice of k blocks, the hashes that are equal there, and checking
the true distance. k is chosen so that sorting and checking together cost least; memory is bounded by chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

_CHUNK = 1 << 20
"""Candidate pairs checked at a time: about 60 MB."""
_TABLE_BITS = 20
"""Bits of a key that `near_pairs_between` looks up in a table (8 MB)."""
_TABLE_MASK = np.uint64((1 << _TABLE_BITS) - 1)
_SORT_COST, _CHECK_COST = 100.0, 14.0
"""Nanoseconds to key and sort one hash and to check one candidate, measured on one core; only their ratio matters."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of positions (left < right in a self-join) with their Hamming distance in bits, sorted by left, right."""

    left: Indices
    right: Indices
    distance: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.left)


def parse_hashes(digits: list[str]) -> Hashes:
    """Hashes of 16 hex digits as uint64, in the order given."""
    return np.frombuffer(bytes.fromhex("".join(digits)), dtype=">u8").astype(np.uint64)


def near_links(hashes: Hashes, *, radius: int) -> Pairs:
    """All pairs within `radius` bits, with equal hashes stood for by their first position.

    Equal hashes are linked to the first of them (distance 0), and near hashes by their first positions: enough to
    form groups, and linear in memory where a hundred thousand hashes are equal. `near_pairs` spells it out.
    """
    _check_radius(radius)
    values, first, inverse = _distinct(hashes)
    left, right = _near_values(values, radius=radius)
    starts = first[inverse]
    repeats = np.flatnonzero(starts != np.arange(len(hashes)))
    return _sorted_pairs(
        hashes,
        np.concatenate([first[left], starts[repeats]]),
        np.concatenate([first[right], repeats]),
    )


def near_pairs(hashes: Hashes, *, radius: int) -> Pairs:
    """Every pair of positions within `radius` bits, equal hashes included: exactly what comparing all pairs gives.

    The answer itself grows with the square of the largest set of equal hashes; use `near_links` to form groups.
    """
    _check_radius(radius)
    values, _, inverse = _distinct(hashes)
    left, right = _near_values(values, radius=radius)
    own = np.arange(len(values), dtype=np.int64)
    order = np.argsort(inverse, kind="stable")  # positions, those of one value together
    counts = np.bincount(inverse, minlength=len(values))
    starts = np.cumsum(counts) - counts
    found_left, found_right = [], []
    for one, other in ((left, right), (own[counts > 1], own[counts > 1])):
        which, offset = _expand(counts[one] * counts[other])
        width = counts[other][which]
        found_left.append(order[starts[one][which] + offset // width])
        found_right.append(order[starts[other][which] + offset % width])
    a, b = np.concatenate(found_left), np.concatenate(found_right)
    keep = (a < b) | (inverse[a] != inverse[b])
    return _sorted_pairs(hashes, a[keep], b[keep])


def near_pairs_between(new: Hashes, known: Hashes, *, radius: int) -> Pairs:
    """Every pair (position in `new`, position in `known`) within `radius` bits.

    Made for few new hashes beside many known ones: `new` is indexed, `known` is only read through, so nothing has to
    be kept between calls.
    """
    _check_radius(radius)
    if len(new) == 0 or len(known) == 0:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
    values, _, inverse = _distinct(new)
    found: list[tuple[Indices, Indices]] = []
    for blocks in _joins(_agreeing_blocks(len(values), radius, others=len(known)), radius):
        key = _key(values, blocks) & _TABLE_MASK
        order = np.argsort(key, kind="stable")
        counts = np.bincount(key.astype(np.int64), minlength=1 << _TABLE_BITS)
        starts = np.cumsum(counts) - counts
        for begin in range(0, len(known), _CHUNK):
            part = known[begin : begin + _CHUNK]
            part_key = (_key(part, blocks) & _TABLE_MASK).astype(np.int64)
            hits = np.flatnonzero(counts[part_key])
            for chosen, offset in _chunks(counts[part_key[hits]]):
                position = hits[chosen]
                value = order[starts[part_key[position]] + offset]
                near = np.bitwise_count(values[value] ^ part[position]) <= radius
                found.append((value[near], position[near] + begin))
    left, right = _unique_pairs(found, len(known))
    order = np.argsort(inverse, kind="stable")
    counts = np.bincount(inverse, minlength=len(values))
    which, offset = _expand(counts[left])
    left, right = order[(np.cumsum(counts) - counts)[left[which]] + offset], right[which]
    sorting = np.lexsort((right, left))
    left, right = left[sorting], right[sorting]
    return Pairs(left, right, np.bitwise_count(new[left] ^ known[right]))


def _check_radius(radius: int) -> None:
    if not 0 <= radius <= 12:
        raise ValueError(f"radius {radius}: 0 to 12 of 64 bits can be searched; crops and flips are not found at any")


def _distinct(hashes: Hashes) -> tuple[Hashes, Indices, Indices]:
    """Distinct hashes in rising order, the first position of each, and for every position its distinct hash."""
    values, first, inverse = np.unique(np.asarray(hashes, dtype=np.uint64), return_index=True, return_inverse=True)
    return values, first, inverse.reshape(-1)


def _near_values(values: Hashes, *, radius: int) -> tuple[Indices, Indices]:
    """Pairs of positions (left < right) of distinct hashes within `radius` bits."""
    found: list[tuple[Indices, Indices]] = []
    if radius > 0 and len(values) > 1:
        position_bits = len(values).bit_length()
        position_mask = np.uint64((1 << position_bits) - 1)
        for blocks in _joins(_agreeing_blocks(len(values), radius), radius):
            # Key and position in one word: sorting words is several times faster than sorting positions by key.
            words = (_key(values, blocks) << np.uint64(position_bits)) | np.arange(len(values), dtype=np.uint64)
            words.sort()
            order = (words & position_mask).astype(np.int64)
            words >>= np.uint64(position_bits)
            found.extend(_near_in_buckets(values[order], order, words, radius=radius))
    return _unique_pairs(found, len(values))


def _near_in_buckets(values: Hashes, order: Indices, keys: Hashes, *, radius: int) -> Iterator[tuple[Indices, Indices]]:
    """Near pairs within runs of equal keys; all three arrays are in the order of the keys."""
    ends = np.flatnonzero(np.concatenate([keys[1:] != keys[:-1], [True]])) + 1
    run_lengths = np.diff(ends, prepend=0)
    partners = np.repeat(ends, run_lengths) - np.arange(1, len(keys) + 1)  # later members of the own run
    for chosen, offset in _chunks(partners):
        other = chosen + offset + 1
        near = np.flatnonzero(np.bitwise_count(values[chosen] ^ values[other]) <= radius)
        if near.size:
            one, two = order[chosen[near]], order[other[near]]
            yield np.minimum(one, two), np.maximum(one, two)


def _agreeing_blocks(count: int, radius: int, *, others: int | None = None) -> int:
    """The k (of radius + k blocks) for which keying and checking random hashes is expected to cost least."""

    def cost(agreeing: int) -> float:
        bits = 64 * agreeing / (radius + agreeing)
        bits = bits if others is None else min(bits, float(_TABLE_BITS))
        candidates: float = (count * count / 2 if others is None else count * others) / 2.0**bits
        sorted_hashes = count if others is None else others / 20 + count  # the known ones are looked up, not sorted
        return float(comb(radius + agreeing, agreeing)) * (_SORT_COST * sorted_hashes + _CHECK_COST * candidates)

    # A key and a position share a 64-bit word, so keys have at most 34 bits.
    usable = [k for k in range(1, 5) if sum(size for _, size in _blocks(k, radius)[:k]) <= 34]
    return min(usable or [1], key=cost)


def _blocks(agreeing: int, radius: int) -> list[tuple[int, int]]:
    """(lowest bit, bits) of radius + agreeing blocks that cover 64 bits; the first ones are a bit longer."""
    number = radius + agreeing
    sizes = [64 // number + (index < 64 % number) for index in range(number)]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    return list(zip(starts, sizes, strict=True))


def _joins(agreeing: int, radius: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Every choice of `agreeing` blocks."""
    return combinations(_blocks(agreeing, radius), agreeing)


def _key(hashes: Hashes, chosen: tuple[tuple[int, int], ...]) -> Hashes:
    """The bits of the chosen blocks, side by side."""
    key = np.zeros(len(hashes), dtype=np.uint64)
    for start, size in chosen:
        if size < 64:
            key <<= np.uint64(size)
        key |= (hashes >> np.uint64(start)) & np.uint64((1 << size) - 1)
    return key


def _chunks(counts: Indices) -> Iterator[tuple[Indices, Indices]]:
    """For item i repeated counts[i] times: (i, 0 … counts[i] - 1), at most about `_CHUNK` at a time.

    One item with a larger count is cut too, so memory does not grow with the largest bucket.
    """
    totals = np.cumsum(counts)
    total = int(totals[-1]) if len(totals) else 0
    for begin in range(0, total, _CHUNK):
        end = min(begin + _CHUNK, total)
        first, last = np.searchsorted(totals, [begin, end - 1], side="right").tolist()
        items = np.arange(first, last + 1, dtype=np.int64)
        starts = totals[items] - counts[items]
        taken = np.minimum(totals[items], end) - np.maximum(starts, begin)
        yield np.repeat(items, taken), np.arange(begin, end, dtype=np.int64) - np.repeat(starts, taken)


def _expand(counts: Indices) -> tuple[Indices, Indices]:
    """(i, 0 … counts[i] - 1) for every item, at once."""
    chosen = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return chosen, np.arange(len(chosen), dtype=np.int64) - (np.cumsum(counts) - counts)[chosen]


def _unique_pairs(found: list[tuple[Indices, Indices]], width: int) -> tuple[Indices, Indices]:
    """The pairs without repeats; `width` is larger than every right position."""
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    words = np.unique(np.concatenate([left * width + right for left, right in found]))
    return words // width, words % width


def _sorted_pairs(hashes: Hashes, one: Indices, two: Indices) -> Pairs:
    left, right = np.minimum(one, two), np.maximum(one, two)
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    return Pairs(left, right, np.bitwise_count(hashes[left] ^ hashes[right]))
