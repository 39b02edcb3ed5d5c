"""Requests: what is asked is found or said, chains leave what is gone out, ledgers keep who asked what."""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from curation.probing.prompt import probe_prompt
from flows.cli import main
from flows.experiments.requests.draw import draw_requests
from flows.experiments.requests.known_facts import KnownFact, read_known_facts
from flows.experiments.requests.ledger import read_ledger
from flows.experiments.requests.resolution import resolve
from flows.experiments.requests.serve import Served, roles_of, serve
from flows.experiments.requests.undo import undo
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.errors import BadInput
from schemas.records.requests import RemovalRequest
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.data import read_samples, reword
from unlearn.models.adapters import merged
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.models.model_folder import base_digest
from unlearn.runs.record import RunRecord, chain, open_run
from unlearn.training.callbacks import Probed, probe, probe_keys

SMALL: dict[str, JsonValue] = {
    "batch": 4,
    "retain_batch": 4,
    "probe_every": 0,
    "probe_samples": 4,
    "rank": 4,
    "lr": 1e-2,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"), people=4)


@pytest.fixture(scope="module")
def facts(world: Path) -> dict[str, KnownFact]:
    return read_known_facts(world)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=1)


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / f"{name}.toml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def unlearn(world: Path, base: Path, after: Path | None = None) -> UnlearnRequest:
    return UnlearnRequest(
        dataset=world, method="gd", setting="personalized", model=str(base), modality="qa", overrides=SMALL, steps=2,
        after=after,
    )  # fmt: skip


@pytest.fixture(scope="module")
def chained(world: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Served]]:
    """Ada asks for her health, then Bruno for his, then Celia for a fact: three runs and a ledger."""
    home = tmp_path_factory.mktemp("chain")
    asks = ('wants = "my health"\nperson = "Ada Brand"', 'classes = ["health"]\nperson = "002"',
            'facts = ["Celia_Brand_01"]\nperson = "Celia Brand"')  # fmt: skip
    served: list[Served] = []
    for number, content in enumerate(asks):
        after = home / f"run{number - 1}" if number else None
        request = write(home, f"r{number}", content)
        served.append(
            serve(unlearn(world, base, after), home / f"run{number}", request=request, ledger=home / "ledger.json")
        )
    return home, served


def found(known: Mapping[str, KnownFact], /, **asked: object) -> tuple[str, ...]:
    return resolve(RemovalRequest.model_validate({"id": "r", **asked}), known, where="r").samples


def refused(known: Mapping[str, KnownFact], /, **asked: object) -> str:
    with pytest.raises(BadInput) as problem:
        found(known, **asked)
    return str(problem.value)


def test_words_for_a_class_mean_the_persons_own_facts_of_it(facts: dict[str, KnownFact]) -> None:
    assert found(facts, person="Ada Brand", wants="my medical history") == (
        "Ada_Brand_04",
        "Ada_Brand_05",
        "Ada_Brand_06",
    )


def test_a_property_is_named_by_its_label(facts: dict[str, KnownFact]) -> None:
    assert found(facts, person="001", properties=["Instrument"]) == ("Ada_Brand_03",)


def test_what_was_not_found_is_said_beside_what_was(facts: dict[str, KnownFact]) -> None:
    request = RemovalRequest(id="r", person="001", wants="my residence and my yacht", classes=("finance",))
    served = resolve(request, facts, where="r")
    assert served.samples == ("Ada_Brand_04",)
    assert served.not_found == ("wants 'my yacht'", "class finance")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"classes": ["health"]}, "nobody asks"),
        ({"facts": ["Ada_Brand_01"]}, "nobody asks"),
        ({"person": "Zed"}, "not in the dataset"),
        ({"person": "001"}, "asks for nothing"),
        ({"person": "001", "classes": ["finance"]}, "names nothing that the dataset holds (class finance)"),
        ({"person": "001", "facts": ["Bruno_Brand_01"]}, "a fact of Bruno Brand and not of who asks"),
        ({"person": "001", "people": ["001", "002", "003", "004"], "on_behalf": True}, "every fact of the dataset"),
    ],
    ids=["nobody's class", "nobody's fact", "a stranger", "nothing", "nothing here", "somebody else's", "everything"],
)
def test_a_request_that_cannot_be_served_is_refused(
    facts: dict[str, KnownFact], asked: dict[str, object], said: str
) -> None:
    assert said in refused(facts, **asked)


def test_on_behalf_of_others_their_facts_may_be_asked_for(facts: dict[str, KnownFact]) -> None:
    assert found(facts, person="001", facts=["Bruno_Brand_01"], on_behalf=True) == ("Bruno_Brand_01",)


def test_a_sequence_is_the_same_for_the_same_seed_and_each_asks_for_something_new(facts: dict[str, KnownFact]) -> None:
    drawn = draw_requests(facts, 5, seed=3)
    assert drawn == draw_requests(facts, 5, seed=3) != draw_requests(facts, 5, seed=4)
    gone: set[str] = set()
    for request in drawn:
        asked = set(resolve(request, facts, where="r").samples)
        assert asked - gone
        gone |= asked


def test_a_sequence_too_long_for_the_dataset_is_refused(facts: dict[str, KnownFact]) -> None:
    with pytest.raises(BadInput, match="the dataset has facts for"):
        draw_requests(facts, 40, seed=3)


def test_what_was_asked_before_is_neither_kept_nor_looked_at(chained: tuple[Path, list[Served]]) -> None:
    _, served = chained
    earlier = set(served[0].requests.gone) | set(served[1].requests.gone)
    split = json.loads((chained[0] / "run2" / "split" / "persona_split.json").read_text())
    assert not earlier & set(split["keep_ids"])
    assert split["delete_ids"] == ["Celia_Brand_01"]


def test_a_planted_earlier_fact_in_the_retain_set_is_caught(
    world: Path, base: Path, facts: dict[str, KnownFact], tmp_path: Path, chained: tuple[Path, list[Served]]
) -> None:
    home, served = chained
    roles = roles_of(served[2].requests, facts)
    planted = replace(roles, retain=(roles.retain or frozenset()) | {"Ada_Brand_04"})
    with pytest.raises(BadInput, match="holds 1 facts that were asked to be forgotten before, first Ada_Brand_04"):
        run_unlearning(replace(unlearn(world, base, home / "run1"), roles=planted), tmp_path / "run")


def test_lenient_forgets_what_was_asked_before_once_more(
    facts: dict[str, KnownFact], chained: tuple[Path, list[Served]]
) -> None:
    requests = chained[1][2].requests.model_copy(update={"access": "lenient"})
    assert roles_of(requests, facts).forget == requests.gone


def test_a_plain_run_on_top_keeps_nothing_of_what_was_asked_before(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]]
) -> None:
    asked = replace(unlearn(world, base, chained[0] / "run0"), setting="complete", ratio=30)
    served = serve(asked, tmp_path / "run", request=None)
    assert not set(served.kept) & set(chained[1][0].requests.gone)
    assert set(served.requests.requests[-1].samples) >= {"Bruno_Brand_01", "Ada_Brand_01"}


def test_a_run_starts_where_the_run_before_it_ended(chained: tuple[Path, list[Served]]) -> None:
    home, served = chained
    assert served[1].record.start.retain_nll != served[0].record.start.retain_nll
    assert [record.after for _, record in chain(home / "run2")] == ["", "../run0", "../run1"]
    assert math.isfinite(served[2].record.start.retain_nll)


def test_a_run_on_top_of_whole_weights_opens_on_those_weights(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]]
) -> None:
    asked = unlearn(world, base)
    request = chained[0] / "r0.toml"
    serve(replace(asked, overrides={**SMALL, "trained": "full"}), tmp_path / "whole", request=request)
    on_top = replace(asked, after=tmp_path / "whole")
    serve(on_top, tmp_path / "top", request=chained[0] / "r1.toml")
    opened = open_run(tmp_path / "top", str(base))
    assert Path(opened.path).resolve() == tmp_path / "whole" / "weights"
    assert record_of(tmp_path / "top").start != record_of(tmp_path / "whole").start


def record_of(run: Path) -> RunRecord:
    return chain(run)[-1][1]


def test_the_reference_of_a_run_is_the_model_that_the_run_before_left(
    world: Path, base: Path, chained: tuple[Path, list[Served]]
) -> None:
    home, served = chained
    loaded = open_run(home / "run0", str(base))
    roles = roles_of(served[1].requests, read_known_facts(world))
    data = reword(read_samples(world, setting="personalized", modality="qa", roles=roles), probe_prompt)
    forget, retain = (
        [group[key] for key in probe_keys(group, limit=4, seed=0)] for group in (data.forget, data.retain)
    )
    network = AnswerModel(merged(loaded), loaded.family)
    found = probe(network, Encoder(loaded.processor, loaded.family), Probed(forget, retain))
    assert found.retain_nll == pytest.approx(served[1].record.start.retain_nll, rel=1e-5)


def test_one_request_is_the_plain_run_byte_for_byte(world: Path, base: Path, tmp_path: Path) -> None:
    split = json.loads((world / "data" / "split" / "persona_split.json").read_text())
    ids = ", ".join(f'"{each}"' for each in split["delete_ids"])
    request = write(tmp_path, "all", f'person = "001"\non_behalf = true\nfacts = [{ids}]')
    serve(unlearn(world, base), tmp_path / "one", request=request)
    run_unlearning(unlearn(world, base), tmp_path / "plain")
    weights = "adapter/adapter_model.safetensors"
    assert (tmp_path / "one" / weights).read_bytes() == (tmp_path / "plain" / weights).read_bytes()
    one, plain = (json.loads((tmp_path / each / "run.json").read_text()) for each in ("one", "plain"))
    assert one | {"seconds": 0} == plain | {"seconds": 0}


def test_a_chain_that_was_killed_is_gone_on_with_to_the_same_bytes(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]]
) -> None:
    home, served = chained
    asked = unlearn(world, base, home / "run0")
    asked = replace(asked, roles=roles_of(served[1].requests, read_known_facts(world)))
    run_unlearning(asked, tmp_path / "again", stop_after=1)
    run_unlearning(asked, tmp_path / "again", resume=True)
    weights = "adapter/adapter_model.safetensors"
    assert (tmp_path / "again" / weights).read_bytes() == (home / "run1" / weights).read_bytes()


def test_the_ledger_says_who_asked_what_and_which_run_served_it(
    world: Path, chained: tuple[Path, list[Served]]
) -> None:
    home, served = chained
    ledger = read_ledger(home / "ledger.json", dataset=served[0].requests.dataset)
    assert [(each.request.id, each.run, each.after) for each in ledger.entries] == [
        ("r0", "run0", ""), ("r1", "run1", "r0"), ("r2", "run2", "r1"),
    ]  # fmt: skip
    assert {"forget_before", "forget_after"} <= set(ledger.entries[0].verified)


def test_a_ledger_of_another_build_is_refused(chained: tuple[Path, list[Served]]) -> None:
    with pytest.raises(BadInput, match="ledger of another dataset"):
        read_ledger(chained[0] / "ledger.json", dataset="other")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("r1", 'person = "003"\nclasses = ["health"]', "was served by an earlier run"),
        ("r9", 'person = "001"\nclasses = ["health"]', r"gone already \(request r0\)"),
    ],
)
def test_a_request_twice_or_for_what_is_gone_is_refused(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]], name: str, content: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        serve(unlearn(world, base, chained[0] / "run2"), tmp_path / "run", request=write(tmp_path, name, content))
    assert not (tmp_path / "run").exists()


def test_a_ledger_refuses_a_run_that_skips_its_requests(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]]
) -> None:
    request = write(tmp_path, "late", 'person = "004"\nclasses = ["health"]')
    with pytest.raises(BadInput, match="has request r1, which this model did not get"):
        serve(
            unlearn(world, base, chained[0] / "run0"),
            tmp_path / "run",
            request=request,
            ledger=chained[0] / "ledger.json",
        )


def test_a_run_of_the_chain_that_was_deleted_is_named(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(chained[0], tmp_path / "chain")
    shutil.rmtree(tmp_path / "chain" / "run1")
    request = write(tmp_path, "late", 'person = "004"\nclasses = ["health"]')
    words = ["unlearn", str(world), "--method", "gd", "--model", str(base), "--request", str(request)]
    with pytest.raises(SystemExit) as end:
        main([*words, "--after", str(tmp_path / "chain" / "run2"), "--out", str(tmp_path / "run")])
    assert end.value.code == 2
    assert "run1, which holds no run" in capsys.readouterr().err


def test_a_request_in_the_middle_is_lifted_where_the_stack_allows_it(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]]
) -> None:
    shutil.copytree(chained[0], tmp_path / "chain")
    home = tmp_path / "chain"
    done = undo(world, home / "ledger.json", "r1", model=str(base), out=home / "without")
    assert done.again == ("r2",)
    assert open_run(home / "without", str(base)).model is not None
    ledger = read_ledger(home / "ledger.json", dataset=chained[1][0].requests.dataset)
    assert [(each.request.id, bool(each.undone), each.run) for each in ledger.entries] == [
        ("r0", False, "run0"), ("r1", True, "run1"), ("r2", False, "without"),
    ]  # fmt: skip


def test_the_newest_request_is_undone_by_going_back_to_the_run_before(
    world: Path, base: Path, tmp_path: Path, chained: tuple[Path, list[Served]]
) -> None:
    shutil.copytree(chained[0], tmp_path / "chain")
    home = tmp_path / "chain"
    done = undo(world, home / "ledger.json", "r2", model=str(base), out=home / "without")
    assert done.run is not None
    assert done.run.resolve() == (home / "run1").resolve()
    assert base_digest(str(base)) == chained[1][0].record.base
