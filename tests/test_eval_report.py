"""The report: what it says, that nothing from outside becomes markup, and what it refuses."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import JsonValue

from eval.report import write_files
from eval.report_data import Evaluated, Findings, conditions
from eval.tables import Table, csv_text, markdown_table, with_interval
from eval.verdicts import verdict
from schemas.problems import BadInput
from schemas.studies import UnitRecord
from schemas.tables import Record
from tests.synthetic_results import answers, curve, evaluation, metric

HOSTILE = "</script><img src=x onerror=alert(1)>|`=1"


def findings(**changes: object) -> Findings:
    target = evaluation("", answers(forget=1.0, retain=1.0), metrics=[metric("accuracy", 1.0, modality="qa")])
    npo = evaluation("npo", answers(forget=0.05, retain=0.96), metrics=[metric("accuracy", 0.05, modality="qa"),
                     metric("wrong_in_both", 0.8), metric("right_in_both", 0.2)])  # fmt: skip
    gd = evaluation("gd", answers(forget=0.5, retain=0.7), metrics=[metric("accuracy", 0.5, modality="qa")])
    attacked = evaluation("gd", [], attack="paraphrase", metrics=[metric("recovery", 0.3, attack="paraphrase")])
    made = Findings(
        title="Study x",
        curves=[
            curve("gd", [(1, 1), (0.6, 0.9), (0.2, 0.6)], kept=20),
            curve("npo", [(1, 1), (0.6, 1.0), (0.1, 0.96)], kept=20),
        ],
        evaluated=[target, gd, npo],
        attacked=[attacked.record],
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
    assert found.headline == "npo comes first, and its lead over gd is real."
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


def test_retain_at_matched_forgetting_stands_in_the_page(page: str) -> None:
    # gd: half-way from forget 0.6 to 0.2 is a quarter: 0.9 - 0.25 * 0.3 = 0.825
    assert "retained where 50 % of the forget set is left" in page
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
        "comparison.csv", "matched.csv", "metrics.csv", "curves.csv", "outcomes.csv",
    }  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert [row["arm"] for row in rows] == ["npo", "gd"]
    assert "| npo |" in files.markdown.read_text()


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
    attacked = [
        evaluation("", [], attack="paraphrase", metrics=[metric("lost", 0.9, "retain", attack="paraphrase")]).record,
        *findings().attacked,
    ]
    text = write_files(findings(attacked=attacked), out=tmp_path).html.read_text()
    assert "Under paraphrase the untouched target itself loses 90 % of what it knew" in text


def test_a_formula_in_a_csv_cell_is_disarmed() -> None:
    class Row(Record):
        name: str
        value: float

    assert csv_text([Row(name="=cmd()", value=-1.5)]) == "name,value\n'=cmd(),-1.5\n"


def test_a_bar_in_a_markdown_cell_does_not_end_it() -> None:
    assert markdown_table(Table("t", ("a",), (("x|y <b>",),))).splitlines()[-1] == "| x\\|y &lt;b> |"


def test_an_interval_is_written_in_whole_percent() -> None:
    assert with_interval(0.834, 0.79, 0.872) == "83 % [79, 87]"
    assert with_interval(None, None, None) == "–"
