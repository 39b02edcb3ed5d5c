"""Runs that leave steering or guards: evaluated with and without, attacked, before a server, merged."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import flows.evaluation.evaluate
from curation.probing.prompt import probe_prompt
from eval.comparison.arm_labels import arm_names
from eval.evaluation_folder import read_evaluation
from eval.tasks.questions import EvalQuestion
from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.guarding import check_fits, guarded
from flows.evaluation.inference import forgotten_among
from flows.evaluation.merge import merge_run
from flows.evaluation.model import check_named, identify, open_evaluated
from flows.evaluation.weight_attacks import quantise
from flows.experiments import study_unit
from flows.experiments.study_plan import Slice, Unit
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Decoding
from schemas.records.evaluation import AttackName, EvaluationRecord
from schemas.records.interventions import GateRecord, Intervention
from schemas.records.study import StudyRecipe
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.eval_world import Scripted, write_dataset
from tests.worlds.tiny_models import TEXTS
from unlearn.interventions.files import save_stack
from unlearn.interventions.parts import Part
from unlearn.interventions.text_gates import text_gate
from unlearn.models.loading import load_model
from unlearn.runs.record import RunRecord, open_run, read_record, stack_of, write_record

GREEDY = Decoding(max_new_tokens=4)
LAYER = "model.language_model.layers.0"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("world") / "hub", people=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


@pytest.fixture(scope="module")
def run(hub: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that left an adapter."""
    out = tmp_path_factory.mktemp("runs") / "gd"
    small = {"batch": 4, "retain_batch": 4, "probe_every": 0, "probe_samples": 2, "rank": 2, "lr": 0.05}
    asked = UnlearnRequest(
        dataset=hub, method="gd", setting="selective", model=str(base), overrides=dict(small), steps=2
    )
    run_unlearning(asked, out)
    return out


def record_of(folder: Path) -> RunRecord:
    found = read_record(folder)
    assert found is not None
    return found


def left(out: Path, run: Path, parts: Sequence[Part], *, after: str = "") -> Path:
    """A run's folder in which these parts lie, as a maker leaves them."""
    record = record_of(run)
    save_stack(out, parts, base=record.base)
    update = {"outcome": "interventions", "method": "made", "identity": out.name, "after": after}
    write_record(out, record.model_copy(update=update))
    return out


def turned(strength: float = 4.0) -> Part:
    vectors = torch.randn(1, 32, generator=torch.Generator().manual_seed(1))
    made = Intervention(kind="steering", form="rotate", numbers={"strength": strength})
    return Part(made, {f"{LAYER}.vectors": vectors})


def guard(form: str, text: str, gate: tuple[GateRecord, dict[str, torch.Tensor]] | None = None) -> Part:
    record, tensors = gate or (None, {})
    return Part(Intervention(kind="guard", form=form, texts=(text,), gate=record, oracle=False), tensors)


def oracle() -> Part:
    made = Intervention(
        kind="guard", form="refuse", texts=("I cannot say.",), gate=GateRecord(source="oracle"), oracle=True
    )
    return Part(made)


def evaluate(hub: Path, base: Path, out: Path, **options: Any) -> EvaluationRecord:
    usual: dict[str, Any] = {"setting": "selective", "tasks": ["generation"], "max_new_tokens": 4, "utility": 0}
    return run_evaluation(EvaluateRequest(dataset=hub, **{"model": str(base), **usual, **options}), out)


def likelihoods(base: Path, folder: Path | None, **options: Any) -> dict[str, float]:
    _, scorer = open_evaluated(identify(str(base), folder, **options), batch=4, device="cpu")
    assert scorer is not None
    return dict(scorer.log_likelihood([(Ask(ask_id=text, text=text), "London") for text in TEXTS[:3]]))


def test_exposed_a_steered_run_is_the_base_and_is_so_called(hub: Path, base: Path, run: Path, tmp_path: Path) -> None:
    steered = left(tmp_path / "steered", run, [turned()])
    plain = identify(str(base), None)
    exposed, live = (identify(str(base), steered, exposed=each) for each in (True, False))
    assert exposed.identity == plain.identity != live.identity
    assert exposed.folder != live.folder
    assert likelihoods(base, steered, exposed=True) == likelihoods(base, None) != likelihoods(base, steered)


def test_an_exposed_edit_stays_where_steering_goes(base: Path, run: Path, tmp_path: Path) -> None:
    path = f"{LAYER}.mlp.down_proj"
    shape = dict(load_model(base).model.named_parameters())[f"{path}.weight"].shape
    edit = Part(Intervention(kind="edit", form="dense"), {f"{path}.delta": torch.full(shape, 0.5)})
    both = left(tmp_path / "both", run, [turned(), edit])
    alone = left(tmp_path / "alone", run, [edit])
    assert likelihoods(base, both, exposed=True) == likelihoods(base, alone)


@pytest.mark.parametrize("attack", [None, "relearn", "paraphrase"])
def test_a_study_evaluates_a_guarded_run_without_its_guard_too_but_not_under_other_words(
    hub: Path, base: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: AttackName | None
) -> None:
    left(tmp_path / "runs" / "u", run, [oracle()])
    asked: list[bool] = []

    def keep(wanted: EvaluateRequest, out: Path, **_: object) -> SimpleNamespace:
        asked.append(wanted.exposed)
        return SimpleNamespace(folder=f"{len(asked)}")

    monkeypatch.setattr(flows.evaluation.evaluate, "run_evaluation", keep)
    recipe = StudyRecipe(name="s", dataset=hub, model=str(base), methods=("gd",), settings=("selective",))
    unit = Unit("u", "gd", "selective", None, 0, None)
    work = study_unit.Work(recipe, unit, (), "k", tmp_path)
    found = study_unit._evaluate(work, Slice("selective", None, attack))
    assert (asked, found) == (([False], ("1",)) if attack == "paraphrase" else ([False, True], ("1", "2")))


def test_a_run_without_steering_cannot_be_exposed(base: Path, run: Path) -> None:
    with pytest.raises(BadInput, match="neither steering nor a guard"):
        identify(str(base), run, exposed=True)


def test_an_attack_on_the_weights_lies_beneath_the_hooks(base: Path, run: Path, tmp_path: Path) -> None:
    steered = left(tmp_path / "steered", run, [turned()])
    found = []
    for evaluated in (identify(str(base), steered), identify(str(base), steered, exposed=True)):
        _, scorer = open_evaluated(evaluated, batch=4, device="cpu", attack=quantise)
        assert scorer is not None
        found.append(dict(scorer.log_likelihood([(Ask(ask_id="a", text=TEXTS[0]), "London")]))["a"])
    assert abs(found[0] - found[1]) > 1e-3
    assert found[0] == pytest.approx(likelihoods(base, steered)[TEXTS[0]], abs=0.1)


def test_a_control_that_is_told_refuses_all_that_is_forgotten_and_nothing_else(
    hub: Path, base: Path, run: Path, tmp_path: Path
) -> None:
    told = left(tmp_path / "told", run, [oracle()])
    record = evaluate(hub, base, tmp_path / "out", adapter=told)
    plain = evaluate(hub, base, tmp_path / "out")
    rows, before = (read_evaluation(tmp_path / "out" / each.folder)[1] for each in (record, plain))
    assert record.oracle
    assert {row.reply == "I cannot say." for row in rows if row.role == "forget"} == {True}
    assert {row.nll for row in rows if row.role == "forget"} == {None}
    kept, old = ({row.key: row for row in each if row.role == "retain"} for each in (rows, before))
    assert {key: row.reply for key, row in kept.items()} == {key: row.reply for key, row in old.items()}
    assert {key: row.nll for key, row in kept.items()} == pytest.approx({key: row.nll for key, row in old.items()})
    names = arm_names([], [record, record.model_copy(update={"exposed": True})], "selective", None)
    assert names.of(record.model_copy(update={"exposed": True})) == f"{names.of(record)} (exposed)"


def test_false_fires_of_a_gate_stand_in_the_record_of_an_evaluation(
    hub: Path, base: Path, run: Path, tmp_path: Path
) -> None:
    gate = text_gate([TEXTS[0]], [f"{TEXTS[1]} {number}" for number in range(4)], salt="s", false_fire=0.0)
    made = left(tmp_path / "words", run, [guard("refuse", "No.", gate)])
    record = evaluate(hub, base, tmp_path / "out", adapter=made)
    assert record.fires == {"forget": 1.0, "retain": 0.0}


def test_a_text_gate_stands_before_a_responder_that_gives_no_likelihoods() -> None:
    gate = text_gate(["Where was Ada born?"], ["Where was Bruno born?"], salt="s", false_fire=0.0)
    asks = [Ask(ask_id="a", text="Where was Ada born?"), Ask(ask_id="b", text="Where was Bruno born?")]
    inner = Scripted(lambda ask: f"said {ask.ask_id}")
    responder, scorer = guarded(inner, None, [guard("refuse", "No.", gate)])
    assert {each.ask_id: each.text for each in responder.answer(asks, GREEDY)} == {"a": "No.", "b": "said b"}
    assert scorer is None
    assert inner.asked == ["Where was Bruno born?"]


def test_words_of_prompt_guards_come_in_order_and_a_refusal_has_the_last_word() -> None:
    gate = text_gate(["Where was Ada born?"], ["Where was Bruno born?"], salt="s", false_fire=0.0)
    parts = [guard("prompt", "First."), guard("refuse", "No.", gate), guard("prompt", "Second.")]
    inner = Scripted(lambda ask: "yes")
    responder, _ = guarded(inner, None, parts)
    asks = [Ask(ask_id="a", text="Where was Ada born?"), Ask(ask_id="b", text="Where was Bruno born?")]
    assert {each.ask_id: each.text for each in responder.answer(asks, GREEDY)} == {"a": "No.", "b": "yes"}
    assert inner.asked == ["First.\nSecond.\nWhere was Bruno born?"]


@pytest.mark.parametrize("source", ["hidden", "oracle"])
def test_a_gate_that_cannot_be_asked_is_refused(source: str) -> None:
    part = guard("refuse", "No.", (GateRecord.model_validate({"source": source}), {}))
    with pytest.raises(BadInput, match=r"hidden states|which questions are forgotten"):
        guarded(Scripted(lambda ask: ""), None, [part])


def test_steering_cannot_be_put_before_a_server(base: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"steering rotate.*behind a server"):
        check_named("openai:http://localhost:1/v1#m", left(tmp_path / "steered", run, [turned()]))


def test_a_text_gate_may_be_put_before_a_server(run: Path, tmp_path: Path) -> None:
    gate = text_gate(["Where was Ada born?"], ["Where was Bruno born?"], salt="s")
    check_named("openai:http://localhost:1/v1#m", left(tmp_path / "words", run, [guard("refuse", "No.", gate)]))


def test_merging_what_is_no_change_of_weights_is_refused_in_a_line(base: Path, run: Path, tmp_path: Path) -> None:
    steered = left(tmp_path / "steered", run, [turned()])
    with pytest.raises(BadInput, match="holds steering rotate, which is no change of weights"):
        merge_run(steered, tmp_path / "merged", model=str(base))
    assert not (tmp_path / "merged").exists()


def test_a_prompt_guard_longer_than_the_context_is_refused(base: Path) -> None:
    loaded = load_model(base)
    with pytest.raises(BadInput, match="and the model's context has"):
        check_fits(loaded, [guard("prompt", "where was Ada " * 40_000)])


def test_a_run_after_another_is_both_and_needs_the_earlier_one(base: Path, run: Path, tmp_path: Path) -> None:
    first = left(tmp_path / "first", run, [turned(0.0)])
    second = left(tmp_path / "second", run, [])
    above = [Part(Intervention(kind="steering", form="rotate", numbers={"strength": 1.0}), turned().tensors)]
    below = [part.intervention for part in stack_of(first, str(base))[2]]
    save_stack(second, above, base=record_of(run).base, below=below)
    write_record(second, record_of(second).model_copy(update={"after": "../first"}))
    assert [part.name for part in stack_of(second, str(base))[2]] == ["steering rotate", "steering rotate"]
    assert open_run(second, str(base)).live is not None
    (first / "run.json").unlink()
    with pytest.raises(BadInput, match="came after .*first, which holds no run"):
        open_run(second, str(base))


def test_a_run_whose_earlier_one_changed_is_refused(base: Path, run: Path, tmp_path: Path) -> None:
    first = left(tmp_path / "first", run, [turned(1.0)])
    second = left(tmp_path / "second", run, [])
    below = [part.intervention for part in stack_of(first, str(base))[2]]
    save_stack(second, [turned(2.0)], base=record_of(run).base, below=below)
    write_record(second, record_of(second).model_copy(update={"after": "../first"}))
    left(first, run, [turned(3.0)])
    with pytest.raises(BadInput, match="was made on"):
        stack_of(second, str(base))


def test_an_oracle_knows_a_forgotten_question_in_both_of_its_wordings() -> None:
    question = EvalQuestion(
        key="k", sample_id="Ada_01", subject_id="1", subject="Ada", task="generation", modality="qa", role="forget",
        text="Where was Ada born?", answer="Oslo", accepted=(), options=(), label="", kind="place", answer_type="item",
        picture=None,
    )  # fmt: skip
    knows = forgotten_among([question, replace(question, role="retain", text="Who?")], "probe")
    asked = [Ask(ask_id="a", text=probe_prompt(text, "qa")) for text in ("Where was Ada born?", "Who?")]
    assert [knows(each) for each in asked] == [{"subject": "Ada", "answer": "Oslo"}, None]
