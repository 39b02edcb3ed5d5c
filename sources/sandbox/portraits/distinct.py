"""Keeps the world's pictures apart: a view that looks too much like an earlier picture is drawn another way."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import imagehash
import numpy as np
import numpy.typing as npt
from filelock import FileLock
from PIL import Image
from pydantic import ValidationError

from schemas.storage.artifacts import digest, write_json
from schemas.storage.tables import Record, file_sha256
from sources.sandbox.portraits.faces import Face
from sources.sandbox.portraits.portrait import draw_sketch

APART_BITS = 18
"""Least Hamming distance between the sketches' 64-bit perceptual hashes; the finished pictures differ by 10 or more."""
ACROSS_BITS = 10
"""The same between pictures of two blocks: among tens of thousands of pictures, no face is farther from all others."""
ATTEMPTS = 8
BLOCK = 500
"""People among whom pictures are kept well apart. From earlier blocks they are kept apart by ACROSS_BITS."""

Hashes = npt.NDArray[np.uint64]
Settled = tuple[dict[int, Face], Hashes]
_NONE: Hashes = np.zeros(0, dtype=np.uint64)


def perceptual_hash(image: Image.Image) -> np.uint64:
    """The 64-bit perceptual hash (imagehash.phash) as a number."""
    return np.uint64(int(str(imagehash.phash(image)), 16))


def keep_apart(faces: Mapping[int, Face], views: Iterable[tuple[int, int]], *, earlier: Hashes = _NONE) -> Settled:
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


class SettledBlock(Record):
    """What is kept of a settled block: the variations of those who have some, and the hashes up to here."""

    variations: dict[int, tuple[tuple[int, int], ...]]
    hashes: tuple[int, ...]


class FaceBook:
    """The faces of a world by index; a block and those before it are settled when one of its people is first drawn."""

    def __init__(
        self,
        make: Callable[[int], Face],
        views: Iterable[tuple[int, int]],
        *,
        people: int,
        kept: Path | None = None,
    ) -> None:
        """`kept` is a folder, of this world alone, in which settled blocks are found and left for other processes."""
        self._make, self._people, self._kept = make, people, kept
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
                settled, self._hashes = self._settle(len(self._blocks))
                self._blocks.append(settled)
            return self._blocks[index // BLOCK][index]

    def _settle(self, block: int) -> Settled:
        """A block's faces: as another process left them, or worked out here while the others wait for them."""
        start = block * BLOCK
        faces = {member: self._make(member) for member in range(start, min(start + BLOCK, self._people))}
        views = self._views.get(block, set())
        if self._kept is None:
            return keep_apart(faces, views, earlier=self._hashes)
        path = self._kept / f"{drawing_digest()}-{block:02d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            found = _read_settled(path, faces, hashes=len(self._hashes) + len(views))
            if found is None:
                found = keep_apart(faces, views, earlier=self._hashes)
                _write_settled(path, *found)
        return found


@cache
def drawing_digest() -> str:
    """Digest of all that decides how pictures come out besides the world's numbers: our code and the libraries."""
    home = Path(__file__).resolve().parents[1]
    code = {path.relative_to(home).as_posix(): file_sha256(path) for path in sorted(home.rglob("*.py"))}
    return digest({**code, **{name: version(name) for name in ("pillow", "numpy", "scipy", "imagehash")}})


def _write_settled(path: Path, faces: Mapping[int, Face], hashes: Hashes) -> None:
    variations = {index: face.variations for index, face in faces.items() if face.variations}
    found = SettledBlock(variations=variations, hashes=tuple(int(value) for value in hashes))
    write_json(path, found.model_dump(mode="json"))


def _read_settled(path: Path, faces: Mapping[int, Face], *, hashes: int) -> Settled | None:
    """The faces with the variations of the file, or None where there is no whole file with so many hashes."""
    try:
        found = SettledBlock.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    if len(found.hashes) != hashes or not found.variations.keys() <= faces.keys():
        return None
    settled = {index: replace(face, variations=found.variations.get(index, ())) for index, face in faces.items()}
    return settled, np.array(found.hashes, dtype=np.uint64)
