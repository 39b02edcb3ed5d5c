"""The report: what it says, that nothing from outside becomes markup, and what it refuses."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import JsonValue

from eval.comparison.attack_recovery import attacked
from eval.pages.text_tables import Table, markdown_table, plain, with_interval
from eval.report.conclusions import verdict
from eval.report.findings import Evaluated, Findings, conditions
from eval.report.report import write_files
from eval.report.result_tables import MATCHED_CAPTION, OTHERS_CAPTION, exposed_table, gate_table, ranking_table
from schemas.errors import BadInput
from schemas.records.evaluation import Prediction
from schemas.records.study import UnitRecord
from schemas.storage.csv_text import csv_text
from schemas.storage.tables import Record
from tests.worlds.synthetic_results import answers, choices, curve, evaluation, failing, metric, under_attack

HOSTILE = "</script><img src=x onerror=alert(1)>|`=1"


def findings(**changes: object) -> Findings:
    target = evaluation("", answers(forget=1.0, retain=1.0), metrics=[metric("accuracy", 1.0, modality="qa")])
    npo = evaluation("npo", answers(forget=0.05, retain=0.96), metrics=[metric("accuracy", 0.05, modality="qa"),
                     metric("wrong_in_both", 0.8), metric("right_in_both", 0.2)])  # fmt: skip
    gd = evaluation("gd", answers(forget=0.5, retain=0.7), metrics=[metric("accuracy", 0.5, modality="qa")])
    made = Findings(
        title="Study x",
        curves=[
            curve("gd", [(1, 1), (0.6, 0.9), (0.2, 0.6)], kept=20),
            curve("npo", [(1, 1), (0.6, 1.0), (0.1, 0.96)], kept=20),
        ],
        evaluated=[target, gd, npo],
        attacked=[under_attack("gd", answers(forget=0.7, retain=0.6), "paraphrase")],
    )
    return Findings(**{**vars(made), **changes})  # type: ignore[arg-type]


class Page(HTMLParser):
    """Collects elements and the attributes that could load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith(("#", "data:")):
                self.loads.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_files(findings(), out=tmp_path_factory.mktemp("report")).html.read_text()


def test_the_headline_says_who_is_better_by_how_much_and_whether_it_is_real() -> None:
    found = verdict(conditions(findings())[0])
    assert found.headline == "npo comes first, and with one seed its lead over gd is real."
    assert re.search(
        r"The lead is \d+\.\d points \[\d+\.\d, \d+\.\d\]: the 95 % interval, over subjects, leaves out zero",
        found.details[1],
    )


def test_methods_that_cannot_be_told_apart_are_said_to_be_so() -> None:
    close = [evaluation("", answers(forget=1.0, retain=1.0)),
             *(evaluation(name, answers(forget=0.2, retain=0.9, seed=name)) for name in ("gd", "npo"))]  # fmt: skip
    assert verdict(conditions(findings(evaluated=close))[0]).headline.endswith("cannot be told apart.")


def test_without_the_untouched_target_nothing_is_called_better() -> None:
    alone = [evaluation("gd", answers(forget=0.2, retain=0.9))]
    assert "evaluate the untouched target" in verdict(conditions(findings(evaluated=alone))[0]).headline


def test_the_headline_does_not_speak_of_one_seed_where_there_are_more() -> None:
    runs = [evaluation("", answers(forget=1.0, retain=1.0))]
    runs += [evaluation("npo", answers(forget=0.0, retain=0.9, seed=str(n)), seed=n) for n in (0, 1)]
    runs += [evaluation("gd", answers(forget=0.6, retain=0.5, seed=str(n)), seed=n) for n in (0, 1)]
    found = verdict(conditions(findings(curves=[], evaluated=runs, attacked=[]))[0])
    assert found.headline == "npo comes first, and its lead over gd is real."
    assert "over subjects and seeds, leaves out zero" in found.details[1]


def test_retain_at_matched_forgetting_stands_in_the_page(page: str) -> None:
    # gd: half-way from forget 0.6 to 0.2 is a quarter: 0.9 - 0.25 * 0.3 = 0.825
    assert "retained where at most 50 % of the forget set is left" in page
    assert re.search(r"gd</th><td>8[23] % \[", page)


def test_the_page_loads_nothing(page: str) -> None:
    found = Page(page)
    assert found.loads == []
    assert found.handlers == []
    assert "default-src 'none'" in page


def test_the_page_has_a_chart_for_each_kind_of_finding(page: str) -> None:
    figures = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    assert [json.loads(each)["data"][0]["type"] for each in figures] == ["scatter", "bar", "bar", "bar"]
    assert page.count('download="') == 4


def test_every_table_can_be_reached_and_scrolled_by_keyboard(page: str) -> None:
    assert page.count("<table") == page.count('class="scroll" tabindex="0" role="region"')


def test_text_from_outside_does_nothing(tmp_path: Path) -> None:
    rows = answers(forget=1.0, retain=1.0, reply=HOSTILE)
    hostile = findings(
        title=HOSTILE,
        curves=[curve(HOSTILE, [(1, 1), (0.2, 0.8)], title=HOSTILE)],
        evaluated=[evaluation("", rows), evaluation(HOSTILE, rows)],
        attacked=[],
        failed=[UnitRecord(name=HOSTILE, method=HOSTILE, setting=None, ratio=None, seed=0, lr=None, status="failed",
                           reason=HOSTILE)],
    )  # fmt: skip
    files = write_files(hostile, out=tmp_path)
    text = files.html.read_text()
    assert "img" not in Page(text).elements
    figures = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.DOTALL)
    assert figures
    assert not any("<" in each for each in figures)
    assert "&lt;img" in json.loads(figures[0])["data"][0]["name"]
    assert "<img" not in files.markdown.read_text()


def test_the_same_findings_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = write_files(findings(), out=tmp_path / "one"), write_files(findings(), out=tmp_path / "two")
    assert one.html.read_bytes() == two.html.read_bytes()
    for left, right in zip(one.tables, two.tables, strict=True):
        assert left.read_bytes() == right.read_bytes()


def test_the_tables_beside_the_page_hold_every_arm(tmp_path: Path) -> None:
    files = write_files(findings(), out=tmp_path)
    assert {path.name for path in files.tables} == {
        "comparison.csv", "matched.csv", "differences.csv", "metrics.csv", "attacks.csv", "curves.csv", "outcomes.csv",
    }  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert [row["arm"] for row in rows] == ["npo", "gd"]
    assert "| npo |" in files.markdown.read_text()


def from_outside(label: str, rows: list[Prediction], *, weights: str = "") -> Evaluated:
    """An evaluation with a label of a model that no run made."""
    told = {"model": f"hf:theirs{weights} label {label}", "name": f"theirs-{label}", "label": label}
    return Evaluated(evaluation("", rows).record.model_copy(update=told), rows)


def test_a_labelled_model_is_an_arm_beside_the_runs() -> None:
    theirs = from_outside("theirs", answers(forget=0.0, retain=1.0))
    found = conditions(findings(evaluated=[*findings().evaluated, theirs]))[0]
    assert [row.arm for row in found.ranking] == ["theirs", "npo", "gd"]
    assert [row.method for row in found.ranking] == ["theirs", "npo", "gd"]
    assert found.outside == ("theirs",)
    assert "From outside (evaluated with a --label; how it was made is not recorded): theirs." in (
        ranking_table(found).note
    )
    assert {row.label for row in found.samples[0].replies} == {"untouched target", "theirs", "npo", "gd"}


def test_models_of_one_label_are_seeds_and_no_label_takes_a_methods_name(tmp_path: Path) -> None:
    theirs = [from_outside("gd", answers(forget=0.1, retain=0.9, seed=seed), weights=seed) for seed in ("a", "b")]
    found = conditions(findings(evaluated=[*findings().evaluated, *theirs]))[0]
    seeds = {row.arm: row.seeds for row in found.ranking}
    assert seeds == {"gd (outside)": 2, "npo": 1, "gd": 1}
    page = write_files(findings(evaluated=[*findings().evaluated, *theirs]), out=tmp_path).html.read_text()
    assert "gd (outside)" in page


def test_what_an_attack_brings_back_is_read_beside_the_same_models_own_answers() -> None:
    theirs = from_outside("theirs", answers(forget=0.0, retain=1.0))
    attack = {"attack": "paraphrase", "dataset": "a" * 32}
    under = attacked(theirs.record.model_copy(update=attack), answers(forget=1.0, retain=0.0))
    known = findings()
    found = conditions(findings(evaluated=[*known.evaluated, theirs], attacked=[*known.attacked, under]))[0]
    turned = {row.metric: row.value for row in found.recoveries if row.arm == "theirs" and row.modality == ""}
    assert turned == {"recovery": 1.0, "lost": 1.0}


def test_a_label_is_no_name_for_the_untouched_target() -> None:
    theirs = from_outside("theirs", answers(forget=0.0, retain=1.0))
    runs = [each for each in findings().evaluated if each.record.run]
    found = conditions(findings(evaluated=[*runs, theirs]))[0]
    assert found.ranking == ()
    assert set(found.labels) == {"gd", "npo", "theirs"}


def test_a_run_that_unlearned_another_forget_set_is_an_arm_of_its_own() -> None:
    rows = answers(forget=0.0, retain=1.0)
    elsewhere = evaluation("npo", rows, seed=7).record.model_copy(
        update={"trained_setting": "complete", "trained_ratio": 10, "made_of": {"data": "f" * 32}}
    )
    here = [
        Evaluated(
            each.record.model_copy(update={"trained_setting": "personalized"} if each.record.run else {}), each.rows
        )
        for each in findings().evaluated
    ]
    found = conditions(findings(evaluated=[*here, Evaluated(elsewhere, rows)]))[0]
    assert {row.arm: (row.method, row.seeds) for row in found.ranking} == {
        "npo trained on complete 10 %": ("npo", 1), "npo": ("npo", 1), "gd": ("gd", 1),
    }  # fmt: skip


def test_one_run_with_two_labels_is_refused() -> None:
    first = findings().evaluated[1]
    again = Evaluated(first.record.model_copy(update={"label": "bf16", "model": "hf:target label bf16"}), first.rows)
    with pytest.raises(
        BadInput, match="are of one run, once with the label '' and once with 'bf16'; report one of them"
    ):
        conditions(findings(evaluated=[*findings().evaluated, again]))


def test_evaluations_of_different_datasets_are_refused_by_name_of_the_key() -> None:
    other = evaluation("npo", answers(forget=0.1, retain=0.9), dataset="e" * 32)
    with pytest.raises(BadInput, match="differ in dataset: dddddddddddd and eeeeeeeeeeee"):
        conditions(findings(evaluated=[*findings().evaluated, other]))


def test_two_untouched_models_are_refused() -> None:
    first = evaluation("", answers(forget=1.0, retain=1.0))
    other = Evaluated(first.record.model_copy(update={"model": "hf:other", "name": "other"}), first.rows)
    with pytest.raises(BadInput, match="evaluations of target and other: differ in model"):
        conditions(findings(evaluated=[first, other]))


def test_nothing_found_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run and no evaluation"):
        write_files(findings(curves=[], evaluated=[], attacked=[]), out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_of_several_learning_rates_the_one_with_the_best_probes_is_compared() -> None:
    runs = [
        curve("gd", [(1, 1), (0.2, 0.5)], seed=0, lr=0.1, kept=10),
        curve("gd", [(1, 1), (0.2, 0.9)], seed=1, lr=0.01, kept=10),
    ]
    rows = [evaluation("", answers(forget=1.0, retain=1.0)),
            *(evaluation("gd", answers(forget=0.2, retain=0.9, seed=str(n)), seed=n) for n in (0, 1))]  # fmt: skip
    condition = conditions(findings(curves=runs, evaluated=rows, attacked=[]))[0]
    assert condition.labels == ("gd lr 0.01", "gd lr 0.1")
    assert [row.arm for row in condition.ranking] == ["gd lr 0.01"]


def test_seeds_of_one_method_are_one_arm() -> None:
    rows = [evaluation("", answers(forget=1.0, retain=1.0)),
            *(evaluation("gd", answers(forget=0.2, retain=0.9, seed=str(n)), seed=n) for n in range(3))]  # fmt: skip
    condition = conditions(findings(curves=[], evaluated=rows, attacked=[]))[0]
    assert [(row.arm, row.seeds) for row in condition.ranking] == [("gd", 3)]


def made_of(evaluated: Evaluated, **numbers: JsonValue) -> Evaluated:
    run = f"{evaluated.record.run}:{numbers}" if numbers else evaluated.record.run
    record = evaluated.record.model_copy(update={"run": run, "made_of": {"beta": 0.4, "steps": 10, **numbers}})
    return Evaluated(record, evaluated.rows)


def test_runs_of_one_method_with_other_numbers_are_no_seeds_of_each_other(tmp_path: Path) -> None:
    rows = answers(forget=0.2, retain=0.9)
    first, second, long = (evaluation("gd", rows), evaluation("gd", rows, seed=1), evaluation("gd", rows))
    found = findings(
        curves=[],
        evaluated=[
            evaluation("", answers(forget=1.0, retain=1.0)),
            made_of(first), made_of(second), made_of(long, steps=40, lr=0.005),
        ],
        attacked=[],
    )  # fmt: skip
    condition = conditions(found)[0]
    assert {row.arm: row.seeds for row in condition.ranking} == {
        "gd lr none steps 10": 2,
        "gd lr 0.005 steps 40": 1,
    }
    assert 'id="runs"' not in write_files(found, out=tmp_path).html.read_text()


def test_two_runs_of_one_seed_that_nothing_recorded_tells_apart_are_two_arms() -> None:
    one = evaluation("gd", answers(forget=0.2, retain=0.9))
    two = Evaluated(one.record.model_copy(update={"run": "another"}), one.rows)
    found = findings(curves=[], evaluated=[evaluation("", answers(forget=1.0, retain=1.0)), one, two], attacked=[])
    assert conditions(found)[0].labels == ("gd run another", "gd run run:gd:0")


def test_an_attack_that_breaks_the_target_too_is_said_to_tell_little(tmp_path: Path) -> None:
    broken = under_attack("", answers(forget=0.1, retain=0.1), "paraphrase")
    lost = sum(not right for key, right in broken.right.items() if int(key.split("_")[2][:2]) > 3) / 192
    text = write_files(findings(attacked=[broken, *findings().attacked]), out=tmp_path).html.read_text()
    assert f"Under paraphrase the untouched target itself loses {100 * lost:.0f} % of what it knew" in text


def test_an_attack_that_breaks_another_task_than_the_compared_one_is_not_held_against_it(tmp_path: Path) -> None:
    rows = [*answers(forget=1.0, retain=1.0), *choices(answers(forget=1.0, retain=1.0), likely=1.0, letters=1.0)]
    wrong = [row.model_copy(update={"correct": row.task == "generation"}) for row in rows]
    found = findings(
        curves=[],
        evaluated=[evaluation("", rows), evaluation("gd", rows)],
        attacked=[under_attack(name, wrong, "quantised") for name in ("", "gd")],
    )
    assert "the untouched target itself loses" not in write_files(found, out=tmp_path).html.read_text()


def test_an_interrupted_study_says_how_many_units_are_missing(tmp_path: Path) -> None:
    files = write_files(findings(planned=12, missing=3), out=tmp_path)
    for text in (files.html.read_text(), files.markdown.read_text()):
        assert "3 of its 12 planned units are missing" in text


def test_an_evaluation_of_which_more_than_a_twentieth_failed_is_not_ranked(tmp_path: Path) -> None:
    lame = evaluation("lame", failing(answers(forget=0.0, retain=1.0), 20))
    condition = conditions(findings(evaluated=[*findings().evaluated, lame], curves=[]))[0]
    assert [row.arm for row in condition.ranking] == ["npo", "gd"]
    (reason,) = condition.not_compared
    assert reason == (
        "lame (seed 0) is not compared: 8 of its 96 generation questions to forget got no answer "
        "(8 %, and 5 % is the most)."
    )
    assert reason in verdict(condition).details


def test_a_run_of_which_every_question_failed_forgot_nothing(tmp_path: Path) -> None:
    rows = failing(answers(forget=0.0, retain=1.0), 10_000)
    condition = conditions(findings(evaluated=[findings().evaluated[0], evaluation("lame", rows)], curves=[]))[0]
    found = verdict(condition)
    assert condition.ranking == ()
    assert found.headline == "Nothing can be compared: too many questions got no answer."
    assert not any("forgot 100 %" in each for each in (found.headline, *found.details))


def test_the_report_says_how_many_questions_failed(tmp_path: Path) -> None:
    lame = evaluation("lame", failing(answers(forget=0.3, retain=1.0), 4))
    found = findings(evaluated=[*findings().evaluated, lame], curves=[])
    text = write_files(found, out=tmp_path).markdown.read_text()
    assert "Some questions got no answer and are left out of all shares: 4 of 288 to lame." in text
    assert "| lame | 0 | none | 4 | 288 | 1.4 % |" in text


def test_the_verdict_says_that_the_likeliest_option_is_still_the_forgotten_one() -> None:
    def asked(method: str, forget: float, likely: float) -> Evaluated:
        rows = answers(forget=forget, retain=1.0)
        return evaluation(method, [*rows, *choices(rows, likely=likely)])

    found = findings(curves=[], attacked=[], evaluated=[asked("", 1.0, 1.0), asked("gd", 0.0, 0.5)])
    said = " ".join(verdict(conditions(found)[0]).details)
    assert re.search(r"still point to the forgotten answer: with gd in 4\d % of the cases \(chance 25 %\)", said)
    guessing = findings(curves=[], attacked=[], evaluated=[asked("", 1.0, 1.0), asked("gd", 0.0, 0.25)])
    assert "Asked with options" not in " ".join(verdict(conditions(guessing)[0]).details)


def test_a_task_that_the_untouched_target_cannot_do_is_said_to_be_so_and_not_shown(tmp_path: Path) -> None:
    rows = answers(forget=1.0, retain=1.0)
    evaluated = [evaluation(name, [*rows, *choices(rows, likely=1.0, letters=0.02)]) for name in ("", "gd")]
    text = write_files(findings(evaluated=evaluated, curves=[], attacked=[]), out=tmp_path).markdown.read_text()
    letters = text.split("the right letter is written")[1].split("**")[1]
    assert "| untouched target | cannot do this task |" in text
    assert "| gd |" not in letters
    likeliest = text.split("the likeliest option is right")[1]
    assert "| gd | 100 % [78, 100] |" in likeliest


def test_counts_stand_beside_accuracy(page: str) -> None:
    assert '<th scope="col">forget, text, n = 48</th>' in page


def test_two_runs_are_compared_figure_by_figure_without_the_untouched_target(tmp_path: Path) -> None:
    pair = [evaluation("gd", answers(forget=0.5, retain=0.7)), evaluation("npo", answers(forget=0.0, retain=0.7))]
    files = write_files(findings(curves=[], attacked=[], evaluated=pair), out=tmp_path)
    (headline,) = files.headlines
    assert re.match(
        r"personalized: Of what should be forgotten npo still gives [\d.]+ points \[[\d.]+, [\d.]+\] less \(real\)"
        r" than gd, and of what should be kept ",
        headline,
    )
    assert "gd and npo on the same questions" in files.html.read_text()
    assert "| figure | gd | npo | npo less gd, in points | standing | n |" in files.markdown.read_text()
    rows = list(csv.DictReader((tmp_path / "differences.csv").open()))
    assert {(row["a"], row["b"]) for row in rows} == {("gd", "npo")}
    assert "rouge_l_f1" in {row["metric"] for row in rows}


def test_one_run_is_compared_with_the_untouched_target() -> None:
    found = findings(curves=[], attacked=[], evaluated=findings().evaluated[:2])
    assert {(row.a, row.b) for row in conditions(found)[0].pairs} == {("untouched target", "gd")}


def test_every_arm_of_a_study_is_compared_with_the_best_one(tmp_path: Path) -> None:
    third = evaluation("ga", answers(forget=0.0, retain=0.1))
    found = findings(evaluated=[*findings().evaluated, third], curves=[])
    assert {(row.a, row.b) for row in conditions(found)[0].pairs} == {("npo", "ga"), ("npo", "gd")}
    assert "Each method beside npo, question by question" in write_files(found, out=tmp_path).html.read_text()


def test_attacks_are_averaged_over_seeds_and_subjects_and_seeds_are_drawn() -> None:
    rows = answers(forget=0.0, retain=1.0)
    back = [row.model_copy(update={"correct": True}) for row in rows]
    found = findings(
        curves=[],
        evaluated=[evaluation("", answers(forget=1.0, retain=1.0)), *(evaluation("gd", rows, seed=n) for n in (0, 1))],
        attacked=[under_attack("gd", rows, "paraphrase"), under_attack("gd", back, "paraphrase", seed=1)],
    )
    (row,) = [
        row for row in conditions(found)[0].recoveries if (row.metric, row.modality) == ("recovery", "")
    ]  # fmt: skip
    assert (row.value, row.runs, row.n) == (0.5, 2, 192)
    assert (row.low, row.high) == (0.0, 1.0)  # both draws may be of the same seed


def test_what_the_untouched_target_did_not_know_does_not_count_as_come_back() -> None:
    rows = answers(forget=0.0, retain=1.0)
    back = [row.model_copy(update={"correct": True}) for row in rows]
    knows_half = [row.model_copy(update={"correct": number % 2 == 0}) for number, row in enumerate(rows)]
    found = findings(
        curves=[],
        evaluated=[evaluation("", knows_half), evaluation("gd", rows)],
        attacked=[under_attack("gd", back, "paraphrase")],
    )
    rows_of = {(row.metric, row.modality): row.n for row in conditions(found)[0].recoveries}
    assert rows_of["recovery", ""] == 48


def test_attacked_evaluations_that_were_asked_otherwise_are_refused_by_name_of_the_key() -> None:
    rows = answers(forget=0.2, retain=0.9)
    other = [under_attack("gd", rows, "paraphrase"), under_attack("npo", rows, "paraphrase", dataset="b" * 32)]
    with pytest.raises(BadInput, match="differ in dataset: aaaaaaaaaaaa and bbbbbbbbbbbb"):
        conditions(findings(attacked=other))
    with pytest.raises(BadInput, match="differ in prompts: probe and published"):
        conditions(findings(attacked=[under_attack("gd", rows, "paraphrase", prompts="published")]))


def test_evaluations_that_differ_in_tasks_are_refused_by_that_name() -> None:
    rows = answers(forget=0.2, retain=0.9)
    other = evaluation("npo", [*rows, *choices(rows, likely=0.5)], dataset="e" * 32)
    with pytest.raises(BadInput, match="differ in tasks: generation and generation, classification"):
        conditions(findings(evaluated=[*findings().evaluated, other]))


def test_general_questions_that_were_asked_of_one_only_are_a_difference_in_tasks() -> None:
    rows = answers(forget=0.2, retain=0.9)
    general = rows[0].model_copy(update={"key": "colour|utility|vqa", "task": "utility", "role": None})
    other = evaluation("npo", [*rows, general], dataset="e" * 32)
    with pytest.raises(BadInput, match="differ in tasks: generation and generation, utility"):
        conditions(findings(evaluated=[*findings().evaluated, other]))


def test_only_the_best_learning_rate_stands_in_the_main_table_and_the_others_are_folded(tmp_path: Path) -> None:
    runs = [
        curve("gd", [(1, 1), (0.2, 0.5)], seed=0, lr=0.1, kept=10),
        curve("gd", [(1, 1), (0.2, 0.9)], seed=1, lr=0.01, kept=10),
    ]
    text = write_files(findings(curves=runs, evaluated=[], attacked=[]), out=tmp_path).html.read_text()
    main, others = text.split(f"<caption>{OTHERS_CAPTION}")
    assert ">gd lr 0.1<" not in main.split(f"<caption>{MATCHED_CAPTION}")[1].split("</table>")[0]
    assert ">gd lr 0.1<" in others.split("</table>")[0]
    assert f"<details><summary>{OTHERS_CAPTION}" in text


def test_charts_and_open_tables_show_one_learning_rate_of_each_method(tmp_path: Path) -> None:
    runs = [
        curve("gd", [(1, 1), (0.2, 0.5)], seed=0, lr=0.1, kept=10),
        curve("gd", [(1, 1), (0.2, 0.9)], seed=1, lr=0.01, kept=10),
    ]
    rows = [evaluation("", answers(forget=1.0, retain=1.0)),
            *(evaluation("gd", answers(forget=0.2, retain=0.9, seed=str(n)), seed=n) for n in (0, 1))]  # fmt: skip
    text = write_files(findings(curves=runs, evaluated=rows, attacked=[]), out=tmp_path).html.read_text()
    figures = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.DOTALL)
    assert {each["name"] for each in json.loads(figures[0])["data"]} == {"gd lr 0.01"}
    opened, folded = text.split("<summary>Generation: right answers (all numbers)")
    assert ">gd lr 0.1<" not in opened.split("<caption>Generation: right answers<")[1]
    assert ">gd lr 0.1<" in folded.split("</details>")[0]


def test_a_value_that_some_runs_did_not_reach_says_how_many_did(tmp_path: Path) -> None:
    runs = [curve("gd", [(1, 1), (left, 0.9)], seed=seed) for seed, left in enumerate((0.4, 0.3, 0.6))]
    text = write_files(findings(curves=runs, evaluated=[], attacked=[]), out=tmp_path).markdown.read_text()
    assert re.search(r"\| gd \| 9\d % .*\(2 of 3 runs reached it\) \| – \(0 of 3 runs reached it\) \|", text)


def test_each_chart_has_its_figures_in_a_folded_table_below_it(page: str) -> None:
    assert page.count("<details><summary>The figures of this chart as a table") == page.count("<figure ")
    assert '<th scope="row">npo</th><td>0</td><td>20</td><td>90 %</td><td>96 %</td><td>kept</td>' in page


def test_over_several_seeds_there_is_an_interval_and_not_only_a_range(tmp_path: Path) -> None:
    runs = [evaluation("gd", answers(forget=0.4, retain=0.9, seed=str(n)), seed=n) for n in range(3)]
    found = findings(curves=[], attacked=[], evaluated=[evaluation("", answers(forget=1.0, retain=1.0)), *runs])
    text = write_files(found, out=tmp_path).markdown.read_text()
    assert re.search(r"\*\*Generation: right answers\*\*.*\n\| gd \| \d+ % \[\d+, \d+\]", text, flags=re.DOTALL)
    assert "its interval over subjects and seeds; n is of one run" in text


def test_a_formula_in_a_csv_cell_is_disarmed() -> None:
    class Row(Record):
        name: str
        value: float

    assert csv_text([Row(name="=cmd()", value=-1.5)]) == "name,value\n'=cmd(),-1.5\n"


def test_a_bar_in_a_markdown_cell_does_not_end_it() -> None:
    assert markdown_table(Table("t", ("a",), (("x|y <b>",),))).splitlines()[-1] == "| x\\|y &lt;b> |"


def test_a_link_in_a_markdown_text_is_dead() -> None:
    assert plain("[x](http://a.example) ![y](z)") == "\\[x\\](http:\\//a.example) !\\[y\\](z)".replace("!\\[", "![")
    assert plain("[x]: www.a.example") == "\\[x]: www\\.a.example"
    assert plain("83 % [79, 87]") == "83 % [79, 87]"


def test_an_interval_is_written_in_whole_percent() -> None:
    assert with_interval(0.834, 0.79, 0.872) == "83 % [79, 87]"
    assert with_interval(None, None, None) == "–"


def exposed_beside(**changes: object) -> Findings:
    """A guarded run that fires on some of what is kept, and the same run without its guard."""
    made = findings()
    guarded = evaluation("gd", answers(forget=0.0, retain=0.9), metrics=[metric("accuracy", 0.0, modality="qa")])
    fires = {"forget": 1.0, "matched": 0.125, "retain": 0.05}
    beside = [
        Evaluated(guarded.record.model_copy(update={"fires": fires, **changes}), guarded.rows),
        Evaluated(guarded.record.model_copy(update={"fires": fires, "exposed": True}), answers(forget=1.0, retain=1.0)),
    ]
    return findings(evaluated=[made.evaluated[0], *beside])


def test_a_run_without_its_guard_stands_beside_it_and_is_not_ranked() -> None:
    (found,) = conditions(exposed_beside())
    assert [name for name, _ in found.evaluated][1:] == ["gd", "gd (exposed)"]
    assert [row.arm for row in found.ranking] == ["gd"]


def test_a_control_that_is_told_is_not_ranked() -> None:
    (found,) = conditions(exposed_beside(oracle=True))
    assert found.ranking == ()


def test_false_fires_of_gates_are_a_table() -> None:
    (found,) = conditions(exposed_beside())
    assert gate_table(found).rows == (("gd", "0", "100 %", "12 %", "5 %", "–"),)


def test_a_guard_that_leaves_the_facts_in_the_weights_is_said_to() -> None:
    (found,) = conditions(exposed_beside())
    assert exposed_table(found).rows == (("gd", "100 %", "0 %", "100 %", "the facts are still there"),)


def test_an_exposed_arm_stands_in_the_open_tables() -> None:
    (found,) = conditions(exposed_beside())
    assert "gd (exposed)" in found.main
