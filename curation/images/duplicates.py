"""Groups of pictures that are the same picture, within a subject and across subjects, and which of a group stays.

Two pictures are the same if the original files' sha1 are equal; or their phash differ in at most 2 bits; or in at most
`radius` and a third more while their dhash differ in at most 10 bits. The second hash keeps two sittings of one person
apart, and lets in copies that lost a strip or were brightened. (In two embedded worlds of 300 people copies had phash
0-10 and dhash 0-10 bits apart; pictures taken apart with a phash of 8 or less had a dhash of 13 or more.) Mirror images
and larger crops are not found by 64-bit hashes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.images.hash_search import Hashes, Pairs, near_links, near_pairs_between, parse_hashes
from schemas.matching.letters import plain_words
from schemas.records.build_rows import Drop, Duplicate, ImageHashes

CERTAIN = 2
"""Bits of phash up to which (and up to the radius) the second hash is not asked."""
SECOND_OPINION = 10
"""Most bits in which dhash may differ where phash alone does not decide."""
WIDEST = 12
"""Bits of phash beyond which nothing is searched."""


@dataclass(frozen=True)
class Settled:
    """What follows from the links: rows for the tables, and the positions of the pictures that go."""

    duplicates: tuple[Duplicate, ...]
    drops: tuple[Drop, ...]
    gone: frozenset[int]


@dataclass(frozen=True)
class HashColumns:
    """What pictures are compared by: columns of equal length, hashes in hex; an empty sha1 says nothing."""

    sha1: Sequence[str]
    phash: Sequence[str]
    dhash: Sequence[str]


@dataclass(frozen=True)
class Links:
    """Pairs of positions found to be the same picture: enough of them to connect every group."""

    left: tuple[int, ...]
    right: tuple[int, ...]

    def members(self) -> list[int]:
        """Every position that has a twin, rising."""
        return sorted({*self.left, *self.right})


def find_links(columns: HashColumns, *, radius: int) -> Links:
    """The pictures that are the same picture, as positions left < right, sorted.

    Columns rather than records, so that a build of many subjects reads three columns and no more. Hashes at a distance
    that the second hash decides are compared by the first picture of each phash.
    """
    phash, dhash = parse_hashes(list(columns.phash)), parse_hashes(list(columns.dhash))
    near = _confirmed(near_links(phash, radius=min(radius + radius // 3, WIDEST)), dhash, radius=radius)
    by_sha1: defaultdict[str, list[int]] = defaultdict(list)
    for position, sha1 in enumerate(columns.sha1):
        if sha1:
            by_sha1[sha1].append(position)
    exact = {pair for positions in by_sha1.values() for pair in pairwise(positions)}
    pairs = sorted(near | exact)
    return Links(tuple(left for left, _ in pairs), tuple(right for _, right in pairs))


def _confirmed(pairs: Pairs, dhash: Hashes, *, radius: int) -> set[tuple[int, int]]:
    second = np.bitwise_count(dhash[pairs.left] ^ dhash[pairs.right])
    same = (pairs.distance <= min(radius, CERTAIN)) | (second <= SECOND_OPINION)
    return set(zip(pairs.left[same].tolist(), pairs.right[same].tolist(), strict=True))


def find_twins(new: HashColumns, known: HashColumns, *, radius: int) -> dict[int, int]:
    """The new pictures that are one of the known ones, by the rule of `find_links`: position to that of the nearest.

    The known pictures, of earlier batches, are only read through: a thousand new ones among a million take a second.
    """
    phash, dhash = parse_hashes(list(new.phash)), parse_hashes(list(new.dhash))
    known_phash, known_dhash = parse_hashes(list(known.phash)), parse_hashes(list(known.dhash))
    pairs = near_pairs_between(phash, known_phash, radius=min(radius + radius // 3, WIDEST))
    second = np.bitwise_count(dhash[pairs.left] ^ known_dhash[pairs.right])
    same = (pairs.distance <= min(radius, CERTAIN)) | (second <= SECOND_OPINION)
    found = zip(pairs.left[same].tolist(), pairs.distance[same].tolist(), pairs.right[same].tolist(), strict=True)
    nearest: dict[int, tuple[int, int]] = {}
    for position, distance, other in found:
        nearest[position] = min(nearest.get(position, (distance, other)), (distance, other))
    wanted = {sha1 for sha1 in new.sha1 if sha1}
    by_sha1: dict[str, int] = {}
    for other, sha1 in enumerate(known.sha1):
        if sha1 in wanted:
            by_sha1.setdefault(sha1, other)
    exact = {position: by_sha1[sha1] for position, sha1 in enumerate(new.sha1) if sha1 in by_sha1}
    return {position: other for position, (_, other) in nearest.items()} | exact


def settle(
    pictures: Sequence[ImageHashes] | Mapping[int, ImageHashes], links: Links, *, names: Mapping[str, Sequence[str]]
) -> Settled:
    """Which of each group stays: the pairs and drops that follow from the links; `names` also hold aliases.

    Within a subject the portrait (P18) stays, else the picture with more pixels, the earlier upload, the first title.
    A group across subjects belongs to the one subject whose portrait is in it; failing that to the one whose name
    stands in a title or description of the group. Where several or none qualify, nobody keeps the picture.
    `pictures` need only hold the positions in `links.members()`.

    Rows are sorted by image_id and title, so they do not depend on the order of the pictures. Two titles of one subject
    with the same bytes have the same image_id: tell them apart by title.
    """
    kept: dict[int, str] = {}
    gone: list[int] = []
    drops: list[Drop] = []
    for group in _groups(links):
        members = [pictures[position] for position in group]
        owner = _owner(members, names)
        own = [position for position in group if pictures[position].subject_id == owner]
        winner = min(own, key=lambda position: _preference(pictures[position])) if own else None
        losers = [position for position in group if position != winner]
        gone += losers
        drops += [_drop(pictures[loser], pictures[winner] if winner is not None else None, owner) for loser in losers]
        if winner is not None:
            kept[winner] = pictures[winner].image_id
    duplicates = [
        _duplicate(pictures[left], pictures[right], kept.get(left) or kept.get(right) or "")
        for left, right in zip(links.left, links.right, strict=True)
    ]
    return Settled(
        tuple(sorted(duplicates, key=lambda row: (row.left_id, row.right_id, row.distance, row.kept))),
        tuple(sorted(drops, key=lambda row: (row.item, row.detail))),
        frozenset(gone),
    )


def settle_beside(
    pictures: Sequence[ImageHashes] | Mapping[int, ImageHashes],
    links: Links,
    twins: Mapping[int, ImageHashes],
    *,
    standing: Collection[str],
    names: Mapping[str, Sequence[str]],
) -> Settled:
    """As `settle`, where some pictures are those of earlier batches: these go, and so does all that is linked to them.

    `twins` are the earlier pictures by position, `standing` the image_ids of those that are in use: an earlier subject
    keeps its picture whatever the titles say, since nothing of an earlier batch changes.
    """
    taken = {position: position for position in twins}
    for group in _groups(links):
        if (twin := next((position for position in group if position in twins), None)) is not None:
            taken |= dict.fromkeys((position for position in group if position not in twins), twin)
    free = [pair for pair in zip(links.left, links.right, strict=True) if pair[0] not in taken]
    settled = settle(pictures, Links(tuple(one for one, _ in free), tuple(other for _, other in free)), names=names)
    drops = [_drop(pictures[position], twins[taken[position]], None) for position in taken]
    duplicates = [
        _duplicate(pictures[position], twin, twin.image_id if twin.image_id in standing else "")
        for position, twin in twins.items()
    ]
    return Settled(
        tuple(sorted([*settled.duplicates, *duplicates], key=lambda row: (row.left_id, row.right_id, row.distance))),
        tuple(sorted([*settled.drops, *drops], key=lambda row: (row.item, row.detail))),
        settled.gone | frozenset(taken),
    )


def _groups(links: Links) -> list[list[int]]:
    """Connected positions (union-find with path halving), each group sorted, groups by their first position."""
    parent = {position: position for position in links.members()}

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    for left, right in zip(links.left, links.right, strict=True):
        one, two = sorted((root(left), root(right)))
        parent[two] = one
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for position in parent:
        groups[root(position)].append(position)
    return [groups[first] for first in sorted(groups)]


def _preference(picture: ImageHashes) -> tuple[bool, int, str, str, str]:
    """Sorts what stays first: portrait, more pixels, earlier upload, title."""
    return (
        picture.origin != "portrait",
        -picture.width * picture.height,
        picture.timestamp,
        picture.title,
        picture.image_id,
    )


def _owner(members: Sequence[ImageHashes], names: Mapping[str, Sequence[str]]) -> str | None:
    """The subject that the picture belongs to, or None if that cannot be told."""
    subjects = sorted({member.subject_id for member in members})
    portrayed = sorted({member.subject_id for member in members if member.origin == "portrait"})
    candidates = portrayed or subjects
    if len(candidates) == 1:
        return candidates[0]
    texts = [plain_words(f"{member.title} {member.description}") for member in members]
    named = [subject for subject in candidates if _is_named(names.get(subject, ()), texts)]
    return named[0] if len(named) == 1 else None


def _is_named(names: Iterable[str], texts: Sequence[str]) -> bool:
    wanted = [f" {plain} " for plain in map(plain_words, names) if plain]
    return any(name in f" {text} " for name in wanted for text in texts)


def _drop(member: ImageHashes, winner: ImageHashes | None, owner: str | None) -> Drop:
    if winner is None:
        reason, why = "duplicate_other_subject", "filed under several subjects, and whose it is cannot be told"
    elif member.subject_id == owner:
        reason, why = "duplicate_same_subject", f"same picture as {winner.image_id}"
    else:
        reason, why = "duplicate_other_subject", f"same picture as {winner.image_id}, which shows that subject"
    return Drop(
        stage="screen",
        subject_id=member.subject_id,
        item=member.image_id,
        reason=reason,
        detail=f"{member.title}: {why}",
    )


def _duplicate(one: ImageHashes, two: ImageHashes, kept: str) -> Duplicate:
    left, right = sorted((one, two), key=lambda picture: picture.image_id)
    return Duplicate(
        left_id=left.image_id,
        right_id=right.image_id,
        left_subject=left.subject_id,
        right_subject=right.subject_id,
        distance=(int(left.phash, 16) ^ int(right.phash, 16)).bit_count(),
        exact=bool(left.sha1) and left.sha1 == right.sha1,
        kept=kept,
    )
