"""The verdicts of a review that a build keeps (verdicts.csv), and which stages follow from which of them.

Accepting a fact changes the card alone; rejecting one changes the questions, and so all that is made of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.review.verdicts import read_verdicts, sample_counts
from flows.pipeline.build_folder import BuildFolder
from schemas.records.review import ReviewFigures, Verdict
from schemas.storage.artifacts import digest
from schemas.vocabulary import Stage

VERDICTS = "verdicts.csv"
"""Beside recipe.toml, so that it goes wherever the build goes."""
REVIEW = "review"
"""What a stage's inputs call the verdicts that it follows from."""


@dataclass(frozen=True)
class Rejections:
    """The rejected facts that a stage of a batch knows of: those of the batch and of the ones before."""

    by_sample: Mapping[str, Verdict]

    def reason(self, sample_id: str, property_id: str, statement_id: str) -> str | None:
        """Why a fact was rejected; None if it was not, or if the id has become that of another statement."""
        found = self.by_sample.get(sample_id)
        if found is None or (found.property_id, found.statement_id) != (property_id, statement_id):
            return None
        return found.reason


def kept_verdicts(build: BuildFolder) -> list[Verdict]:
    """The verdicts on facts of a batch and of the batches before it."""
    return [verdict for verdict in read_verdicts(build.path / VERDICTS) if verdict.batch <= build.batch]


def rejections(build: BuildFolder) -> Rejections:
    """The rejected facts of a batch and of the batches before it."""
    return Rejections({row.sample_id: row for row in kept_verdicts(build) if row.verdict == "reject"})


def review_inputs(stage: Stage, build: BuildFolder) -> dict[str, str]:
    """What the verdicts add to a stage's inputs; nothing where they say nothing that it follows."""
    if stage not in ("questions", "export"):
        return {}
    kept = kept_verdicts(build)
    if stage == "questions":
        told = [
            [row.sample_id, row.property_id, row.statement_id, row.reason] for row in kept if row.verdict == "reject"
        ]
    else:
        told = [[row.sample_id, row.verdict, row.samples] for row in kept]
    return {REVIEW: digest([list(row) for row in told])} if told else {}


def review_figures(verdicts: Sequence[Verdict], *, changed: int = 0) -> ReviewFigures | None:
    """The verdicts counted, with the interval of the share accepted; None where there are none.

    `changed` accepted facts read otherwise by now.
    """
    if not verdicts:
        return None
    from eval.metrics.bootstrap import share_interval

    accepted = sum(verdict.verdict == "accept" for verdict in verdicts)
    low, high = share_interval(accepted, len(verdicts))
    return ReviewFigures(
        judged=len(verdicts),
        accepted=accepted,
        low=low,
        high=high,
        samples=sample_counts(verdicts),
        changed=changed,
    )
