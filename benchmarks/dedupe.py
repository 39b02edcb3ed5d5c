"""Speed and exactness of the duplicate search and of hashing, each beside a named baseline of the same run.

    python -m benchmarks.dedupe [--hashes 1000000] [--large]

`--large` adds a self-join of 10,000,000 hashes (under a minute and about 1 GB).
"""

import argparse
import io
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

import imagehash
import numpy as np
from PIL import Image as PilImage

from curation.images.decoding import Picture, decode_picture
from curation.images.hash_search import Hashes, Pairs, near_pairs, near_pairs_between
from curation.images.perceptual_hash import HASH_SIDE, picture_hashes

PLANTED = 0.05
"""Share of hashes that are copies of another hash with 0 to 6 bits flipped."""
T = TypeVar("T")


@dataclass(frozen=True)
class Timed:
    """One measurement: wall seconds, peak resident memory of its own process in MB, and pairs found."""

    seconds: float
    peak_mb: float
    pairs: int


def planted_hashes(count: int, *, seed: int) -> Hashes:
    """Random hashes with near duplicates among them, shuffled."""
    generator = np.random.default_rng(seed)
    copies = int(count * PLANTED)
    originals = generator.integers(0, 2**64, count - copies, dtype=np.uint64)
    near = originals[generator.integers(0, len(originals), copies)]
    flips = generator.integers(0, 7, copies)
    for flip in range(6):
        bits = np.uint64(1) << generator.integers(0, 64, copies, dtype=np.uint64)
        near = np.where(flip < flips, near ^ bits, near)
    hashes = np.concatenate([originals, near])
    generator.shuffle(hashes)
    return hashes


def brute_force(hashes: Hashes, radius: int) -> Pairs:
    """Baseline: every pair compared, one row of the matrix at a time (numpy xor and bitwise_count)."""
    left, right = [], []
    for position in range(len(hashes) - 1):
        near = np.flatnonzero(np.bitwise_count(hashes[position + 1 :] ^ hashes[position]) <= radius)
        left.append(np.full(len(near), position, dtype=np.int64))
        right.append(near + position + 1)
    one, two = np.concatenate(left), np.concatenate(right)
    return Pairs(one, two, np.bitwise_count(hashes[one] ^ hashes[two]))


def timed(run: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = run()
    return result, time.perf_counter() - started


def join_alone(count: int, radius: int) -> Timed:
    """A self-join in a fresh process, so that its peak memory is its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_join, (count, radius))


def _join(count: int, radius: int) -> Timed:
    hashes = planted_hashes(count, seed=count)
    pairs, seconds = timed(lambda: near_pairs(hashes, radius=radius))
    return Timed(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(pairs))


def print_search(count: int, *, large: bool) -> None:
    print(f"Search among 64-bit hashes, {PLANTED:.0%} planted near duplicates, one process\n")
    print("| what | hashes | radius | seconds | peak MB | pairs |\n|---|---|---|---|---|---|")
    few = planted_hashes(100_000, seed=1)
    expected, brute_s = timed(lambda: brute_force(few, 4))
    found, own_s = timed(lambda: near_pairs(few, radius=4))
    same = bool((expected.left == found.left).all() and (expected.right == found.right).all())
    print(f"| baseline: numpy all pairs | 100,000 | 4 | {brute_s:.2f} | | {len(expected):,} |")
    print(
        f"| near_pairs ({'same pairs' if same else 'DIFFERENT PAIRS'}) | 100,000 | 4 | {own_s:.2f} | | {len(found):,} |"
    )
    joins = [(count, 4), (count, 6), (count, 8)] + ([(10_000_000, 4)] if large else [])
    for number, radius in joins:
        join = join_alone(number, radius)
        print(f"| near_pairs | {number:,} | {radius} | {join.seconds:.2f} | {join.peak_mb:.0f} | {join.pairs:,} |")
    known, new = planted_hashes(count, seed=2), planted_hashes(1000, seed=3)
    for radius in (4, 6, 8):
        between, seconds = timed(partial(near_pairs_between, new, known, radius=radius))
        print(f"| near_pairs_between, 1,000 new | {count:,} | {radius} | {seconds:.3f} | | {len(between):,} |")


def photo_like(seed: int) -> bytes:
    """A 1024-pixel JPEG (quality 88) of blobs and noise, about 250 kB."""
    generator = np.random.default_rng(seed)
    image = np.zeros((1024, 1024, 3))
    for cells in (3, 6, 12, 24):
        coarse = PilImage.fromarray(generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image += np.asarray(coarse.resize((1024, 1024), PilImage.Resampling.BICUBIC), dtype=float) / cells
    noisy = image * 255 / image.max() * 0.9 + generator.normal(0, 9, image.shape)
    buffer = io.BytesIO()
    PilImage.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def own_hashes(content: bytes) -> tuple[str, str]:
    """phash and dhash as the screen computes them."""
    picture = decode_picture(content, max_bytes=10**8, max_pixels=10**8, min_side=1, draft_side=HASH_SIDE)
    if not isinstance(picture, Picture):
        raise ValueError(f"a drawn picture was refused: {picture}")
    return picture_hashes(picture.image)


def print_hashing(count: int, *, rounds: int) -> None:
    contents = [photo_like(seed) for seed in range(count)]
    size_kb = sum(map(len, contents)) / len(contents) / 1000
    print(f"\nHashing {count} JPEGs of 1024 x 1024 pixels ({size_kb:.0f} kB each), best of {rounds} rounds\n")
    print("| what | ms a picture | times as fast |\n|---|---|---|")
    baseline_ms = min(
        timed(lambda: [imagehash.phash(PilImage.open(io.BytesIO(content))) for content in contents])[1]
        for _ in range(rounds)
    ) * (1000 / count)
    own_ms = min(timed(lambda: [own_hashes(content) for content in contents])[1] for _ in range(rounds)) * (
        1000 / count
    )
    print(f"| baseline: imagehash.phash(Image.open(f)) | {baseline_ms:.2f} | 1 |")
    print(f"| phash and dhash, bars trimmed, one scaled decode | {own_ms:.2f} | {baseline_ms / own_ms:.2f} |")
    drifts = [
        (
            int(own_hashes(content)[0], 16) ^ int(str(imagehash.phash(PilImage.open(io.BytesIO(content)))), 16)
        ).bit_count()
        for content in contents
    ]
    print(f"\nDrift of phash against the baseline in bits: median {np.median(drifts):.0f}, most {max(drifts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hashes", type=int, default=1_000_000)
    parser.add_argument("--large", action="store_true", help="also join 10,000,000 hashes")
    options = parser.parse_args()
    print_search(options.hashes, large=options.large)
    print_hashing(30, rounds=3)


if __name__ == "__main__":
    main()
