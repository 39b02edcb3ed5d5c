"""Keeps the world's pictures apart: a view that looks too much like an earlier picture is drawn another way."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from sources.sandbox.faces import Face
from sources.sandbox.portraits import draw_sketch

APART_BITS = 18
"""Least Hamming distance between the sketches' 64-bit perceptual hashes; the finished pictures differ by 10 or more."""
ACROSS_BITS = 10
"""The same between pictures of two blocks: among tens of thousands of pictures, no face is farther from all others."""
ATTEMPTS = 8
BLOCK = 500
"""People among whom pictures are kept well apart. From earlier blocks they are kept apart by ACROSS_BITS."""

Hashes = npt.NDArray[np.uint64]
_NONE: Hashes = np.zeros(0, dtype=np.uint64)


def perceptual_hash(image: Image.Image) -> np.uint64:
    """The 64-bit perceptual hash (imagehash.phash) as a number."""
    return np.uint64(int(str(imagehash.phash(image)), 16))


def keep_apart(
    faces: Mapping[int, Face], views: Iterable[tuple[int, int]], *, earlier: Hashes = _NONE
) -> tuple[dict[int, Face], Hashes]:
    """Faces, by index, with the variations that set each (index, view) apart from all before it, and all their hashes.

    `earlier` are hashes of other blocks. Where no attempt is far enough, the one that is farthest stands.
    """
    settled = dict(faces)
    wanted = sorted(views)
    seen = np.zeros(len(wanted), dtype=np.uint64)
    for place, (index, view) in enumerate(wanted):
        best: tuple[int, np.uint64, Face] | None = None
        for attempt in range(ATTEMPTS):
            face = settled[index]
            if attempt:
                face = replace(face, variations=(*face.variations, (view, attempt)))
            found = perceptual_hash(draw_sketch(face, view))
            within = int(np.bitwise_count(seen[:place] ^ found).min(initial=64))
            across = int(np.bitwise_count(earlier ^ found).min(initial=64))
            distance = min(within, across + APART_BITS - ACROSS_BITS)
            if best is None or distance > best[0]:
                best = (distance, found, face)
            if distance >= APART_BITS:
                break
        if best is not None:
            seen[place], settled[index] = best[1], best[2]
    return settled, np.concatenate((earlier, seen))


class FaceBook:
    """The faces of a world by index; a block and those before it are settled when one of its people is first drawn."""

    def __init__(self, make: Callable[[int], Face], views: Iterable[tuple[int, int]], *, people: int) -> None:
        self._make, self._people = make, people
        self._views: dict[int, set[tuple[int, int]]] = {}
        for index, view in views:
            self._views.setdefault(index // BLOCK, set()).add((index, view))
        self._blocks: list[dict[int, Face]] = []
        self._hashes = _NONE
        self._lock = threading.Lock()

    def face(self, index: int) -> Face:
        """The face of the person with this index in the roster; raises IndexError beyond it."""
        if not 0 <= index < self._people:
            raise IndexError(f"no person has the index {index}; there are {self._people}")
        with self._lock:
            while len(self._blocks) <= index // BLOCK:
                start = len(self._blocks) * BLOCK
                faces = {member: self._make(member) for member in range(start, min(start + BLOCK, self._people))}
                views = self._views.get(len(self._blocks), set())
                settled, self._hashes = keep_apart(faces, views, earlier=self._hashes)
                self._blocks.append(settled)
            return self._blocks[index // BLOCK][index]
