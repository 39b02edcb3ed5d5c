"""Routes on a real model and on a server: all of them run, none is run twice, and what cannot be is said."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from eval.routes.asking import RouteInput, as_judged, ask_of
from eval.routes.table import ROUTES, lacking
from flows.evaluation.evaluate import settle
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.kept_model import abilities_of
from flows.evaluation.model import identify
from flows.evaluation.relearn_half import relearn_half
from flows.evaluation.routes import read_route, run_routes
from flows.evaluation.weight_attacks import code_survival, linear_weights, round_weights
from flows.resources.responders import open_responder
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Reply
from schemas.records.evaluation import RWKU_ATTACKS
from schemas.records.routes import NEED_LINES, ROUTE_LINES, RouteRecord, route_line
from sources.sandbox.tiny_model import make_tiny_model
from tests.servers.chat_server import Body, ChatServer, Handled, answer, refuse, serving
from tests.worlds.eval_world import write_dataset
from tests.worlds.tiny_models import TEXTS
from unlearn.models.adapters import add_lora, save_adapter
from unlearn.models.digests import folder_digest
from unlearn.models.loading import load_model

EVERY = [str(name) for name in ROUTES if name not in (*RWKU_ATTACKS, "relearn", "quantised")]
"""But those whose attacks are tested with evaluations."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("world") / "hub", people=4)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


def wanted(hub: Path, model: Path | str, **options: Any) -> EvaluateRequest:
    usual: dict[str, Any] = {"setting": "selective", "max_new_tokens": 3, "batch": 64}
    return EvaluateRequest(dataset=hub, model=str(model), **{**usual, **options})


@pytest.fixture(scope="module")
def out(hub: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All routes run on a model that knows nothing."""
    folder = tmp_path_factory.mktemp("out")
    list(run_routes(wanted(hub, base), EVERY, folder))
    return folder


@pytest.fixture(scope="module")
def records(hub: Path, base: Path, out: Path) -> dict[str, RouteRecord]:
    return {str(record.result.route): record for record in run_routes(wanted(hub, base), EVERY, out)}


@pytest.mark.parametrize("name", EVERY)
def test_a_route_gives_a_result_for_each_fact_or_the_reason(name: str, records: dict[str, RouteRecord]) -> None:
    result = records[name].result
    assert result.facts or result.figures or result.notes or result.not_run
    assert all(0 <= fact.score <= 1 and fact.tried for fact in result.facts)


@pytest.mark.parametrize("name", [name for name in EVERY if ROUTES[name].side == "gone"])  # type: ignore[index]
def test_a_model_that_knows_nothing_tells_nothing(name: str, records: dict[str, RouteRecord]) -> None:
    facts = records[name].result.facts
    by_chance = 1 / 2 if name in ("rank", "rank_first_token", "options", "lens") else 0
    assert sum(fact.recovered for fact in facts) <= by_chance * len(facts)
    assert {fact.role for fact in facts} <= {"forget"}


def test_routes_that_have_been_run_are_read_and_ask_nothing(
    hub: Path, base: Path, out: Path, records: dict[str, RouteRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_to_open(*given: object, **told: object) -> None:
        raise AssertionError("the model is opened again")

    monkeypatch.setattr("flows.evaluation.routes.open_evaluated", refuse_to_open)
    names = [name for name in EVERY if not records[name].result.not_run]
    again = {str(each.result.route): each for each in run_routes(wanted(hub, base), names, out)}
    assert again == {name: records[name] for name in names}


def test_answers_that_are_kept_are_not_asked_for_again_when_a_record_is_cut_off(
    hub: Path, base: Path, out: Path, records: dict[str, RouteRecord]
) -> None:
    path = next(out.glob("*/routes-selective/sampled.json"))
    whole = path.read_text()
    path.write_text(whole[:100])
    (again,) = run_routes(wanted(hub, base), ["sampled"], out)
    assert again.asks == 0
    assert again.result == records["sampled"].result


def test_a_record_of_a_newer_version_is_refused_in_a_line(out: Path, tmp_path: Path) -> None:
    written = json.loads(next(out.glob("*/routes-selective/asked.json")).read_text())
    (tmp_path / "asked.json").write_text(json.dumps({**written, "format": 99}))
    with pytest.raises(BadInput, match="newer than this ppubench reads"):
        read_route(tmp_path / "asked.json")


def test_a_name_that_is_no_route_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="route 'hypnosis': is not a route; choose among asked"):
        list(run_routes(wanted(tmp_path, "nowhere"), ["hypnosis"], tmp_path))


def test_an_attack_that_the_dataset_lacks_is_said(hub: Path, base: Path, out: Path) -> None:
    (found,) = run_routes(wanted(hub, base), ["rwku_role_playing"], out)
    assert found.result.not_run.startswith("the dataset has no config rwku_role_playing")


@pytest.mark.parametrize("name", ROUTES)
def test_every_route_has_a_line_of_plain_words(name: str) -> None:
    assert route_line(name).strip()  # type: ignore[arg-type]


def test_every_line_is_of_a_route() -> None:
    assert set(ROUTE_LINES) <= set(ROUTES)


def test_what_a_model_lacks_is_said_in_words() -> None:
    assert lacking(ROUTES["rank"], frozenset()) == f"it gives no {NEED_LINES['likelihoods']}"
    assert lacking(ROUTES["rank"], frozenset({"likelihoods"})) == ""


def server_of(*, temperature: bool = True, counted: int = 11) -> ChatServer:
    def check(body: Body) -> Handled:
        if "temperature" in body and not temperature:
            return refuse(400, "temperature is not supported")
        return answer("yes", tokens=(counted if "continue_final_message" in body else 10, 1))

    return ChatServer(lambda body, number: answer("Oslo"), check=check)


@pytest.mark.parametrize(
    ("server", "able"),
    [
        pytest.param(server_of(), {"pictures", "sampling", "prefill"}, id="samples and goes on"),
        pytest.param(server_of(temperature=False), {"pictures", "prefill"}, id="no temperature"),
        pytest.param(server_of(counted=15), {"pictures", "sampling"}, id="opens a new turn"),
    ],
)
def test_what_a_server_gives_is_found_out_by_small_questions(server: ChatServer, able: set[str]) -> None:
    with serving(server) as url:
        assert abilities_of(lambda: (open_responder(f"openai:{url}#m"), None), local=False, thinking=False) == able


def test_what_a_server_cannot_be_asked_is_said_and_never_a_number(hub: Path, tmp_path: Path) -> None:
    names = ["asked", "sampled", "prefilled", "rank", "lens", "int4", "relearn_half"]
    with serving(server_of(temperature=False, counted=15)) as url:
        ran = list(run_routes(wanted(hub, f"openai:{url}#m"), names, tmp_path))
    found = {str(each.result.route): each.result for each in ran}
    assert {name: result.not_run for name, result in found.items() if result.not_run} == {
        "sampled": "it gives no answers drawn at a temperature",
        "prefilled": "it gives no continuation of an answer that is begun for it",
        "rank": "it gives no log-probabilities of given answers",
        "lens": "it gives no states of its layers",
        "int4": "it gives no weights to change",
        "relearn_half": "it gives no weights to change",
    }
    assert [name for name, result in found.items() if result.facts or result.figures] == ["asked"]


def test_a_model_that_is_to_think_cannot_have_its_answer_begun() -> None:
    able = abilities_of(lambda: pytest.fail("is opened"), local=True, thinking=True)
    assert "prefill" not in able
    assert "prefill" in abilities_of(lambda: pytest.fail("is opened"), local=True, thinking=False)


def test_a_thought_that_was_cut_off_is_no_answer() -> None:
    cut = as_judged(Reply(ask_id="a", text="<think>Oslo, or"))
    assert cut.error == "the thought was cut off before an answer"
    assert as_judged(Reply(ask_id="a", text="<think>Oslo?</think> Lima")).error == ""


def test_rounding_leaves_the_output_layer_and_rounds_a_merged_adapter(base: Path) -> None:
    loaded = load_model(str(base))
    head = loaded.family.head
    output = loaded.model.get_output_embeddings().weight.clone()  # type: ignore[no-untyped-call]
    adapted = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=0)
    found = round_weights(replace(loaded, model=adapted), how="int4")
    assert torch.equal(found.model.get_output_embeddings().weight, output)  # type: ignore[no-untyped-call]
    rounded = linear_weights(found.model, head=head)
    assert rounded
    assert all(len(weight[0, :64].unique()) <= 16 for weight in rounded.values())


def test_a_change_that_rounding_undoes_keeps_its_codes(base: Path, tmp_path: Path) -> None:
    loaded = load_model(str(base))
    adapted = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=0)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.fill_(1e-6)
    save_adapter(adapted, tmp_path / "small", base_digest=folder_digest(base))
    evaluated = identify(str(base), tmp_path / "small", label="small")
    kept, moved = code_survival(evaluated, "nf4", device="cpu", trust_remote_code=False)
    assert moved > 1000
    assert kept / moved > 0.999


def test_a_forget_set_of_one_person_leaves_nobody_to_relearn_from(hub: Path, base: Path, tmp_path: Path) -> None:
    request, _ = settle(wanted(hub, base), tmp_path)
    one = [each for each in request.questions if each.subject_id == request.questions[0].subject_id]
    given = RouteInput(tuple(one), request.facts, None, None, None, None, None)  # type: ignore[arg-type]
    assert relearn_half(given, request, wanted(hub, base)).not_run.startswith("what is forgotten is of one person")


def test_a_begun_answer_is_an_ask_of_its_own(base: Path) -> None:
    asks: list[Ask] = [ask_of("Who?", None), ask_of("Who?", None, prefix="Ada"), ask_of("Who?", None, sample=1)]
    assert len({ask.ask_id for ask in asks}) == 3
    assert asks[0].ask_id == ask_of("Who?", None, prefix="").ask_id
