"""Methods and metrics of a user's own file: the ones that the docs show, run; and every way to hold it wrong."""

import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.experiments.report import _read_evaluations
from flows.experiments.study import run_study
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from flows.resources.user_code import find_method, find_metric
from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.documents import file_of
from tests.worlds.eval_world import write_dataset
from tests.worlds.tiny_models import TEXTS
from unlearn.runs.record import RunRecord

SMALL: dict[str, JsonValue] = {"batch": 4, "retain_batch": 4, "probe_every": 2, "probe_samples": 8, "rank": 2}
STUDY = """
name = "own"
dataset = "{dataset}"
model = "{model}"
methods = ["gd", "{method}:METHOD"]
settings = ["personalized"]
numbers = {{ batch = 4, retain_batch = 4, probe_every = 1, probe_samples = 8, rank = 2, steps = 2 }}
[evaluate]
tasks = ["generation"]
utility = 0
likelihood = false
max_new_tokens = 2
metrics = ["{metric}:METRIC"]
"""


@pytest.fixture
def method_file(tmp_path: Path) -> Path:
    path = tmp_path / "own_method.py"
    path.write_text(file_of("docs/adding-a-method.md", "own_method.py"))
    return path


@pytest.fixture
def metric_file(tmp_path: Path) -> Path:
    path = tmp_path / "own_metric.py"
    path.write_text(file_of("docs/adding-a-metric.md", "own_metric.py"))
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("dataset"), people=4)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


def run(
    dataset: Path, base: Path, method: Path, out: Path, *, resume: bool = False, stop: int | None = None
) -> RunRecord:
    request = UnlearnRequest(
        dataset=dataset, method=f"{method}:METHOD", setting="personalized", model=str(base), overrides=SMALL, steps=4
    )
    return run_unlearning(request, out, resume=resume, stop_after=stop)


def test_the_method_of_the_docs_is_about_thirty_lines() -> None:
    assert len(file_of("docs/adding-a-method.md", "own_method.py").splitlines()) <= 32


def test_the_floor_pulls_only_on_answers_that_are_still_likely(method_file: Path) -> None:
    import torch

    from unlearn.presets import numbers_for

    numbers, _ = numbers_for("floor", preset="default", parameters=0, family="")
    term = find_method(f"{method_file}:METHOD").term("floor")
    # mean of max(0, 4 - 1) and max(0, 4 - 9)
    assert term.value({"forget.nll": torch.tensor([1.0, 9.0])}, {}, numbers).item() == pytest.approx(1.5)


def test_a_method_of_ones_own_runs_is_stopped_and_goes_on(
    dataset: Path, base: Path, method_file: Path, tmp_path: Path
) -> None:
    whole = run(dataset, base, method_file, tmp_path / "whole")
    assert (whole.status, whole.method, whole.terms) == ("finished", "floor", ("floor", "descent"))
    assert whole.numbers["matched"] == 1
    assert "method file" in whole.sections
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert any("floor" in key for line in lines for key in line)
    run(dataset, base, method_file, tmp_path / "cut", stop=2)
    again = run(dataset, base, method_file, tmp_path / "cut", resume=True)
    assert again.identity == whole.identity
    assert again.best == whole.best


def test_an_edited_file_is_another_method(dataset: Path, base: Path, method_file: Path, tmp_path: Path) -> None:
    run(dataset, base, method_file, tmp_path / "run", stop=2)
    method_file.write_text(method_file.read_text().replace("FLOOR_NATS = 4.0", "FLOOR_NATS = 5.0"))
    with pytest.raises(BadInput, match="was started with code"):
        run(dataset, base, method_file, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            ("forget.nll", "forget.likelihood"),
            "asks for 'forget.likelihood', .* measured are forget.nll, forget.nll_sum",
        ),
        ((".mean()", ""), r"gives a tensor of shape \[2\], not a scalar tensor"),
        ((".mean()", ".mean().detach()"), "has no gradient"),
    ],
)
def test_a_fault_in_a_term_names_file_and_term_and_the_folder_takes_the_mended_file(
    dataset: Path, base: Path, method_file: Path, tmp_path: Path, change: tuple[str, str], match: str
) -> None:
    text = method_file.read_text()
    assert change[0] in text
    method_file.write_text(text.replace(*change))
    with pytest.raises(BadInput, match=f"own_method.py:METHOD, term 'floor': {match}"):
        run(dataset, base, method_file, tmp_path / "run")
    method_file.write_text(text)
    assert run(dataset, base, method_file, tmp_path / "run").status == "finished"


def test_a_study_compares_methods_and_figures_of_ones_own(
    dataset: Path, base: Path, method_file: Path, metric_file: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "study.toml"
    recipe.write_text(STUDY.format(dataset=dataset, model=base, method=method_file, metric=metric_file))
    out = tmp_path / "study"
    report = run_study(recipe, out)
    assert [(unit.status, unit.reason) for unit in report.record.units] == [("finished", "")] * 3
    assert [unit.name.split("_")[0].split("-")[0] for unit in report.record.units] == ["target", "gd", "floor"]
    page = (out / "report.html").read_text()
    assert "floor" in page
    assert "reply words, generation, forget" in page
    assert "reply_words" in (out / "metrics.csv").read_text()
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("run.json")}
    run_study(recipe, out)
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("run.json")} == before


def test_measuring_once_more_with_a_figure_of_ones_own_asks_nothing_and_is_one_evaluation(
    dataset: Path, base: Path, metric_file: Path, tmp_path: Path
) -> None:
    wanted = EvaluateRequest(
        dataset=dataset, model=str(base), setting="personalized", tasks=("generation",), utility=0, likelihood=False,
        max_new_tokens=2,
    )  # fmt: skip
    first = run_evaluation(wanted, tmp_path / "evaluations")
    answers = next((tmp_path / "evaluations").rglob("answers-*.jsonl"))
    before = answers.read_bytes()
    second = run_evaluation(wanted.model_copy(update={"metrics": (f"{metric_file}:METRIC",)}), tmp_path / "evaluations")
    assert answers.read_bytes() == before
    assert {row.metric for row in second.metrics} - {row.metric for row in first.metrics} == {"reply_words"}
    plain, _ = _read_evaluations(sorted(path.parent for path in tmp_path.rglob("evaluation.json")))
    assert [each.record.identity for each in plain] == [second.identity]


@pytest.mark.parametrize(
    "change, match",
    [
        (('"floor",\n', '"gd",\n'), "like one of ours"),
        (('terms=("floor"', 'terms=("ceiling"'), "there is no term 'ceiling'"),
        (('own={"floor"', 'own={"kl"'), "like one of ours|there is no term"),
        (("METHOD = Method(", "METHODS = Method("), "it has METHODS"),
        (("FLOOR_NATS = 4.0", "FLOOR_NATS = 1 / 0"), "ZeroDivisionError"),
        (('"floor",\n', '"../up",\n'), "use small letters"),
    ],
)
def test_a_method_file_that_cannot_work_is_refused(method_file: Path, change: tuple[str, str], match: str) -> None:
    text = method_file.read_text()
    assert change[0] in text
    method_file.write_text(text.replace(*change))
    with pytest.raises(BadInput, match=match):
        find_method(f"{method_file}:METHOD")


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="there is no file nowhere.py"):
        find_method("nowhere.py:METHOD")


def test_a_path_without_the_name_in_it_is_told_how_to_write_it() -> None:
    with pytest.raises(BadInput, match=r"write FILE.py:NAME, as decay.py:METHOD"):
        find_method("decay.py")


def test_a_metric_must_be_of_a_file() -> None:
    with pytest.raises(BadInput, match="ours are always measured"):
        find_metric("accuracy")
