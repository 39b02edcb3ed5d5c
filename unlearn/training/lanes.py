"""Lanes: threads over which a step's samples are spread, in pieces of about the same cost.

A piece is padded to its own longest sample and only pieces with pictures pass the vision tower. What is computed
follows from the pieces alone, never from the number of cores: every piece has one thread, and sums go in their order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

from schemas.dataset.samples import TrainingSample
from unlearn.models.encoding import Encoded

Groups = Mapping[str, tuple[TrainingSample, ...]]
"""The samples of one step by group name ("forget", "retain", …), in row order."""
PICTURE_COST = 12
"""What a picture costs besides its tokens, in tokens of text: a patch of the vision tower is cheaper than a token."""

Given = TypeVar("Given")
"""What a lane is given."""
Found = TypeVar("Found")
"""What it makes of that."""


class Encodes(Protocol):
    """What gives a sample's tensors."""

    def encode(self, sample: TrainingSample) -> Encoded:
        """Inputs and labels of one sample."""


class Lanes:
    """Threads that work beside each other, each computing with one thread of its own."""

    def __init__(self, pool: ThreadPoolExecutor, count: int) -> None:
        self._pool, self.count = pool, count

    def each(self, work: Callable[[Given], Found], given: Iterable[Given]) -> list[Found]:
        """What `work` makes of each, in order; the first exception is raised when all have ended."""
        futures = [self._pool.submit(work, one) for one in given]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]


@contextmanager
def lanes_of(count: int) -> Iterator[Lanes | None]:
    """So many lanes; None for one, which is the caller's own thread."""
    if count == 1:
        yield None
        return
    with ThreadPoolExecutor(count, "lane", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield Lanes(pool, count)


def in_pieces(groups: Groups, encoder: Encodes, *, pieces: int) -> list[Groups]:
    """At most so many pieces of about the same cost: pictures apart from text, samples of one picture together.

    A group may be absent from a piece. A group's samples, piece after piece, are the order in which they are computed.
    """
    cost: dict[tuple[str, int], int] = {}
    for name, samples in groups.items():
        for place, sample in enumerate(samples):
            shown = PICTURE_COST if sample.image is not None else 0
            cost[name, place] = encoder.encode(sample).labels.shape[0] + shown
    pictures = dict.fromkeys(sample.image for samples in groups.values() for sample in samples)
    rank = {picture: place for place, picture in enumerate(pictures)}

    def nearness(key: tuple[str, int]) -> tuple[bool, int, int, tuple[str, int]]:
        picture = groups[key[0]][key[1]].image
        return picture is None, rank[picture], -cost[key], key

    order = sorted(cost, key=nearness)
    found: list[list[tuple[str, int]]] = [[] for _ in range(pieces)]
    before, total = 0, sum(cost.values())
    for key in order:
        # By the middle of what the sample costs, so that no piece takes more than its share by a whole sample.
        found[min(pieces - 1, (2 * before + cost[key]) * pieces // (2 * total))].append(key)
        before += cost[key]
    return [_of(groups, keys) for keys in found if keys]


def _of(groups: Groups, keys: Sequence[tuple[str, int]]) -> Groups:
    """The samples at some places, by group."""
    chosen = {name: tuple(groups[name][place] for group, place in keys if group == name) for name in groups}
    return {name: samples for name, samples in chosen.items() if samples}
