"""Pairs of methods that a study asks to be compared."""

import pytest
from pydantic import ValidationError

from eval.comparison.ranking import Arm, duel_rows, rank_arms
from eval.report.findings import Findings, conditions
from eval.report.result_tables import duel_table
from schemas.records.study import ArmRow, StudyRecipe
from tests.worlds.synthetic_results import answers, curve, evaluation


def ranked(arms: list[Arm]) -> list[ArmRow]:
    target = answers(forget=1.0, retain=1.0)
    return rank_arms(arms, target, setting="personalized", ratio=None, metric="accuracy", task="generation")


WEAK, STRONG = answers(forget=0.5, retain=0.9), answers(forget=0.1, retain=0.9)


def test_the_second_ahead_of_the_first_is_a_positive_difference() -> None:
    (row,) = duel_rows([Arm("a", "a", (WEAK,)), Arm("b", "b", (STRONG,))], [("a", "b")], by=ranked)
    assert row.value > 0.15
    assert row.real
    assert row.low is not None
    assert row.high is not None
    assert 0 < row.low < row.value < row.high


def test_the_second_behind_the_first_is_the_same_difference_with_a_minus() -> None:
    arms = [Arm("a", "a", (WEAK,)), Arm("b", "b", (STRONG,))]
    (forth,), (back,) = duel_rows(arms, [("a", "b")], by=ranked), duel_rows(arms, [("b", "a")], by=ranked)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-forth.value, -(forth.high or 0), -(forth.low or 0)), abs=1e-9
    )


def test_methods_are_compared_at_each_number_that_both_ran_with() -> None:
    arms = [Arm(f"{method} lr {rate}", method, (WEAK,)) for method in ("a", "b") for rate in ("0.1", "0.2")]
    arms.append(Arm("b lr 0.4", "b", (STRONG,)))
    found = duel_rows(arms, [("a", "b")], by=ranked)
    assert [row.numbers for row in found] == ["lr 0.1", "lr 0.2"]
    assert [row.value for row in found] == [0.0, 0.0]


def test_a_report_shows_the_pairs_that_were_asked_for_with_all_their_numbers() -> None:
    target = evaluation("", answers(forget=1.0, retain=1.0))
    found = Findings(
        title="t",
        curves=[curve("a", [(1, 1), (0.5, 0.9)]), curve("b", [(1, 1), (0.1, 0.9)])],
        evaluated=[target, evaluation("a", WEAK), evaluation("b", STRONG)],
        attacked=[],
        wanted_pairs=[("a", "b")],
    )
    (condition,) = conditions(found)
    (row,) = duel_table(condition).rows
    assert row[0] == "b less a"
    assert row[1].startswith("+")
    assert row[1].endswith(", real")


def test_a_pair_of_a_method_that_the_study_does_not_run_is_refused() -> None:
    with pytest.raises(ValidationError, match="compare.pairs names kl, which is not among the methods"):
        StudyRecipe.model_validate({
            "name": "s", "dataset": "d", "model": "m", "methods": ["gd"], "settings": ["personalized"],
            "compare": {"pairs": [["gd", "kl"]]},
        })  # fmt: skip
