"""Metrics of other benchmarks, by hand."""

import pytest

from eval.metrics.aggregate import Place
from eval.metrics.authors_metrics import (
    authors_metrics,
    authors_pair_metrics,
    cloze_accuracy,
    letter_accuracy,
    rlf,
    rlr,
)
from schemas.records.evaluation import Prediction
from schemas.vocabulary import Modality, Role, Task

PLACE = Place("complete", 5, "")


def row(
    sample: str,
    *,
    task: Task = "generation",
    modality: Modality = "qa",
    role: Role = "forget",
    f1: float = 0.0,
    reply: str = "x",
    answer: str = "Oslo",
    label: str = "",
) -> Prediction:
    return Prediction(
        key=f"{sample}|{task}|{modality}", sample_id=sample, subject_id=sample[:3], task=task, modality=modality,
        role=role, prompt="?", answer=answer, reply=reply, error="", outcome="plausible", correct=False, choice="",
        likely_choice="", label=label, exact=False, normalised_exact=False, rouge_recall=f1, rouge_f1=f1, nll=None,
    )  # fmt: skip


def test_rlr_and_rlf_of_eight_and_two_tenths() -> None:
    assert (rlr(0.8, 0.2), rlf(0.8, 0.2)) == (pytest.approx(0.32), pytest.approx(0.68))


def test_rlr_and_rlf_of_two_empty_scores_are_nothing() -> None:
    assert (rlr(0, 0), rlf(0, 0)) == (0, 0)


def test_each_role_of_umu_bench_has_its_own_mean() -> None:
    rows = [row("001-a", f1=0.8), row("001-a", f1=0.2, modality="vqa")]
    rows += [row("002-a", f1=0.8, role="retain"), row("002-a", f1=0.2, modality="vqa", role="retain")]
    found = {(each.metric, each.role): each.value for each in authors_pair_metrics("umu_bench", rows, PLACE)}
    assert found == {("umu_rlr", "retain"): pytest.approx(0.32), ("umu_rlf", "forget"): pytest.approx(0.68)}


def test_a_fact_of_one_modality_is_no_pair() -> None:
    assert authors_pair_metrics("umu_bench", [row("001-a", f1=0.8)], PLACE) == []


@pytest.mark.parametrize(("reply", "right"), [("B", 1.0), (" B) Oslo", 1.0), ("The answer is B", 0.0), ("", 0.0)])
def test_mllmu_bench_takes_the_first_character_for_the_letter(reply: str, right: float) -> None:
    assert letter_accuracy(row("001-a", task="classification", reply=reply, label="B")) == right


@pytest.mark.parametrize(("reply", "right"), [("born in oslo.", 1.0), ("Os lo", 0.0)])
def test_mllmu_bench_looks_for_the_answer_in_the_reply(reply: str, right: float) -> None:
    assert cloze_accuracy(row("001-a", task="cloze", reply=reply)) == right


def test_a_benchmark_without_figures_of_its_own_has_none() -> None:
    assert (authors_metrics("tofu"), authors_pair_metrics("tofu", [row("001-a")], PLACE)) == ((), [])
