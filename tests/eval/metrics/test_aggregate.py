"""eval.metrics.aggregate, eval.metrics.boundary and eval.comparison.paired: figures of a few answers, worked by
hand.
"""

from math import nan

import pytest

from eval.comparison.paired import differences
from eval.metrics.aggregate import METRICS, Metric, Place, all_metrics, attack_effects
from eval.metrics.boundary import boundary_accuracy, boundary_auc, subject_boundaries
from schemas.errors import BadInput
from schemas.records.evaluation import MetricRow, Prediction
from tests.worlds.eval_world import prediction

PLACE = Place("personalized", None, "")


def figures(rows: list[MetricRow]) -> dict[tuple[str, str, str, str], float]:
    return {(row.metric, row.role, row.task, row.modality): row.value for row in rows}


def fact(number: int, *, qa: bool, vqa: bool, role: str = "forget", subject: str = "001") -> list[Prediction]:
    cells = {"sample_id": f"{subject}_{number:02d}", "subject_id": subject, "role": role}
    return [prediction(modality="qa", correct=qa, **cells), prediction(modality="vqa", correct=vqa, **cells)]


FOUR = [
    *fact(1, qa=True, vqa=True),
    *fact(2, qa=True, vqa=False),
    *fact(3, qa=False, vqa=True, subject="002"),
    *fact(4, qa=False, vqa=False, subject="002"),
]


def test_accuracy_is_per_role_task_and_modality_and_over_both() -> None:
    found = figures(all_metrics(FOUR, PLACE))
    assert found["accuracy", "forget", "generation", "qa"] == 0.5
    assert found["accuracy", "forget", "generation", ""] == 0.5
    assert ("accuracy", "retain", "generation", "qa") not in found


def test_outcome_shares_add_up_to_one() -> None:
    found = figures(all_metrics(FOUR, PLACE))
    parts = [value for (metric, *place), value in found.items() if "outcome_" in metric and place[-1] == "vqa"]
    assert sum(parts) == pytest.approx(1.0)


def test_facts_are_counted_by_the_modalities_in_which_they_are_wrong() -> None:
    found = figures(all_metrics(FOUR, PLACE))
    expected = {
        "consistent": 0.5, "right_in_both": 0.25, "wrong_in_both": 0.25, "wrong_in_qa_only": 0.25,
        "wrong_in_vqa_only": 0.25,
    }  # fmt: skip
    assert {metric: found[metric, "forget", "generation", ""] for metric in expected} == expected


def test_a_fact_asked_in_one_modality_is_not_a_pair() -> None:
    found = figures(all_metrics([*FOUR, prediction(sample_id="Bo_01")], PLACE))
    assert found["consistent", "forget", "generation", ""] == 0.5


def test_classification_has_an_accuracy_by_letter_and_one_by_likelihood() -> None:
    cells = {"task": "classification", "label": "B"}
    rows = [
        prediction(sample_id="a", choice="B", likely_choice="C", **cells),
        prediction(sample_id="b", choice="", likely_choice="B", correct=False, **cells),
    ]
    found = figures(all_metrics(rows, PLACE))
    assert found["accuracy", "forget", "classification", "qa"] == 0.5
    assert found["choice_accuracy_likelihood", "forget", "classification", "qa"] == 0.5
    assert ("rouge_l_f1", "forget", "classification", "qa") not in found


def test_what_was_not_measured_has_no_row() -> None:
    assert not any(row.metric in ("nll", "choice_accuracy_likelihood") for row in all_metrics(FOUR, PLACE))


def test_visual_identity_counts_only_answers_that_are_true_of_somebody() -> None:
    cells = {"modality": "vqa", "role": "retain"}
    rows = [
        prediction(sample_id="a", **cells),
        prediction(sample_id="b", correct=False, outcome="other_person", **cells),
        prediction(sample_id="c", correct=False, outcome="refusal", **cells),
        prediction(sample_id="d", **cells),
    ]
    assert figures(all_metrics(rows, PLACE))["visual_identity", "retain", "generation", "vqa"] == pytest.approx(2 / 3)


def test_auc_worked_by_hand() -> None:
    # pairs (3,1) (3,2) (2,1) are ordered, (2,2) is a tie: 3.5 of 4
    assert boundary_auc([3.0, 2.0], [1.0, 2.0]) == 3.5 / 4


def test_auc_of_equal_values_is_a_half() -> None:
    assert boundary_auc([1.0], [1.0, 1.0]) == 0.5


def test_auc_leaves_nan_out() -> None:
    assert boundary_auc([nan, 3.0, 2.0], [1.0, nan, 2.0]) == 3.5 / 4


@pytest.mark.parametrize(("forget", "retain"), [([nan], [1.0]), ([1.0], [nan]), ([], [1.0])])
def test_auc_of_a_side_without_numbers_is_none(forget: list[float], retain: list[float]) -> None:
    assert boundary_auc(forget, retain) is None


def test_a_subject_whose_nll_is_nan_has_no_auc() -> None:
    rows = [prediction(sample_id="a", nll=nan), prediction(sample_id="b", role="retain", nll=1.0)]
    assert subject_boundaries(rows) == ({}, {"001": 0.5})


def test_boundary_accuracy_worked_by_hand() -> None:
    # a half of the forget facts is gone, three quarters of the retain facts are there
    assert boundary_accuracy([True, False], [True, True, True, False]) == 0.625


def test_forgetting_everything_is_no_boundary() -> None:
    assert boundary_accuracy([False, False], [False]) == 0.5


def test_boundaries_are_of_subjects_with_both_roles() -> None:
    rows = [
        prediction(sample_id="a", correct=False, nll=4.0),
        prediction(sample_id="b", role="retain", nll=1.0),
        prediction(sample_id="c", subject_id="002", nll=9.0),
    ]
    assert subject_boundaries(rows) == ({"001": 1.0}, {"001": 1.0})


def test_without_nll_there_is_a_boundary_accuracy_and_no_auc() -> None:
    rows = [prediction(sample_id="a"), prediction(sample_id="b", role="retain")]
    assert subject_boundaries(rows) == ({}, {"001": 0.5})


def test_complete_unlearning_has_no_boundary() -> None:
    rows = [prediction(sample_id="a"), prediction(sample_id="b", role="retain", subject_id="002")]
    assert not any(row.metric.startswith("boundary") for row in all_metrics(rows, PLACE))


def test_recovery_is_the_share_of_forgotten_facts_that_come_back() -> None:
    plain = [prediction(sample_id=name, correct=name == "a") for name in "abcd"]
    attacked = [prediction(sample_id=name, correct=name == "b") for name in "abcd"]
    found = attack_effects(plain, attacked, PLACE)
    assert [(row.metric, row.value, row.n) for row in found] == [("recovery", pytest.approx(1 / 3), 3)]


def test_lost_is_the_share_of_kept_facts_that_go_wrong() -> None:
    plain = [prediction(sample_id=name, role="retain", correct=name != "d") for name in "abcd"]
    attacked = [prediction(sample_id=name, role="retain", correct=name in "ad") for name in "abcd"]
    found = attack_effects(plain, attacked, PLACE)
    assert [(row.metric, row.value, row.n) for row in found] == [("lost", pytest.approx(2 / 3), 3)]


FAILED = {"correct": False, "outcome": "failed", "error": "HTTP 500", "exact": False, "normalised_exact": False,
          "rouge_recall": 0.0, "rouge_f1": 0.0}  # fmt: skip


def test_a_question_without_an_answer_is_in_no_mean() -> None:
    rows = [prediction(sample_id="a"), prediction(sample_id="b", nll=2.0), prediction(sample_id="c", nll=9.0, **FAILED)]
    found = {row.metric: (row.value, row.n) for row in all_metrics(rows, PLACE) if row.modality == "qa"}
    for metric in ("accuracy", "exact_match", "normalised_exact_match", "rouge_l_recall", "rouge_l_f1"):
        assert found[metric] == (1.0, 2)
    assert found["nll"] == (2.0, 1)


def test_a_question_without_an_answer_is_an_outcome() -> None:
    found = figures(all_metrics([prediction(sample_id="a"), prediction(sample_id="b", **FAILED)], PLACE))
    assert found["outcome_failed", "forget", "generation", "qa"] == 0.5
    assert found["outcome_correct", "forget", "generation", "qa"] == 0.5


def test_questions_without_an_answer_are_counted_by_role() -> None:
    rows = [
        prediction(sample_id="a", **FAILED),
        prediction(sample_id="b", task="cloze", **FAILED),
        prediction(sample_id="c"),
        prediction(sample_id="d", role="retain"),
    ]
    found = [(row.role, row.value, row.n) for row in all_metrics(rows, PLACE) if row.metric == "failed"]
    assert found == [("forget", 2.0, 3), ("retain", 0.0, 1)]


def test_where_nothing_was_answered_there_is_no_accuracy() -> None:
    rows = all_metrics([prediction(sample_id="a", **FAILED), prediction(sample_id="b", **FAILED)], PLACE)
    assert not any(row.metric == "accuracy" for row in rows)


def test_a_fact_without_an_answer_in_one_modality_is_not_a_pair() -> None:
    rows = [*FOUR, *fact(5, qa=True, vqa=False)[:1], prediction(sample_id="001_05", modality="vqa", **FAILED)]
    assert figures(all_metrics(rows, PLACE))["consistent", "forget", "generation", ""] == 0.5


def test_a_fact_without_an_answer_is_on_no_side_of_a_boundary() -> None:
    rows = [
        prediction(sample_id="a", nll=4.0),
        prediction(sample_id="b", nll=0.5, **FAILED),
        prediction(sample_id="c", role="retain", nll=1.0),
    ]
    assert subject_boundaries(rows) == ({"001": 1.0}, {"001": 0.5})


def test_a_users_own_figure_is_not_asked_about_questions_without_an_answer() -> None:
    rows = [prediction(sample_id="a", reply="four"), prediction(sample_id="b", **{**FAILED, "reply": ""})]
    own = Metric(name="length", title="Length", measure=lambda row: float(len(row.reply)))
    assert figures(all_metrics(rows, PLACE, [own]))["length", "forget", "generation", "qa"] == 4.0


def test_a_question_without_an_answer_comes_back_from_nothing() -> None:
    plain = [prediction(sample_id="a", **FAILED), prediction(sample_id="b", correct=False)]
    attacked = [prediction(sample_id="a"), prediction(sample_id="b", **FAILED)]
    assert attack_effects(plain, attacked, PLACE) == []


def test_a_choice_without_likelihoods_is_not_counted_as_an_unlikely_one() -> None:
    cells = {"task": "classification", "label": "B", "choice": "B"}
    rows = [prediction(sample_id="a", likely_choice="B", **cells), prediction(sample_id="b", likely_choice="", **cells)]
    assert figures(all_metrics(rows, PLACE))["choice_accuracy_likelihood", "forget", "classification", "qa"] == 1.0


def test_every_metric_has_a_known_name() -> None:
    assert {row.metric for row in all_metrics(FOUR, PLACE)} <= set(METRICS)


def test_a_difference_of_two_models_is_taken_question_by_question() -> None:
    # in every subject the first question is hard and the second easy: the pairs differ by the same amount everywhere
    subjects = [f"{number:03d}" for number in range(20)]
    left = [prediction(sample_id=f"{s}{q}", subject_id=s, correct=q == "e") for s in subjects for q in "he"]
    right = [prediction(sample_id=f"{s}{q}", subject_id=s, correct=True) for s in subjects for q in "he"]
    found = {row.metric: row for row in differences([left], [right], names=("a", "b")) if row.modality == "qa"}
    row = found["accuracy"]
    assert (row.left, row.right, row.value, row.low, row.high) == (0.5, 1.0, 0.5, 0.5, 0.5)
    assert row.real


def test_a_difference_that_may_be_chance_is_not_real() -> None:
    left = [prediction(sample_id=name, subject_id=name, correct=name in "ab") for name in "abcd"]
    right = [prediction(sample_id=name, subject_id=name, correct=name in "ac") for name in "abcd"]
    row = next(row for row in differences([left], [right], names=("a", "b")) if row.metric == "accuracy")
    assert (row.value, row.real) == (0.0, False)


def test_evaluations_that_miss_a_question_are_not_compared() -> None:
    with pytest.raises(BadInput, match=r"question 002_04\|generation\|vqa is in one"):
        differences([FOUR], [FOUR[:-1]], names=("a", "b"))


def test_a_question_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        differences([[*FOUR, FOUR[0]]], [FOUR], names=("a", "b"))
