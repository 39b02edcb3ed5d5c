"""Sequence studies: every step of every order stands, a second call does nothing anew, the page shows the matrix."""

import json
from pathlib import Path

import pytest

from flows.adopting.adopt import adopt
from flows.cli import main
from flows.experiments.requests.known_facts import read_known_facts
from flows.experiments.requests.sequence_study import PAGE, RECORD, asked_in_turn, run_sequences
from schemas.errors import BadInput
from schemas.records.study import RequestsConfig
from sources.sandbox.tiny_model import make_tiny_model
from tests.flows.adopting.benchmark_files import write_tofu
from tests.worlds.tiny_models import TEXTS

RECIPE = """
name = "turns"
dataset = "{home}/tofu"
model = "{home}/base"
methods = ["gd"]
settings = ["personalized"]
seeds = [0]
modality = "qa"
numbers = {{ batch = 2, retain_batch = 2, probe_every = 0, probe_samples = 2, rank = 2, steps = 2 }}

[requests]
draw = 2
seed = 1

[evaluate]
tasks = ["generation"]
modalities = ["qa"]
max_new_tokens = 2

[compare]
task = "generation"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, a model and the study of two requests in both orders and at once."""
    home = tmp_path_factory.mktemp("sequences")
    adopt(str(write_tofu(home / "source", authors=3)), home / "tofu")
    make_tiny_model(TEXTS, home / "base", seed=1, hidden=32, layers=1)
    (home / "turns.toml").write_text(RECIPE.format(home=home))
    run_sequences(home / "turns.toml", home / "study")
    return home


def test_every_order_has_a_step_for_every_request_and_a_batch_of_as_many_steps(home: Path) -> None:
    record = json.loads((home / "study" / RECORD).read_text())
    asked = [each["id"] for each in record["requests"]]
    orders = {each["order"]: [step["request"] for step in each["steps"]] for each in record["sequences"]}
    assert orders == {"given": asked, "reversed": asked[::-1]}
    assert all(each["batch"]["steps"] == sum(step["steps"] for step in each["steps"]) for each in record["sequences"])


def test_a_second_call_after_a_loss_makes_the_same_bytes(home: Path) -> None:
    before = (home / "study" / RECORD).read_bytes()
    (home / "study" / RECORD).unlink()
    for file in (home / "study" / "steps").glob("*given*002*"):
        file.unlink()
    run_sequences(home / "turns.toml", home / "study")
    assert (home / "study" / RECORD).read_bytes() == before


def test_the_page_shows_every_request_in_a_table_that_needs_no_colour(home: Path) -> None:
    page = (home / "study" / PAGE).read_text()
    assert page.count("after r001") == page.count("after r002") == 2
    assert 'class="served"' in page


def test_the_report_command_writes_the_page_anew(home: Path) -> None:
    before = (home / "study" / PAGE).read_bytes()
    (home / "study" / PAGE).unlink()
    with pytest.raises(SystemExit) as end:
        main(["report", str(home / "study")])
    assert end.value.code == 0
    assert (home / "study" / PAGE).read_bytes() == before


def test_the_study_command_runs_requests_by_their_recipe(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["study", str(home / "turns.toml"), "--out", str(home / "study")])
    assert end.value.code == 0
    assert "immediate" in capsys.readouterr().out


def test_requests_of_a_study_share_no_fact(home: Path, tmp_path: Path) -> None:
    facts = read_known_facts(home / "tofu")
    first, second = list(facts)[:2]
    (tmp_path / "one.toml").write_text(f'person = "000"\nfacts = ["{first}"]')
    (tmp_path / "two.toml").write_text(f'person = "000"\nfacts = ["{first}", "{second}"]')
    files = (tmp_path / "one.toml", tmp_path / "two.toml")
    assert [each.samples for each in asked_in_turn(RequestsConfig(files=files), facts)] == [(first,), (second,)]
    with pytest.raises(BadInput, match="asks only for what those before it ask for"):
        asked_in_turn(RequestsConfig(files=files[::-1]), facts)
