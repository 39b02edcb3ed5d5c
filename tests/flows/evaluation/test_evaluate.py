"""Whole evaluations: what is asked, kept, resumed and refused, and that what is evaluated is what was named."""

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from pydantic import JsonValue
from pytest_httpserver import HTTPServer

import flows.evaluation.evaluate
from eval.evaluation_folder import find_evaluations, read_evaluation
from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.lmms_eval import check_lmms_eval
from flows.evaluation.merge import merge_run
from flows.evaluation.model import identify, open_evaluated
from flows.evaluation.weight_attacks import quantise, relearn
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Decoding
from schemas.records.evaluation import EvaluationRecord, Prediction
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.eval_world import Scripted, write_dataset
from tests.worlds.tiny_models import TEXTS
from unlearn.models.loading import LoadedModel, load_model
from unlearn.runs.record import open_run

SMALL: dict[str, JsonValue] = {
    "batch": 4,
    "retain_batch": 4,
    "probe_every": 0,
    "probe_samples": 4,
    "rank": 4,
    "lr": 0.05,
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("world") / "hub", people=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


@pytest.fixture(scope="module")
def run(hub: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that has moved its adapter far."""
    out = tmp_path_factory.mktemp("runs") / "gd"
    asked = UnlearnRequest(dataset=hub, method="gd", setting="selective", model=str(base), overrides=SMALL, steps=6)
    run_unlearning(asked, out)
    return out


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scripted], Scripted]:
    """Puts a scripted responder in the place of the model."""

    def put(responder: Scripted) -> Scripted:
        monkeypatch.setattr(flows.evaluation.evaluate, "open_evaluated", lambda *_, **__: (responder, responder))
        return responder

    return put


def evaluate(hub: Path, base: Path, out: Path, **options: Any) -> EvaluationRecord:
    usual: dict[str, Any] = {"setting": "selective", "tasks": ["generation"], "max_new_tokens": 6, "utility": 0}
    return run_evaluation(EvaluateRequest(dataset=hub, **{"model": str(base), **usual, **options}), out)


def rows_of(out: Path, record: EvaluationRecord) -> list[Prediction]:
    return read_evaluation(out / record.folder)[1]


def value(record: EvaluationRecord, metric: str, role: str, modality: str = "") -> float:
    return next(r.value for r in record.metrics if (r.metric, r.role, r.modality) == (metric, role, modality))


def knows(hub: Path) -> Callable[[Ask], str]:
    """Answers text questions with the right place and is silent about pictures."""
    import pyarrow.parquet as pq

    rows = pq.read_table(next((hub / "data" / "ppu_eval_generation").glob("*.parquet"))).to_pylist()
    right = {row["question"]: row["answer_text"] for row in rows if row["modality"] == "text"}

    def say(ask: Ask) -> str:
        return "I cannot tell who this is." if ask.image else right.get(ask.text.splitlines()[-1], "")

    return say


def test_figures_follow_from_the_replies(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    record = evaluate(hub, base, tmp_path)
    assert value(record, "accuracy", "forget", "qa") == 1.0
    assert value(record, "outcome_refusal", "retain", "vqa") == 1.0
    assert value(record, "wrong_in_vqa_only", "forget") == 1.0
    assert value(record, "boundary_accuracy", "") == 0.5
    assert (record.questions, record.failed, record.target) == (3 * 6 * 2, 0, "tiny")


def test_the_same_call_again_asks_nothing(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    responder = scripted(Scripted(knows(hub)))
    first = evaluate(hub, base, tmp_path)
    asked, scored = len(responder.asked), responder.scored
    assert evaluate(hub, base, tmp_path) == first
    assert (len(responder.asked), responder.scored) == (asked, scored)


def test_another_setting_of_the_same_model_asks_nothing_again(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    responder = scripted(Scripted(knows(hub)))
    evaluate(hub, base, tmp_path)
    asked = len(responder.asked)
    record = evaluate(hub, base, tmp_path, setting="personalized")
    assert len(responder.asked) == asked
    assert len(find_evaluations(tmp_path)) == 2
    assert record.setting == "personalized"


def test_replies_are_kept_as_they_come(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    said = knows(hub)

    def dies(ask: Ask) -> str:
        if len(responder.asked) > 10:
            raise KeyboardInterrupt
        return said(ask)

    responder = scripted(Scripted(dies))
    with pytest.raises(KeyboardInterrupt):
        evaluate(hub, base, tmp_path)
    assert not find_evaluations(tmp_path)
    log = next(tmp_path.glob("*/answers-*.jsonl"))
    assert len(log.read_text().splitlines()) == 1 + 10
    other = scripted(Scripted(said))
    resumed = evaluate(hub, base, tmp_path, batch=1)
    assert len(other.asked) < 36
    assert value(resumed, "accuracy", "forget", "qa") == 1.0


def test_a_line_cut_off_in_the_middle_is_asked_again(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    first = evaluate(hub, base, tmp_path)
    log = next(tmp_path.glob("*/answers-*.jsonl"))
    log.write_bytes(log.read_bytes()[:-20])
    (tmp_path / first.folder / "evaluation.json").unlink()
    again = scripted(Scripted(knows(hub)))
    assert evaluate(hub, base, tmp_path, batch=1) == first
    assert 1 <= len(again.asked) <= 4


def test_errors_and_silence_are_failures_and_not_wrong_answers_of_another_kind(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    said = knows(hub)
    texts: list[str] = []

    def say(ask: Ask) -> str | None:
        if ask.image is None:
            texts.append(ask.text)
        return None if ask.image is None and len(texts) == 1 else said(ask)

    responder = Scripted(say)
    scripted(responder)
    record = evaluate(hub, base, tmp_path)
    row = next(row for row in rows_of(tmp_path, record) if row.outcome == "failed")
    assert (record.failed, row.prompt, row.correct) == (1, texts[0], False)
    assert row.error == "the responder gave no reply"


def test_a_question_that_failed_is_asked_again_by_the_same_call(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    said = knows(hub)
    first = scripted(Scripted(said))
    evaluate(hub, base, tmp_path / "whole")
    text = next(text for text in first.asked if "Based on" not in text)
    scripted(Scripted(said, errors={text: "HTTP 500"}))
    assert evaluate(hub, base, tmp_path / "cut").failed == 1
    last = scripted(Scripted(said))
    assert evaluate(hub, base, tmp_path / "cut", batch=1).failed == 0
    assert text in last.asked
    assert len(last.asked) <= 4


def test_an_empty_reply_says_nothing_and_is_no_failure(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(lambda _: ""))
    record = evaluate(hub, base, tmp_path)
    assert value(record, "outcome_gibberish", "forget") == 1.0
    assert record.failed == 0


def test_the_nll_is_of_the_targets_own_answer(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    record = evaluate(hub, base, tmp_path)
    row = rows_of(tmp_path, record)[0]
    assert row.nll == pytest.approx(0.1 * len(f"It is {row.answer}, says {row.modality}."))


def test_options_are_scored_by_likelihood_and_by_letter(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(lambda _: "Answer: B"))
    record = evaluate(hub, base, tmp_path, tasks=["classification"])
    for row in rows_of(tmp_path, record):
        assert row.choice == "B"
        # the false options "Not A" … are shorter than every right one, so the first of them is likeliest
        assert row.likely_choice == ("B" if row.label == "A" else "A")


def test_an_attack_says_what_came_back_and_what_was_lost(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    said = knows(hub)
    responder = scripted(Scripted(lambda ask: said(ask) if ask.image is None else ""))
    record = evaluate(hub, base, tmp_path, attack="random_prefix")
    # plain: right in qa, silent in vqa; attacked prompts are not in the script, so nothing is right
    assert value(record, "lost", "retain", "qa") == 1.0
    assert value(record, "recovery", "forget", "vqa") == 0.0
    assert responder.scored == 0
    assert record.questions == 36


def test_an_attack_by_picture_asks_only_about_pictures(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    record = evaluate(hub, base, tmp_path, attack="view_002")
    assert record.modalities == ("vqa",)
    assert {row.modality for row in rows_of(tmp_path, record)} == {"vqa"}


def test_who_is_shown_is_asked_once_a_subject_if_wanted(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(lambda _: "Ada Lindb"))
    record = evaluate(hub, base, tmp_path, identity=3)
    rows = [row for row in rows_of(tmp_path, record) if row.task == "identity"]
    assert [row.outcome for row in rows] == ["correct", "other_person", "other_person"]


def test_a_model_that_was_not_taught_general_pictures_has_no_utility(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    record = evaluate(hub, base, tmp_path, utility=20)
    assert not any(row.task == "utility" for row in record.metrics)
    assert any("No utility" in note for note in record.notes)


def test_the_run_is_evaluated_and_not_its_base(hub: Path, base: Path, run: Path, tmp_path: Path) -> None:
    plain, unlearned = evaluate(hub, base, tmp_path), evaluate(hub, base, tmp_path, adapter=run)
    assert (plain.method, unlearned.method, unlearned.name) == ("", "gd", "gd-s0")
    assert unlearned.model.startswith(f"{plain.model}+")
    assert abs(value(unlearned, "nll", "forget") - value(plain, "nll", "forget")) > 0.05


def test_a_bare_adapter_folder_is_evaluated_as_its_run_is(hub: Path, base: Path, run: Path, tmp_path: Path) -> None:
    bare = evaluate(hub, base, tmp_path, adapter=run / "adapter")
    whole = evaluate(hub, base, tmp_path, adapter=run)
    assert value(bare, "nll", "forget") == pytest.approx(value(whole, "nll", "forget"))


def test_a_pruned_run_is_evaluated_without_its_neurons(hub: Path, base: Path, tmp_path: Path) -> None:
    numbers: dict[str, JsonValue] = {"batch": 4, "probe_samples": 4, "prune_shares": [0.5]}
    out = tmp_path / "manu"
    asked = UnlearnRequest(dataset=hub, method="manu", setting="selective", model=str(base), overrides=numbers)
    run_unlearning(asked, out)
    plain, pruned = evaluate(hub, base, tmp_path), evaluate(hub, base, tmp_path, adapter=out)
    assert abs(value(pruned, "nll", "forget") - value(plain, "nll", "forget")) > 0.01
    assert pruned.method == "manu"


def test_no_result_overwrites_another_models(hub: Path, base: Path, run: Path, tmp_path: Path) -> None:
    first, second = evaluate(hub, base, tmp_path), evaluate(hub, base, tmp_path, adapter=run)
    assert first.folder.split("/")[0] != second.folder.split("/")[0]
    assert {path.relative_to(tmp_path).as_posix() for path in find_evaluations(tmp_path)} == {
        first.folder,
        second.folder,
    }


def test_a_run_that_has_not_finished_is_refused(hub: Path, base: Path, run: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    content = {**json.loads((run / "run.json").read_text()), "status": "running", "outcome": ""}
    (unfinished / "run.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match="has not finished"):
        evaluate(hub, base, tmp_path / "out", adapter=unfinished)


def test_a_run_on_another_base_is_refused(hub: Path, run: Path, tmp_path: Path) -> None:
    other = make_tiny_model(TEXTS, tmp_path / "other", seed=2, hidden=32, layers=2)
    with pytest.raises(BadInput, match="belongs to weights"):
        evaluate(hub, other, tmp_path / "out", adapter=run)


def test_a_folder_without_a_run_is_refused(hub: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds neither a run nor an adapter"):
        evaluate(hub, base, tmp_path / "out", adapter=tmp_path)


def test_weights_behind_a_server_cannot_be_attacked(hub: Path, tmp_path: Path) -> None:
    server = "openai:http://localhost:1/v1#m"
    with pytest.raises(BadInput, match="changes weights"):
        run_evaluation(EvaluateRequest(dataset=hub, model=server, setting="selective", attack="quantised"), tmp_path)
    with pytest.raises(BadInput, match="laid over a model behind a server"):
        run_evaluation(EvaluateRequest(dataset=hub, model=server, setting="selective", adapter=tmp_path), tmp_path)


def test_an_attack_on_words_needs_generation(hub: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none is asked under paraphrase"):
        evaluate(hub, base, tmp_path, attack="paraphrase", tasks=["cloze"])


def said_by(loaded: LoadedModel) -> list[torch.Tensor]:
    from unlearn.models.encoding import Encoder

    sample = TrainingSample(sample_id="s", subject_id="1", modality="qa", prompt="Where?", answer="London")
    batch = Encoder(loaded.processor, loaded.family).batch([sample])
    with torch.inference_mode():
        return list(loaded.model(**batch.inputs).logits[0])


def test_a_quantised_model_is_near_to_itself_and_not_the_same(base: Path, run: Path) -> None:
    before, after = said_by(load_model(base)), said_by(quantise(load_model(base)))
    gap = max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))
    assert 0 < gap < 0.5
    adapted = said_by(quantise(load_model(base, adapter=run / "adapter")))
    moved = said_by(load_model(base, adapter=run / "adapter"))
    assert max(float((a - b).abs().max()) for a, b in zip(adapted, moved, strict=True)) < max(
        float((a - b).abs().max()) for a, b in zip(adapted, before, strict=True)
    )


@pytest.mark.parametrize("adapted", [False, True])
def test_relearning_makes_the_retain_answers_likelier(base: Path, run: Path, adapted: bool) -> None:
    samples = [
        TrainingSample(sample_id=str(n), subject_id="1", modality="qa", prompt=f"Where {n}?", answer="London")
        for n in range(4)
    ]
    ask = [(Ask(ask_id="a", text="Where 1?"), "London")]
    evaluated = identify(str(base), run if adapted else None)

    def likelihood(overlay: Any) -> float:
        _, scorer = open_evaluated(evaluated, batch=4, device="cpu", attack=overlay)
        assert scorer is not None
        return dict(scorer.token_scores(ask))["a"].mean

    assert likelihood(lambda loaded: relearn(loaded, samples, steps=8)) > likelihood(None) + 0.05


def test_a_weight_attack_is_evaluated_beside_the_plain_run(hub: Path, base: Path, run: Path, tmp_path: Path) -> None:
    plain = evaluate(hub, base, tmp_path, adapter=run, modalities=["qa"])
    again = evaluate(hub, base, tmp_path, adapter=run, modalities=["qa"], attack="relearn")
    assert again.folder.split("/")[0] == plain.folder.split("/")[0]
    assert value(again, "nll", "retain", "qa") < value(plain, "nll", "retain", "qa")
    assert (again.attack, plain.attack) == ("relearn", None)


def test_greedy_answers_do_not_depend_on_what_stands_in_the_log(hub: Path, base: Path, tmp_path: Path) -> None:
    whole = evaluate(hub, base, tmp_path / "a", batch=8, likelihood=False)
    evaluate(hub, base, tmp_path / "b", batch=8, likelihood=False, modalities=["qa"])
    parts = evaluate(hub, base, tmp_path / "b", batch=8, likelihood=False)
    assert [row.reply for row in rows_of(tmp_path / "a", whole)] == [
        row.reply for row in rows_of(tmp_path / "b", parts)
    ]
    assert Decoding().temperature == 0


def test_a_model_behind_a_server_is_evaluated_without_likelihoods(
    hub: Path, tmp_path: Path, httpserver: HTTPServer
) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Answer: (c)"}}
    completion = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(completion)
    served = f"openai:{httpserver.url_for('/v1')}#some/model"
    record = evaluate(hub, Path(), tmp_path, model=served, tasks=["classification"], modalities=["qa"])
    rows = rows_of(tmp_path, record)
    assert {row.choice for row in rows} == {"C"}
    assert {row.likely_choice for row in rows} == {""}
    assert record.name == "some_model"
    assert record.model == f"openai:{httpserver.host}:{httpserver.port}#some/model"
    assert "No likelihoods: a model behind a server gives none." in record.notes


def test_two_served_models_are_told_apart_by_port_and_by_the_folder_of_their_name(tmp_path: Path) -> None:
    one, port, folder = (
        identify(f"openai:http://user:secret@localhost:{port}/v1#{name}", None)
        for port, name in ((8000, "/home/me/a/final"), (8001, "/home/me/a/final"), (8000, "/home/me/b/final"))
    )
    assert len({one.identity, port.identity, folder.identity}) == 3
    assert len({one.folder, port.folder, folder.folder}) == 3
    for each in (one, port, folder):
        assert not any(word in f"{each.identity} {each.folder}" for word in ("secret", "user", "home", "me/"))
    assert identify("openai:http://localhost:8000/v1#org/m", None).identity == "openai:localhost:8000#org/m"


def test_two_served_models_are_both_asked(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    responder, served = scripted(Scripted(knows(hub))), "openai:http://localhost:8000/v1#{}/final"
    first = evaluate(hub, base, tmp_path, model=served.format("a"), modalities=["qa"])
    asked = len(responder.asked)
    second = evaluate(hub, base, tmp_path, model=served.format("b"), modalities=["qa"])
    assert (first.identity != second.identity, first.folder != second.folder) == (True, True)
    assert len(responder.asked) == 2 * asked


def test_a_label_makes_another_evaluation_of_the_same_address_and_name(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    responder, served = scripted(Scripted(knows(hub))), "openai:http://localhost:8000/v1#m"
    plain = evaluate(hub, base, tmp_path, model=served, modalities=["qa"])
    asked = len(responder.asked)
    labelled = evaluate(hub, base, tmp_path, model=served, modalities=["qa"], label="after gd")
    assert (labelled.name, labelled.label, plain.label) == ("m-after_gd", "after gd", "")
    assert labelled.folder.startswith("m-after_gd-")
    assert len(responder.asked) == 2 * asked


def test_two_runs_that_came_to_the_same_weights_are_two_evaluations_and_asked_once(
    hub: Path, base: Path, tmp_path: Path
) -> None:
    """MANU takes no steps, so its learning rate decides nothing."""
    numbers: dict[str, JsonValue] = {"batch": 4, "probe_samples": 4, "prune_shares": [0.5]}
    records, logs = [], []
    for lr in (0.001, 0.002):
        out = tmp_path / f"manu-{lr}"
        asked = UnlearnRequest(
            dataset=hub, method="manu", setting="selective", model=str(base), overrides=numbers, lr=lr
        )
        run_unlearning(asked, out)
        records.append(evaluate(hub, base, tmp_path / "out", adapter=out, likelihood=False))
        logs.append(next((tmp_path / "out").glob("*/answers-*.jsonl")).read_bytes())
    assert records[0].model == records[1].model
    assert records[0].run != records[1].run
    assert records[0].folder != records[1].folder
    assert logs[0] == logs[1]


@pytest.mark.parametrize("damage", ["cut in a line", "cut between lines", "gone", "record cut"])
def test_a_standing_evaluation_whose_files_are_not_whole_is_written_again_without_asking(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted], damage: str
) -> None:
    scripted(Scripted(knows(hub)))
    first = evaluate(hub, base, tmp_path)
    rows, record = tmp_path / first.folder / "predictions.jsonl", tmp_path / first.folder / "evaluation.json"
    whole = rows.read_bytes()
    if damage == "gone":
        rows.unlink()
    elif damage == "record cut":
        record.write_bytes(record.read_bytes()[:100])
    else:
        rows.write_bytes(whole[:-30] if damage == "cut in a line" else whole[: whole[:-1].rindex(b"\n") + 1])
    again = scripted(Scripted(knows(hub)))
    assert evaluate(hub, base, tmp_path) == first
    assert rows.read_bytes() == whole
    assert read_evaluation(tmp_path / first.folder)[0] == first
    assert (again.asked, again.scored) == ([], 0)


def test_a_reply_with_another_kind_of_line_end_is_read_as_one(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(lambda _: "one\u2028two\x85three"))
    record = evaluate(hub, base, tmp_path)
    assert {row.reply for row in rows_of(tmp_path, record)} == {"one\u2028two\x85three"}


def ppubench(*words: str) -> int:
    from flows.cli import main

    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def command(hub: Path, base: Path, out: Path, *more: str) -> int:
    where = ("--model", str(base), "--setting", "selective", "--tasks", "generation", "--out", str(out))
    return ppubench("evaluate", str(hub), *where, *more)


def test_a_model_that_was_unlearned_elsewhere_is_reported_under_its_label(
    hub: Path,
    base: Path,
    run: Path,
    tmp_path: Path,
    scripted: Callable[[Scripted], Scripted],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    scripted(Scripted(knows(hub)))
    assert command(hub, base, ours, "--max-new-tokens", "24") == 0
    scripted(Scripted(lambda _: "I do not know."))
    for weights in ([], ["--adapter", str(run / "adapter")]):
        label = "their LoRA" if weights else "theirs"
        assert command(hub, base, theirs, *weights, "--label", label, "--max-new-tokens", "24") == 0
    before = sorted(ours.rglob("*"))
    assert ppubench("report", str(ours), str(theirs), "--out", str(tmp_path / "report")) == 0
    with (tmp_path / "report" / "comparison.csv").open() as file:
        rows = {row["arm"]: float(row["forgotten"]) for row in csv.DictReader(file)}
    assert rows == {"theirs": 1.0, "their LoRA": 1.0}
    assert sorted(ours.rglob("*")) == before
    assert command(hub, base, theirs, "--label", "longer") == 0
    capsys.readouterr()
    assert ppubench("report", str(ours), str(theirs), "--out", str(tmp_path / "again")) == 2
    assert "differ in max_new_tokens: 24 and 48" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_models_that_were_asked_other_tasks_are_compared_on_what_both_were_asked(
    hub: Path,
    base: Path,
    run: Path,
    tmp_path: Path,
    scripted: Callable[[Scripted], Scripted],
) -> None:
    scripted(Scripted(knows(hub)))
    evaluate(hub, base, tmp_path / "all", tasks=["generation", "classification"])
    scripted(Scripted(lambda _: "I do not know."))
    evaluate(hub, base, tmp_path / "all", adapter=run / "adapter", label="theirs", tasks=["generation"])
    assert ppubench("report", str(tmp_path / "all"), "--out", str(tmp_path / "report")) == 0
    with (tmp_path / "report" / "comparison.csv").open() as file:
        assert [(row["arm"], float(row["forgotten"])) for row in csv.DictReader(file)] == [("theirs", 1.0)]
    said = next((tmp_path / "report").glob("*.md")).read_text()
    assert "Not shown: classification, which theirs was not asked." in said


def test_an_adapter_without_a_label_is_an_arm_named_by_its_folder(
    hub: Path, base: Path, run: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    shutil.copytree(run / "adapter", tmp_path / "theirs" / "checkpoint-500")
    found = evaluate(hub, base, tmp_path / "out", adapter=tmp_path / "theirs" / "checkpoint-500")
    assert (found.label, found.run) == ("theirs/checkpoint-500", "")
    assert evaluate(hub, base, tmp_path / "out").label == ""


def test_a_run_is_known_again_on_a_base_whose_weights_were_cut_into_files(
    hub: Path, base: Path, run: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    load_model(base).model.save_pretrained(tmp_path / "cut", max_shard_size="200KB")
    for file in base.iterdir():
        if not (tmp_path / "cut" / file.name).exists() and file.suffix != ".safetensors":
            shutil.copy(file, tmp_path / "cut")
    first = evaluate(hub, base, tmp_path / "out", adapter=run)
    assert evaluate(hub, tmp_path / "cut", tmp_path / "out", adapter=run).model == first.model


def test_a_command_whose_questions_failed_says_so_and_exits_1_and_the_same_command_mends_it(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted], capsys: pytest.CaptureFixture[str]
) -> None:
    first = scripted(Scripted(knows(hub)))
    evaluate(hub, base, tmp_path / "whole")
    scripted(Scripted(knows(hub), errors=dict.fromkeys(first.asked, "HTTP 500: out of memory")))
    assert command(hub, base, tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "36 of 36 questions failed (first: HTTP 500: out of memory); the same command asks them again" in said
    (folder,) = find_evaluations(tmp_path / "out")
    assert read_evaluation(folder)[0].failed == 36
    again = scripted(Scripted(knows(hub)))
    assert command(hub, base, tmp_path / "out") == 0
    assert len(again.asked) == 36
    assert (read_evaluation(folder)[0].failed, read_evaluation(folder)[0].first_error) == (0, "")
    assert "failed" not in capsys.readouterr().err


def test_one_failed_question_of_many_is_said_and_exits_0(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted], capsys: pytest.CaptureFixture[str]
) -> None:
    first = scripted(Scripted(knows(hub)))
    evaluate(hub, base, tmp_path / "whole")
    text = next(text for text in first.asked if "Based on" not in text)
    scripted(Scripted(knows(hub), errors={text: "HTTP 500"}))
    assert command(hub, base, tmp_path / "cut", "--json") == 0
    assert "1 of 36 questions failed (first: HTTP 500)" in capsys.readouterr().err


def test_answers_that_never_came_are_no_effects_of_an_attack(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    said = knows(hub)
    scripted(Scripted(lambda ask: said(ask) if "frobnicate" in ask.text or said(ask) else None))
    record = evaluate(hub, base, tmp_path, attack="random_prefix", modalities=["qa"])
    # without the attack all 18 are right; under it no prompt is in the script, so none is answered
    assert (record.failed, record.failed_plain) == (18, 0)
    assert not any(row.metric in ("lost", "recovery") for row in record.metrics)


def test_an_attack_is_measured_again_while_questions_without_it_have_no_answer(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    first = scripted(Scripted(knows(hub)))
    evaluate(hub, base, tmp_path / "whole", modalities=["qa"])
    scripted(Scripted(knows(hub), errors={first.asked[0]: "HTTP 500"}))
    cut = evaluate(hub, base, tmp_path / "cut", modalities=["qa"], attack="random_prefix")
    assert (cut.failed, cut.failed_plain, cut.first_error) == (0, 1, "HTTP 500")
    scripted(Scripted(knows(hub)))
    assert evaluate(hub, base, tmp_path / "cut", modalities=["qa"], attack="random_prefix").failed_plain == 0


def test_so_many_people_are_asked_for_by_picture(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(lambda _: "A. Lindb"))
    assert command(hub, base, tmp_path, "--identity", "2") == 0
    rows = read_evaluation(find_evaluations(tmp_path)[0])[1]
    assert sum(row.task == "identity" for row in rows) == 2


def test_of_people_forgotten_whole_as_many_are_asked_for_as_of_the_others(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted]
) -> None:
    scripted(Scripted(knows(hub)))
    record = evaluate(hub, base, tmp_path, setting="complete", ratio=30, identity=2)
    roles = [row.role for row in rows_of(tmp_path, record) if row.task == "identity"]
    assert sorted(map(str, roles)) == ["forget", "retain"]


def test_a_run_asked_about_another_setting_is_said_and_not_refused(
    hub: Path, base: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(hub, base, tmp_path, "--adapter", str(run)) == 0
    assert "unlearned" not in capsys.readouterr().err
    assert command(hub, base, tmp_path, "--adapter", str(run), "--setting", "personalized") == 0
    assert "gd-s0 unlearned selective and was asked about personalized" in capsys.readouterr().err
    records = [read_evaluation(folder)[0] for folder in find_evaluations(tmp_path)]
    assert {(record.setting, record.trained_setting) for record in records} == {
        ("selective", "selective"),
        ("personalized", "selective"),
    }


def test_the_terminal_shows_consistency_outcomes_and_choices_by_likelihood(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted], capsys: pytest.CaptureFixture[str]
) -> None:
    scripted(Scripted(lambda _: "Answer: B"))
    command(hub, base, tmp_path, "--tasks", "classification")
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert any(line[:4] == ["forget", "classification", "both", "consistent"] for line in shown)
    assert any(line[:4] == ["retain", "classification", "qa", "choice_accuracy_likelihood"] for line in shown)
    row = next(line for line in shown if line[:3] == ["forget", "classification", "vqa"] and len(line) == 9)
    assert sum(float(cell) for cell in row[3:]) == pytest.approx(100, abs=0.3)


def test_without_lmms_eval_the_error_says_how_to_install_it(hub: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="pip install lmms-eval"):
        check_lmms_eval(identify(str(base), None))
    with pytest.raises(BadInput, match="pip install lmms-eval"):
        evaluate(hub, base, tmp_path, lmms_eval=["mmbench_en_dev"])
    assert not list(tmp_path.iterdir())


TOOL = """
import json
from pathlib import Path
from unlearn.models.loading import load_model

def simple_evaluate(*, model, model_args, tasks, device, limit):
    place = model_args.removeprefix("pretrained=")
    norm = sum(float(weight.detach().double().norm()) for weight in load_model(place).model.parameters())
    return {"results": {task: {"alias": task, "acc,none": norm, "acc_stderr,none": "N/A"} for task in tasks}}
"""


@pytest.mark.parametrize("pruned", [False, True])
def test_lmms_eval_gets_a_checkpoint_with_all_that_a_run_laid_over_its_base(
    hub: Path, base: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruned: bool
) -> None:
    """The tool cannot be installed here: a module in its place says what the folder holds that it is given."""
    (tmp_path / "tool" / "lmms_eval").mkdir(parents=True)
    (tmp_path / "tool" / "lmms_eval" / "__init__.py").write_text("")
    (tmp_path / "tool" / "lmms_eval" / "evaluator.py").write_text(TOOL)
    monkeypatch.syspath_prepend(str(tmp_path / "tool"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "lmms_eval"]:
        monkeypatch.delitem(sys.modules, name)
    if pruned:
        numbers: dict[str, JsonValue] = {"batch": 4, "probe_samples": 4, "prune_shares": [0.5]}
        run = tmp_path / "manu"
        asked = UnlearnRequest(dataset=hub, method="manu", setting="selective", model=str(base), overrides=numbers)
        run_unlearning(asked, run)
    plain = evaluate(hub, base, tmp_path / "out", likelihood=False, lmms_eval=["a", "b"])
    laid = evaluate(hub, base, tmp_path / "out", likelihood=False, lmms_eval=["a"], adapter=run)
    assert list(plain.lmms_eval) == ["a/acc,none", "b/acc,none"]
    merged: torch.nn.Module = open_run(run, str(base)).model
    if isinstance(merged, PeftModel):
        merged = merged.merge_and_unload()
    wanted = sum(float(weight.detach().double().norm()) for weight in merged.parameters())
    assert laid.lmms_eval == {"a/acc,none": pytest.approx(wanted, rel=1e-6)}
    assert abs(laid.lmms_eval["a/acc,none"] - plain.lmms_eval["a/acc,none"]) > 1e-4
    assert evaluate(hub, base, tmp_path / "out", likelihood=False).lmms_eval == {}


# --- thinking ----------------------------------------------------------------


def test_a_model_that_knows_no_thinking_is_refused_before_its_weights_are_read(
    hub: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.evaluation.evaluate, "open_evaluated", lambda *_, **__: pytest.fail("it is loaded"))
    with pytest.raises(BadInput, match="its chat template knows no thinking; leave out --thinking"):
        evaluate(hub, base, tmp_path, thinking=True)


def test_a_thinking_model_is_another_evaluation_with_longer_answers_of_which_the_thought_is_not_judged(
    hub: Path, base: Path, tmp_path: Path, scripted: Callable[[Scripted], Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.evaluation.evaluate, "check_thinks", lambda *_, **__: None)
    said = knows(hub)
    scripted(Scripted(lambda ask: f"<think>Bergen? Bergen!</think>{said(ask)}"))
    thought = evaluate(hub, base, tmp_path, thinking=True, max_new_tokens=None)
    assert (thought.thinking, thought.max_new_tokens) == (True, 2048)
    assert value(thought, "accuracy", "forget", "qa") == 1.0
    scripted(Scripted(knows(hub)))
    plain = evaluate(hub, base, tmp_path, max_new_tokens=2048)
    assert not plain.thinking
    assert plain.folder != thought.folder
    assert len(list(tmp_path.glob("*/answers-*.jsonl"))) == 2


def test_what_was_found_at_load_stands_in_the_record(hub: Path, base: Path, tmp_path: Path) -> None:
    record = evaluate(hub, base, tmp_path, modalities=["qa"], likelihood=False)
    form = record.checks["form"]
    assert isinstance(form, dict)
    assert (record.checks["model_type"], form["thinking"], form["end_of_turn"]) == ("qwen3_vl", "none", "<|im_end|>")


# --- merged models -----------------------------------------------------------


@pytest.fixture(scope="module")
def pruned(hub: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "manu"
    numbers: dict[str, JsonValue] = {"batch": 4, "probe_samples": 2, "prune_shares": [0.3]}
    asked = UnlearnRequest(
        dataset=hub, method="manu", setting="selective", model=str(base), modality="qa", overrides=numbers
    )
    run_unlearning(asked, out)
    return out


@pytest.mark.parametrize("left", ["run", "pruned"])
def test_a_merged_model_answers_and_scores_as_the_run_does(
    hub: Path, base: Path, tmp_path: Path, left: str, request: pytest.FixtureRequest
) -> None:
    source: Path = request.getfixturevalue(left)
    done = merge_run(source, tmp_path / "plain", model=str(base))
    asked: dict[str, Any] = {"modalities": ["qa"], "tasks": ["generation", "classification"]}
    of_run = evaluate(hub, base, tmp_path / "out", adapter=source, **asked)
    of_plain = evaluate(hub, tmp_path / "plain", tmp_path / "out", **asked)
    rows = {row.key: row for row in rows_of(tmp_path / "out", of_run)}
    for row in rows_of(tmp_path / "out", of_plain):
        assert row.reply == rows[row.key].reply
        assert row.likely_choice == rows[row.key].likely_choice
        assert row.nll == pytest.approx(rows[row.key].nll, abs=1e-4)
    assert done.model == of_run.model
    assert of_plain.model != of_run.model


def test_a_merged_folder_holds_all_that_a_server_loads(run: Path, tmp_path: Path) -> None:
    merge_run(run, tmp_path / "plain")
    names = {path.name for path in (tmp_path / "plain").iterdir()}
    assert names >= {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "processor_config.json",
        "chat_template.jinja",
    }  # fmt: skip
    assert not names & {"adapter_config.json", "adapter_model.safetensors"}


def test_a_merged_folder_says_nothing_of_how_its_base_would_sample(base: Path, run: Path, tmp_path: Path) -> None:
    merge_run(run, tmp_path / "plain")
    kept = json.loads((tmp_path / "plain" / "generation_config.json").read_text())
    assert set(kept) <= {"bos_token_id", "eos_token_id", "pad_token_id", "transformers_version", "_from_model_config"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("full", "is not empty; choose another --out"),
        ("file", "is a file; choose another --out"),
        ("unfinished", "holds a run that has not finished"),
        ("moved", "was made of .*, which is not there; name the base's folder as --model"),
        ("other", "belongs to weights"),
        ("nothing", "no such folder"),
    ],
)
def test_what_cannot_be_merged_is_refused_in_a_line(run: Path, tmp_path: Path, spoil: str, said: str) -> None:
    out, source, model = tmp_path / "plain", Path(shutil.copytree(run, tmp_path / "run")), None
    if spoil == "full":
        out.mkdir()
        (out / "notes.txt").touch()
    elif spoil == "file":
        out.touch()
    elif spoil == "unfinished":
        change(source / "run.json", status="running", outcome="")
    elif spoil == "moved":
        change(source / "adapter" / "adapter_config.json", base_model_name_or_path=str(tmp_path / "gone"))
    elif spoil == "other":
        model = str(make_tiny_model(TEXTS, tmp_path / "other", seed=2, hidden=32, layers=2))
    else:
        source = tmp_path / "nowhere"
    with pytest.raises(BadInput, match=said) as refused:
        merge_run(source, out, model=model)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.glob(".plain*"))


def test_a_run_that_left_whole_weights_is_copied_without_its_base(base: Path, run: Path, tmp_path: Path) -> None:
    source = tmp_path / "run"
    source.mkdir()
    shutil.copy(run / "run.json", source)
    change(source / "run.json", outcome="weights")
    shutil.copytree(base, source / "weights")
    assert merge_run(source, tmp_path / "plain").precision == "float32"
    whole, plain = (load_model(each).model.state_dict() for each in (base, tmp_path / "plain"))
    assert all(torch.equal(value, plain[name]) for name, value in whole.items())


def test_a_pruned_run_is_merged_with_its_base_named(pruned: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not say where its base is; name the base's folder as --model"):
        merge_run(pruned, tmp_path / "plain")


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
