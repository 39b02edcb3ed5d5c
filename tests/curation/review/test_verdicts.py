"""Verdicts: kept as they were written, counted by sample, refused where they are damaged."""

from pathlib import Path

import pytest

from curation.review.review_file import Mark
from curation.review.verdicts import ReviewedFact, read_verdicts, sample_counts, settle, write_verdicts
from schemas.errors import BadInput
from schemas.records.review import Opinion, ReviewSample, SampleCount, Verdict

FIRST = ReviewSample(build="demo.x1", seed=7, size=3, of=9, drawn_from="known")
SECOND = FIRST.model_copy(update={"seed": 8})
FACTS = {name: ReviewedFact(0, "P1", f"Q1${name}", "x1") for name in ("A_01", "B_01", "=C_01")}


def mark(name: str, verdict: Opinion, *, sample: ReviewSample = FIRST, shown: str = "x1", reason: str = "") -> Mark:
    return Mark(2, name, verdict, reason, sample, shown)


def settled(*marks: Mark, kept: tuple[Verdict, ...] = ()) -> tuple[Verdict, ...]:
    return settle(marks, kept, FACTS, build="demo.x1", where="said.csv").verdicts


def test_verdicts_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    verdicts = settled(mark("=C_01", "reject", reason='=wrong, "I think"'), mark("A_01", "accept"))
    write_verdicts(tmp_path / "verdicts.csv", verdicts)
    assert read_verdicts(tmp_path / "verdicts.csv") == tuple(sorted(verdicts, key=lambda row: row.sample_id))


def test_without_a_file_there_are_no_verdicts(tmp_path: Path) -> None:
    assert read_verdicts(tmp_path / "verdicts.csv") == ()


def test_a_fact_judged_in_two_samples_counts_in_both() -> None:
    kept = settled(mark("A_01", "accept"), mark("B_01", "reject"))
    both = settled(mark("A_01", "accept", sample=SECOND), kept=kept)
    assert sample_counts(both) == (
        SampleCount(seed=7, size=3, of=9, drawn_from="known", judged=2, accepted=1),
        SampleCount(seed=8, size=3, of=9, drawn_from="known", judged=1, accepted=1),
    )


def test_the_later_word_takes_the_place_of_the_earlier_one() -> None:
    (verdict,) = settled(mark("A_01", "accept"), kept=settled(mark("A_01", "reject", reason="wrong")))
    assert (verdict.verdict, verdict.reason) == ("accept", "")


def test_a_rejected_fact_that_is_no_longer_asked_is_known_by_its_verdict() -> None:
    kept = settled(mark("A_01", "reject"))
    done = settle([mark("A_01", "accept")], kept, {}, build="demo.x1", where="said.csv")
    assert [(row.sample_id, row.verdict) for row in done.verdicts] == [("A_01", "accept")]


@pytest.mark.parametrize("text", ["sample_id,verdict\nA_01,accept\n", "\udcff", "double"])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "verdicts.csv"
    write_verdicts(path, settled(mark("A_01", "accept")))
    if text == "double":
        path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    else:
        path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BadInput, match="put it back as it was, or delete it"):
        read_verdicts(path)
