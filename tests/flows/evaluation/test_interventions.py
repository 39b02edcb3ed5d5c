"""Runs that leave a stack, evaluated: edits merge, guards refuse and have no likelihood, steering is its own model."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from eval.evaluation_folder import read_evaluation
from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.merge import merge_run
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.records.evaluation import Prediction
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.eval_world import write_dataset
from tests.worlds.tiny_models import TEXTS
from unlearn.answers.refusals import our_refusals

TRIED: dict[str, list[JsonValue]] = {
    "ssd": [1.1], "asru-redirect": [8.0], "guard-it": [2.0], "curate": [0.5], "prompt-soft": [5.0],
    "oracle-false": [1.0],
}  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("world") / "hub", people=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


@pytest.fixture(scope="module")
def plain(hub: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Prediction]:
    return asked(hub, base, tmp_path_factory.mktemp("plain"))


def made(hub: Path, base: Path, out: Path, method: str) -> Path:
    numbers: dict[str, JsonValue] = {"batch": 4, "probe_samples": 4, "tried": TRIED[method]}
    request = UnlearnRequest(
        dataset=hub, method=method, setting="selective", model=str(base), modality="qa", overrides=numbers
    )
    assert run_unlearning(request, out).outcome == "interventions"
    return out


def asked(hub: Path, base: Path, out: Path, **options: Any) -> dict[str, Prediction]:
    request = EvaluateRequest(
        dataset=hub, model=str(base), setting="selective", tasks=["generation", "classification"], modalities=["qa"],
        max_new_tokens=6, utility=0, **options,
    )  # fmt: skip
    record = run_evaluation(request, out)
    return {row.key: row for row in read_evaluation(out / record.folder)[1]}


def moved(rows: dict[str, Prediction], plain: dict[str, Prediction]) -> set[str]:
    """Keys of rows whose training answer became likelier or less likely."""
    found = {key: (row.nll, plain[key].nll) for key, row in rows.items()}
    return {key for key, (now, before) in found.items() if now is not None and abs(now - (before or 0.0)) > 1e-3}


@pytest.mark.parametrize("method", ["ssd", "guard-it", "prompt-soft"])
def test_what_a_maker_left_is_evaluated_and_not_its_base(
    hub: Path, base: Path, tmp_path: Path, plain: dict[str, Prediction], method: str
) -> None:
    rows = asked(hub, base, tmp_path / "out", adapter=made(hub, base, tmp_path / "run", method))
    assert rows.keys() == plain.keys()
    assert moved(rows, plain)


def test_a_refused_question_has_a_refusal_and_no_likelihood(
    hub: Path, base: Path, tmp_path: Path, plain: dict[str, Prediction]
) -> None:
    rows = asked(hub, base, tmp_path / "out", adapter=made(hub, base, tmp_path / "run", "curate"))
    refused = {key for key, row in rows.items() if row.reply in our_refusals()}
    assert refused
    opened = {key for key in refused if rows[key].task == "generation"}  # under whose prompt likelihoods are taken
    assert opened
    assert all(rows[key].nll is None for key in opened)
    chosen = {key.replace("|generation|", "|classification|") for key in opened}
    assert {rows[key].likely_choice for key in chosen} == {""}
    assert all(rows[key].reply == plain[key].reply for key in rows.keys() - refused)


def test_an_oracle_speaks_with_forget_questions_alone(
    hub: Path, base: Path, tmp_path: Path, plain: dict[str, Prediction]
) -> None:
    rows = asked(hub, base, tmp_path / "out", adapter=made(hub, base, tmp_path / "run", "oracle-false"))
    assert {rows[key].role for key in moved(rows, plain)} == {"forget"}


def test_an_edited_model_merges_and_says_the_same(hub: Path, base: Path, tmp_path: Path) -> None:
    run = made(hub, base, tmp_path / "run", "asru-redirect")
    merge_run(run, tmp_path / "plain", model=str(base))
    of_run, of_plain = asked(hub, base, tmp_path / "out", adapter=run), asked(hub, tmp_path / "plain", tmp_path / "out")
    assert {key: row.reply for key, row in of_run.items()} == {key: row.reply for key, row in of_plain.items()}
