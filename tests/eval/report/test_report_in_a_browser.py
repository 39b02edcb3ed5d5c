"""The report of a study in a real browser: its charts are drawn, and each has its figures in a table that folds."""

from pathlib import Path

import pytest

from eval.report.findings import Findings
from eval.report.report import write_files
from tests.servers.browser import CHROMIUM, WHY_NOT, Seen, page_after_scripts
from tests.worlds.synthetic_results import answers, choices, curve, evaluation, metric, under_attack

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=WHY_NOT)
HOSTILE = "</script><img src=x onerror=alert(1)>"
SHARES = ("right_in_both", "wrong_in_qa_only", "wrong_in_vqa_only", "wrong_in_both")


def study() -> Findings:
    """Three methods, one of them named to do harm, with everything that a report can draw."""
    methods = {"": (1.0, 1.0, 1.0), "gd": (0.5, 0.7, 0.6), "npo": (0.05, 0.96, 0.4), HOSTILE: (0.3, 0.8, 0.5)}
    evaluated, attacked = [], []
    for method, (forget, retain, likely) in methods.items():
        rows = answers(forget=forget, retain=retain)
        shares = [metric(name, 0.25, role) for name in SHARES for role in ("forget", "retain")]
        evaluated.append(evaluation(method, [*rows, *choices(rows, likely=likely)], metrics=shares))
        attacked.append(under_attack(method, answers(forget=0.6, retain=0.6), "paraphrase"))
    curves = [curve(name, [(1, 1), (0.6, 0.9), (0.1, 0.8)], kept=20) for name in methods if name]
    return Findings(title="Study x", curves=curves, evaluated=evaluated, attacked=attacked, planned=5, missing=1)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("report")
    page: Path = write_files(study(), out=folder).html
    return Seen(page_after_scripts(page, home=folder / "browser"))


def of_class(seen: Seen, tag: str, name: str) -> int:
    return sum(tag == each and name in (cells.get("class") or "").split() for each, cells in seen.elements)


def test_every_chart_is_drawn(seen: Seen) -> None:
    assert of_class(seen, "div", "chart") == 4
    assert of_class(seen, "svg", "main-svg") >= 4
    assert of_class(seen, "g", "trace") > 10


def test_the_parts_of_bars_are_drawn_with_patterns(seen: Seen) -> None:
    assert sum(tag == "pattern" for tag, _ in seen.elements) >= 6


def test_each_chart_has_a_folded_table(seen: Seen) -> None:
    assert seen.text.count("The figures of this chart as a table") == 4
    assert not any("open" in cells for tag, cells in seen.elements if tag == "details")


def test_the_verdict_stands_before_everything_else(seen: Seen) -> None:
    start = seen.text.index("npo comes first, and with one seed its lead over")
    assert start < seen.text.index("Which method is better") < seen.text.index("Forgetting against retaining")
    assert "1 of its 5 planned units are missing" in seen.text


def test_text_from_outside_makes_no_element(seen: Seen) -> None:
    assert not any(tag == "img" for tag, _ in seen.elements)
    assert HOSTILE in seen.text
