"""Studies: the plan, whole studies of a tiny random model, failures within a matrix, resuming, and what is refused."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

import flows.evaluation.evaluate
from eval.evaluation_folder import read_evaluation
from eval.tasks.dataset_rows import attack_configs
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.experiments.report import read_curve, write_report
from flows.experiments.study import _results, run_study
from flows.experiments.study_plan import Slice, plan_units, slices_of
from flows.experiments.study_unit import Work, do_unit, failed_unit
from schemas.errors import BadInput
from schemas.recipes.build_recipe import read_recipe
from schemas.records.evaluation import EvaluationRecord
from schemas.records.study import StudyRecipe
from sources.sandbox.tiny_model import make_tiny_model
from tests.documents import ROOT
from tests.servers.forked import Forked, start_ppubench
from tests.servers.waiting import patient, wait_for
from tests.worlds.eval_world import write_dataset
from tests.worlds.tiny_models import TEXTS

SMALL = """
[numbers]
batch = 4
retain_batch = 4
probe_every = 1
probe_samples = 8
rank = 2
steps = 2
[evaluate]
tasks = ["generation"]
attacks = ["paraphrase"]
utility = 0
likelihood = false
max_new_tokens = 2
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("dataset"), people=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


def write_recipe(folder: Path, dataset: Path, model: Path, *, top: str = "", rest: str = SMALL) -> Path:
    path = folder / "study.toml"
    usual = {"methods": '["gd", "npo"]', "settings": '["personalized"]'}
    lines = [f"{key} = {value}" for key, value in usual.items() if f"{key} =" not in top]
    head = [f'name = "small"\ndataset = "{dataset}"\nmodel = "{model}"', *lines, top]
    path.write_text("\n".join(head) + rest)
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, dataset: Path, model: Path) -> tuple[Path, Path]:
    """Recipe and folder of a finished study in which the first try of one run failed."""
    folder = tmp_path_factory.mktemp("study")
    recipe = write_recipe(folder, dataset, model, rest=SMALL + 'routes = ["asked", "over_refusal"]\n')
    broken = folder / "out" / "runs" / "gd_personalized_seed0" / "run.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{}")
    record = run_study(recipe, folder / "out").record
    states = {unit.name: unit.status for unit in record.units}
    assert states == {"target": "finished", "gd_personalized_seed0": "failed", "npo_personalized_seed0": "finished"}
    return recipe, folder / "out"


def test_a_failed_run_is_reported_with_its_reason_and_the_others_are_done(done: tuple[Path, Path]) -> None:
    study = json.loads((done[1] / "study.json").read_text())
    failed = next(unit for unit in study["units"] if unit["status"] == "failed")
    assert "is not a run record" in failed["reason"]
    assert "is not a run record" in (done[1] / "report.html").read_text()
    assert "npo" in (done[1] / "comparison.csv").read_text()


def test_the_report_says_first_of_each_run_whether_it_is_gone_and_at_what_cost(done: tuple[Path, Path]) -> None:
    page = (done[1] / "report.html").read_text()
    assert page.index("npo seed0: personalized") < page.index("Is it gone?") < page.index("At what cost?")
    assert page.index("At what cost?") < page.index("npo forgot")
    assert {(row["model"], row["route"]) for row in csv.DictReader((done[1] / "routes.csv").open())} == {
        ("npo seed0", "asked"), ("npo seed0", "over_refusal")
    }  # fmt: skip


def test_the_target_is_tried_on_the_same_routes(done: tuple[Path, Path]) -> None:
    units = {unit["name"]: unit for unit in json.loads((done[1] / "study.json").read_text())["units"]}
    for name in ("target", "npo_personalized_seed0"):
        (place,) = units[name]["routes"]
        assert {path.stem for path in (done[1] / "evaluations" / place).iterdir()} == {"asked", "over_refusal"}


def test_an_oracle_without_routes_is_refused(tmp_path: Path, dataset: Path, model: Path) -> None:
    with pytest.raises(BadInput, match="oracle is the control of routes"):
        read_recipe(write_recipe(tmp_path, dataset, model, top="oracle = true"), StudyRecipe)


def test_an_oracle_of_a_dataset_that_is_no_build_is_refused_before_anything_runs(
    tmp_path: Path, dataset: Path, model: Path
) -> None:
    recipe = write_recipe(tmp_path, dataset, model, top="oracle = true", rest=SMALL + 'routes = ["asked"]\n')
    with pytest.raises(BadInput, match="an oracle: needs a build"):
        run_study(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_each_setting_has_its_oracle(tmp_path: Path, dataset: Path, model: Path) -> None:
    top = 'oracle = true\nsettings = ["personalized", "complete"]\nratios = [30]'
    recipe = read_recipe(
        write_recipe(tmp_path, dataset, model, top=top, rest=SMALL + 'routes = ["asked"]\n'), StudyRecipe
    )
    oracles = [unit for unit in plan_units(recipe) if unit.oracle]
    assert [unit.name for unit in oracles] == ["oracle_personalized", "oracle_complete_r30"]
    assert all(slices_of(recipe, unit) == () for unit in oracles)


def test_the_same_call_tries_the_failed_run_again_and_leaves_the_finished_ones(
    done: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, out = done[0], tmp_path / "out"
    shutil.copytree(done[1], out)
    (out / "runs" / "gd_personalized_seed0" / "run.json").unlink()
    adapter = out / "runs" / "npo_personalized_seed0" / "adapter" / "adapter_model.safetensors"
    before, seen = adapter.stat().st_mtime_ns, list[tuple[str, int, int]]()
    report = run_study(recipe, out, progress=lambda *state: seen.append(state))
    assert {unit.status for unit in report.record.units} == {"finished"}
    assert seen == [("runs", 2, 3), ("runs", 3, 3), ("report", 0, 1), ("report", 1, 1)]
    assert adapter.stat().st_mtime_ns == before
    assert report.files is not None
    assert sorted(path.name for path in out.glob("report.*")) == ["report.html", "report.md"]


def test_every_unit_is_evaluated_plain_and_under_attack(done: tuple[Path, Path]) -> None:
    study = json.loads((done[1] / "study.json").read_text())
    unit = next(unit for unit in study["units"] if unit["method"] == "npo")
    records = [
        json.loads((done[1] / "evaluations" / each / "evaluation.json").read_text()) for each in unit["evaluations"]
    ]
    assert [record["attack"] for record in records] == [None, "paraphrase"]
    assert {record["run"] for record in records} == {unit["run"]}


def test_two_methods_that_come_to_the_same_weights_are_both_reported(
    tmp_path: Path, dataset: Path, model: Path
) -> None:
    """Where whole people are forgotten no subject has both kinds of facts, so bao-gd has no boundary term."""
    top = 'methods = ["gd", "bao-gd"]\nsettings = ["complete"]\nratios = [30]'
    rest = SMALL.replace('attacks = ["paraphrase"]', "attacks = []")
    record = run_study(write_recipe(tmp_path, dataset, model, top=top, rest=rest), tmp_path / "out").record
    assert [unit.status for unit in record.units] == ["finished"] * 3
    write_report([tmp_path / "out"], out=tmp_path / "out")
    rows = (tmp_path / "out" / "comparison.csv").read_text().splitlines()[1:]
    assert sorted(row.split(",")[0] for row in rows) == ["bao-gd", "gd"]


def test_the_curve_of_a_run_starts_with_the_model_before_it(done: tuple[Path, Path]) -> None:
    curve = read_curve(done[1] / "runs" / "npo_personalized_seed0")
    assert curve is not None
    assert [point.position for point in curve.points] == [0, 1, 2]
    assert (curve.method, curve.unit, curve.forget_samples) == ("npo", "step", 8)


def test_a_run_folder_alone_can_be_reported(done: tuple[Path, Path], tmp_path: Path) -> None:
    files = write_report([done[1] / "runs" / "npo_personalized_seed0"], out=tmp_path)
    assert "evaluate the untouched target" in files.html.read_text()
    assert (tmp_path / "curves.csv").is_file()


def test_a_run_whose_loss_is_not_a_number_has_failed(tmp_path: Path, dataset: Path, model: Path) -> None:
    rest = SMALL.replace("steps = 2", "steps = 4\nstop_repetition = 1.0\nstop_retain_share = 0.0")
    recipe = write_recipe(tmp_path, dataset, model, top='methods = ["ga"]\nlearning_rates = [1e30]', rest=rest)
    units = run_study(recipe, tmp_path / "out").record.units
    assert [unit.status for unit in units] == ["finished", "failed"]
    assert "the loss is not finite" in units[1].reason


def test_a_study_folder_in_use_is_refused(done: tuple[Path, Path]) -> None:
    with FileLock(done[1] / ".lock"), pytest.raises(BadInput, match="another ppubench is at work on it"):
        run_study(*done)


def test_a_report_of_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no study, run or evaluation"):
        write_report([tmp_path], out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_report_of_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder; name one that ppubench build, study, unlearn or evaluate"):
        write_report([tmp_path / "nowhere"], out=tmp_path)


@pytest.mark.parametrize(
    ("top", "rest", "said"),
    [
        ('methods = ["gd", "bao-dg"]', "", "'bao-dg' is not a method; did you mean bao-gd?"),
        ('settings = ["personal"]', "", r"key settings.0: .*'complete', 'selective' or 'personalized'"),
        ('settings = ["complete"]', "", "ratios needs at least one percentage"),
        ('settings = ["complete"]\nratios = [7]', "", "has no ratio 7"),
        ("sedes = [1]", "", "key sedes is not known; did you mean seeds?"),
        ("seeds = [1, 1]", "", "seeds names something twice"),
        ("", '\n[compare]\nmetric = "acuracy"', r"key compare.metric: .*'accuracy'"),
        ("", '\n[evaluate]\natacks = ["paraphrase"]', "key evaluate.atacks is not known; did you mean attacks?"),
        ("", '\n[evaluate]\nattacks = ["paraphrases"]', r"key evaluate.attacks.0: .*'paraphrase'"),
        ("", '\n[evaluate]\ntasks = ["cloze"]', "compare.task is generation, but evaluate.tasks does not ask it"),
        ("", "\n[numbers]\nmargn = 1.0", "margn"),
    ],
)
def test_a_recipe_that_names_what_does_not_exist_is_refused_before_anything_is_written(
    tmp_path: Path, dataset: Path, model: Path, top: str, rest: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        run_study(write_recipe(tmp_path, dataset, model, top=top, rest=rest), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dataset_or_model_that_is_not_there_is_refused(tmp_path: Path, dataset: Path, model: Path) -> None:
    with pytest.raises(BadInput, match="is neither a folder nor a Hub id"):
        run_study(write_recipe(tmp_path, tmp_path / "no", model), tmp_path / "out")
    with pytest.raises(BadInput, match="no such folder"):
        run_study(write_recipe(tmp_path, dataset, tmp_path / "no"), tmp_path / "out")


def test_the_plan_is_every_combination_once_and_ratios_are_for_complete_only(tmp_path: Path) -> None:
    top = 'settings = ["complete", "persona"]\nratios = [5, 30]\nseeds = [0, 1]\nlearning_rates = [0.001, 0.01]'
    units = plan_units(read_recipe(write_recipe(tmp_path, tmp_path, tmp_path, top=top), StudyRecipe))
    assert len(units) == 1 + 2 * (2 + 1) * 2 * 2
    assert len({unit.name for unit in units}) == len(units)
    assert units[1].name == "gd_complete_r5_lr0.001_seed0"
    assert units[-1].name == "npo_personalized_lr0.01_seed1"


def test_an_attack_is_asked_at_every_ratio_from_the_config_of_the_next_larger_one(
    tmp_path: Path, dataset: Path, model: Path
) -> None:
    top = 'settings = ["complete"]\nratios = [15, 30]'
    recipe = read_recipe(write_recipe(tmp_path, dataset, model, top=top), StudyRecipe)
    units = plan_units(recipe)
    assert slices_of(recipe, units[1]) == (Slice("complete", 15, None), Slice("complete", 15, "paraphrase"))
    assert slices_of(recipe, units[-1])[-1] == Slice("complete", 30, "paraphrase")
    assert attack_configs(dataset, "complete", 15, "paraphrase") == [
        "paraphrase_complete30",
        "paraphrase_complete30_retain",
    ]


@pytest.mark.parametrize(
    ("gone", "attack", "top", "said"),
    [
        ("paraphrase_persona*", "paraphrase", "",
         "recipe small, evaluate.attacks, paraphrase for personalized: .* has no config paraphrase_persona for attack "
         "paraphrase; it has paraphrase_complete30, "),
        ("paraphrase_complete30*", "paraphrase", 'settings = ["complete"]\nratios = [15]',
         "paraphrase for complete 15: .* has no config paraphrase_complete of at least 15 %"),
        ("cross_image_persona*", "view_003", "",
         "view_003 for personalized: .* has no config cross_image_persona for attack view_003; it has cross_image_"),
        ("ppu_eval_generation", "paraphrase", "",
         "recipe small, evaluate.tasks: .* has no config ppu_eval_generation; it has "),
    ],
)  # fmt: skip
def test_a_study_whose_dataset_lacks_what_will_be_asked_is_refused_before_anything_is_trained(
    tmp_path: Path, dataset: Path, model: Path, gone: str, attack: str, top: str, said: str
) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset, copy)
    for folder in (copy / "data").glob(gone):
        shutil.rmtree(folder)
    rest = SMALL.replace('"paraphrase"', f'"{attack}"')
    with pytest.raises(BadInput, match=said):
        run_study(write_recipe(tmp_path, copy, model, top=top, rest=rest), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_view_whose_pictures_the_dataset_lacks_is_refused_before_anything_is_trained(
    tmp_path: Path, dataset: Path, model: Path
) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset, copy)
    for file in (copy / "data").glob("cross_image_persona*/*.parquet"):
        pq.write_table(pq.read_table(file).drop_columns(["image_004"]), file)
    rest = SMALL.replace('"paraphrase"', '"view_003", "view_004"')
    with pytest.raises(BadInput, match="view_004 for personalized: .* has no column image_004"):
        run_study(write_recipe(tmp_path, copy, model, rest=rest), tmp_path / "out")


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (
            SMALL.replace('attacks = ["paraphrase"]', 'attacks = ["view_002"]\nmodalities = ["qa"]'),
            "none is asked under view_002",
        ),
        (SMALL.replace('"paraphrase"', '"quantised"'), "quantised runs on a CPU, and device is cuda"),
    ],
)
def test_a_study_that_asks_what_cannot_be_asked_is_refused_before_anything_is_trained(
    tmp_path: Path, dataset: Path, model: Path, rest: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearn.training.processes.check_device", lambda device: None)
    top = 'device = "cuda"' if "quantised" in rest else ""
    with pytest.raises(BadInput, match=said):
        run_study(write_recipe(tmp_path, dataset, model, top=top, rest=rest), tmp_path / "out")


def one_run(folder: Path, dataset: Path, model: Path) -> Path:
    return write_recipe(folder, dataset, model, top='methods = ["gd"]')


def test_a_unit_that_fails_keeps_the_evaluations_that_had_finished(
    tmp_path: Path, dataset: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = flows.evaluation.evaluate.run_evaluation

    def breaks(wanted: EvaluateRequest, out: Path, **options: Any) -> EvaluationRecord:
        if wanted.attack and wanted.adapter:
            raise OSError("the disk is full")
        return evaluate(wanted, out, **options)

    monkeypatch.setattr(flows.evaluation.evaluate, "run_evaluation", breaks)
    recipe, out = one_run(tmp_path, dataset, model), tmp_path / "out"
    unit = run_study(recipe, out).record.units[1]
    assert (unit.status, unit.reason, len(unit.evaluations)) == ("failed", "OSError: the disk is full", 1)
    assert read_evaluation(out / "evaluations" / unit.evaluations[0])[0].run == unit.run
    monkeypatch.undo()
    again = run_study(recipe, out).record.units[1]
    assert (again.status, again.evaluations[:1], len(again.evaluations)) == ("finished", unit.evaluations, 2)


def test_a_unit_whose_process_died_keeps_the_evaluations_that_had_finished(
    tmp_path: Path, dataset: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = flows.evaluation.evaluate.run_evaluation

    def dies(wanted: EvaluateRequest, out: Path, **options: Any) -> EvaluationRecord:
        if wanted.attack:
            raise KeyboardInterrupt
        return evaluate(wanted, out, **options)

    monkeypatch.setattr(flows.evaluation.evaluate, "run_evaluation", dies)
    recipe = read_recipe(one_run(tmp_path, dataset, model), StudyRecipe)
    unit = plan_units(recipe)[1]
    work = Work(recipe, unit, slices_of(recipe, unit), "key", tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        do_unit(work)
    found = failed_unit(work, "its process died")
    assert (found.status, found.reason, len(found.evaluations)) == ("failed", "its process died", 1)


def test_a_finished_unit_whose_answers_are_cut_is_evaluated_again_and_not_trained_again(
    done: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, out = done[0], tmp_path / "out"
    shutil.copytree(done[1], out)
    (unit,) = (each for each in run_study(recipe, out).record.units if each.method == "npo")
    rows = out / "evaluations" / unit.evaluations[0] / "predictions.jsonl"
    adapter = out / "runs" / unit.name / "adapter" / "adapter_model.safetensors"
    whole, trained = rows.read_bytes(), adapter.stat().st_mtime_ns
    rows.write_bytes(whole[:-30])
    report = run_study(recipe, out)
    assert {each.status for each in report.record.units} >= {"finished"}
    assert (rows.read_bytes() == whole, adapter.stat().st_mtime_ns == trained) == (True, True)


def test_another_version_of_the_evaluation_evaluates_finished_units_again_and_trains_none(
    done: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = done[0], tmp_path / "out"
    shutil.copytree(done[1], out)
    before = next(unit for unit in run_study(recipe, out).record.units if unit.method == "npo")
    adapter = out / "runs" / before.name / "adapter" / "adapter_model.safetensors"
    trained = adapter.stat().st_mtime_ns
    monkeypatch.setattr("flows.experiments.study_plan.VERSION", 99)
    monkeypatch.setattr("flows.evaluation.settled_request.VERSION", 99)
    after = next(unit for unit in run_study(recipe, out).record.units if unit.method == "npo")
    assert not set(after.evaluations) & set(before.evaluations)
    assert (after.run, adapter.stat().st_mtime_ns) == (before.run, trained)


def test_two_runs_that_come_to_the_same_weights_are_both_reported(tmp_path: Path, dataset: Path, model: Path) -> None:
    """MANU takes no steps, so its learning rate decides nothing."""
    top = 'methods = ["manu"]\nlearning_rates = [0.001, 0.002]'
    rest = SMALL.replace('attacks = ["paraphrase"]', "attacks = []").replace("steps = 2", "prune_shares = [0.5]")
    units = run_study(write_recipe(tmp_path, dataset, model, top=top, rest=rest), tmp_path / "out").record.units
    assert [(unit.status, unit.reason) for unit in units] == [("finished", "")] * 3
    assert units[1].evaluations != units[2].evaluations
    with (tmp_path / "out" / "metrics.csv").open() as lines:
        assert {row["arm"] for row in csv.DictReader(lines)} >= {"manu lr 0.001", "manu lr 0.002"}


@pytest.mark.parametrize("name", ["demo_study.toml", "five_seeds.toml", "full_study.toml"])
def test_the_recipes_that_come_along_are_read(name: str) -> None:
    recipe = read_recipe(ROOT / "flows" / "recipes" / name, StudyRecipe)
    assert len(plan_units(recipe)) == {"demo_study.toml": 4, "five_seeds.toml": 76, "full_study.toml": 25}[name]


class _Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (1,)


@pytest.fixture
def endless(tmp_path: Path, dataset: Path, model: Path) -> Iterator[tuple[Forked, list[psutil.Process]]]:
    """A study in a process group of its own that trains two runs at once for hours, and its workers."""
    rest = SMALL.replace("steps = 2", "steps = 1000000")
    recipe = write_recipe(tmp_path, dataset, model, top='jobs = 2\nmethods = ["gd", "npo", "ga"]', rest=rest)
    study = start_ppubench("study", str(recipe), "--out", str(tmp_path / "out"), cwd=ROOT, group=True)
    logs = [tmp_path / "out" / "runs" / f"{method}_personalized_seed0" / "log.jsonl" for method in ("gd", "npo")]
    wait_for(lambda: all(log.is_file() and log.stat().st_size > 0 for log in logs), limit_s=240)
    workers = psutil.Process(study.pid).children(recursive=True)
    assert len(workers) >= 2
    yield study, workers
    for process in workers:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    study.kill()
    study.wait()


@pytest.mark.slow
def test_an_interrupted_study_ends_at_once_with_all_its_processes(
    endless: tuple[Forked, list[psutil.Process]],
) -> None:
    study, workers = endless
    os.killpg(study.pid, signal.SIGINT)  # as a terminal does
    _, said = study.communicate(timeout=patient(60))
    assert study.returncode == 130
    assert said.splitlines()[-1] == "ppubench: interrupted; run the same command again to go on"
    assert psutil.wait_procs(workers, timeout=patient(30))[1] == []


@pytest.mark.slow
def test_the_processes_of_a_killed_study_end_too(
    endless: tuple[Forked, list[psutil.Process]],
) -> None:
    study, workers = endless
    study.kill()
    assert psutil.wait_procs(workers, timeout=patient(30))[1] == []


@pytest.mark.slow
def test_a_run_that_kills_its_process_is_reported_and_the_other_is_done(
    tmp_path: Path, dataset: Path, model: Path
) -> None:
    recipe = read_recipe(write_recipe(tmp_path, dataset, model), StudyRecipe)
    _, one, two = plan_units(recipe)
    deadly = Work(recipe, one, (), "key", tmp_path)
    alive = replace(deadly, unit=two)
    found = {unit.name: unit for unit in _results([replace(deadly, slices=_Deadly()), alive], jobs=2)}  # type: ignore[arg-type]
    assert found[one.name].reason == "its process died, perhaps for lack of memory"
    assert (found[two.name].status, found[two.name].run != "") == ("finished", True)
