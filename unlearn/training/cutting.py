"""Cutting: into how many pieces a step goes, so that it fits into memory, with the same result whatever they are."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from unlearn.memory.estimate import MemoryEstimate
from unlearn.memory.step_memory import StepMemory
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.training.lanes import Groups, in_pieces

log = logging.getLogger(__name__)

Found = TypeVar("Found")
LOOKED_AT = 8
"""Steps, spread over a run, by whose largest its memory is reckoned."""
LESS = "take smaller batches or images, or a lower LoRA rank"


def cut(groups: Groups, pieces: int) -> list[Groups]:
    """Cut every group into `pieces` runs of rows as even as can be; a group may be absent from a piece.

    Raises BadInput where a piece would be empty.
    """
    cuts: list[dict[str, tuple[TrainingSample, ...]]] = [{} for _ in range(pieces)]
    for name, rows in groups.items():
        for index in range(pieces):
            part = rows[index * len(rows) // pieces : (index + 1) * len(rows) // pieces]
            if part:
                cuts[index][name] = part
    if not all(cuts):
        rows_found = max(len(rows) for rows in groups.values())
        raise BadInput("a step", f"has {rows_found} samples a group for {pieces} pieces", "accumulate over fewer")
    return list(cuts)


@dataclass
class Cutting:
    """How the steps of one run are cut; samples of one picture stay together as far as they can."""

    encoder: Encoder
    least: int = 1
    """Pieces of a step at least: doubled where memory ran out."""
    budget: int | None = None
    """Bytes for all of the run's memory; None if only what runs out is heeded."""
    memory: StepMemory | None = None

    def pieces(self, groups: Groups) -> list[Groups]:
        """The step's pieces: as few as fit."""
        most = _samples(groups)
        for count in range(min(self.least, most), most):
            found = in_pieces(groups, self.encoder, pieces=count) if count > 1 else [groups]
            if self.budget is None or self.memory is None:
                return found
            if all(self.memory.fits(piece, self.budget) for piece in found):
                return found
        return [{name: (row,)} for name, rows in groups.items() for row in rows]

    def estimate(self, groups: Groups, *, lanes: bool) -> MemoryEstimate:
        """What a step takes in its pieces; with lanes their passes are held together."""
        if self.memory is None:
            raise RuntimeError("no costs were measured")
        return self.memory.estimate(self.pieces(groups), together=lanes)

    def check(self, samples: Sequence[TrainingSample]) -> None:
        """Raise BadInput for a budget that is smaller than a sample."""
        if self.budget is None or self.memory is None:
            return
        for sample in samples:
            if not self.memory.fits({"one": (sample,)}, self.budget):
                need = self.memory.estimate([{"one": (sample,)}], together=False)
                found = f"are too few for sample {sample.sample_id} alone, which takes {need.line()}"
                raise BadInput(f"--memory: {self.budget / 1e9:g} GB", found, f"give more, or {LESS}")


def within_memory(
    cutting: Cutting | None,
    groups: Groups,
    work: Callable[[Sequence[Groups] | None], Found],
    *,
    step: int,
    again: Callable[[], None],
) -> Found:
    """What `work` makes of a step's pieces. Where memory runs out, all begins `again` with half as large pieces.

    That is said once a run. Raises BadInput where memory runs out for one sample, or where there is no cutting.
    """
    while True:
        pieces = None if cutting is None else cutting.pieces(groups)
        reason = ""
        try:
            return work(pieces)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            # On a CPU torch says so by a RuntimeError in words of its own.
            if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
                raise
            reason = (str(error).splitlines() or [""])[0][:120]
        # Outside of the handler, whose traceback holds the tensors of the failed pass.
        if cutting is None or pieces is None or len(pieces) >= _samples(groups):
            advice = LESS if cutting is not None else f"accumulate over more pieces, {LESS}"
            raise BadInput(f"step {step}", f"memory ran out ({reason})", advice)
        if cutting.least == 1:
            log.warning(
                "step %d: memory ran out (%s); steps go on in smaller pieces, with the same result", step, reason
            )
        cutting.least = 2 * max(len(pieces), cutting.least)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        again()


def planned(
    network: AnswerModel, encoder: Encoder, steps: Sequence[Groups], *, budget: int | None, lanes: bool, looks: bool
) -> Cutting:
    """How a run's steps are cut. If it `looks`, or there is a budget, it says how much memory the largest will take.

    With a budget all of the steps are looked at, else some. Raises BadInput for one that is smaller than a sample.
    """
    if budget is None and not looks:
        return Cutting(encoder)
    looked_at = steps[:: 1 if budget is not None else max(1, len(steps) // LOOKED_AT)]
    samples = {row.sample_id: row for groups in looked_at for rows in groups.values() for row in rows}
    cutting = Cutting(encoder, budget=budget, memory=StepMemory(network, encoder, samples.values()))
    cutting.check(list(samples.values()))
    found = [cutting.estimate(groups, lanes=lanes) for groups in looked_at]
    log.info("%s", max(found, key=lambda each: each.total).line())
    return cutting


def _samples(groups: Groups) -> int:
    return sum(len(rows) for rows in groups.values())
