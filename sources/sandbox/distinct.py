"""Keeps the world's pictures apart: a view that looks too much like an earlier picture is drawn another way."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import imagehash
import numpy as np
from PIL import Image

from sources.sandbox.faces import Face
from sources.sandbox.portraits import draw_sketch

APART_BITS = 18
"""Least Hamming distance between the sketches' 64-bit perceptual hashes; the finished pictures differ by 10 or more."""
ATTEMPTS = 8
BLOCK = 500
"""People among whom pictures are kept apart. Larger worlds are checked block by block, which bounds the cost."""


def perceptual_hash(image: Image.Image) -> np.uint64:
    """The 64-bit perceptual hash (imagehash.phash) as a number."""
    return np.uint64(int(str(imagehash.phash(image)), 16))


def keep_apart(faces: Mapping[int, Face], views: Iterable[tuple[int, int]]) -> dict[int, Face]:
    """Faces, by index, with the variations that set each (index, view) apart from all before it.

    Where no attempt reaches APART_BITS, the one that is farthest from all earlier pictures stands.
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
            distance = int(np.bitwise_count(seen[:place] ^ found).min(initial=64))
            if best is None or distance > best[0]:
                best = (distance, found, face)
            if distance >= APART_BITS:
                break
        if best is not None:
            seen[place], settled[index] = best[1], best[2]
    return settled


class FaceBook:
    """The faces of a world by index, each block settled when one of its people is first drawn."""

    def __init__(self, make: Callable[[int], Face], views: Iterable[tuple[int, int]], *, people: int) -> None:
        self._make, self._people = make, people
        self._views: dict[int, set[tuple[int, int]]] = {}
        for index, view in views:
            self._views.setdefault(index // BLOCK, set()).add((index, view))
        self._blocks: dict[int, dict[int, Face]] = {}
        self._lock = threading.Lock()

    def face(self, index: int) -> Face:
        """The face of the person with this index in the roster; raises IndexError beyond it."""
        if not 0 <= index < self._people:
            raise IndexError(f"no person has the index {index}; there are {self._people}")
        number = index // BLOCK
        with self._lock:
            if number not in self._blocks:
                members = range(number * BLOCK, min((number + 1) * BLOCK, self._people))
                faces = {member: self._make(member) for member in members}
                self._blocks[number] = keep_apart(faces, self._views.get(number, set()))
            return self._blocks[number][index]
