"""flows.audit.unknown_facts: what a build's target answered wrongly, as a dataset that routes can be tried on."""

import shutil
from pathlib import Path

import pytest

from eval.tasks.questions import Slice, read_facts, read_questions
from flows.audit.unknown_facts import UNKNOWN_SETTING, write_unknown
from flows.pipeline.build_identity import IDENTITY, RECIPE, identity_of
from schemas.dataset.split_files import read_roles
from schemas.recipes.build_recipe import read_build_recipe
from schemas.vocabulary import MODALITIES, TASKS
from tests.documents import ROOT
from tests.worlds.explorer_world import write_build


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unknown facts of a build whose target knows nothing of subject 003."""
    folder = tmp_path_factory.mktemp("unknown")
    build = write_build(folder / "build", until="probe")
    shutil.copyfile(ROOT / "flows" / "recipes" / "demo.toml", build / RECIPE)
    (build / IDENTITY).write_text(identity_of(read_build_recipe(build / RECIPE)).model_dump_json())
    made = write_unknown(build / "hub", folder / "made")
    assert made is not None
    return made


def test_what_was_answered_wrongly_is_to_be_forgotten_and_what_was_known_is_kept(unknown: Path) -> None:
    cut = Slice(UNKNOWN_SETTING, None, read_roles(unknown, UNKNOWN_SETTING, None))
    facts = read_facts(unknown)
    questions, _ = read_questions(unknown, facts, cut, tasks=TASKS, modalities=MODALITIES, attack=None)
    roles = {(question.subject_id, question.role) for question in questions}
    assert roles >= {("003", "forget"), ("001", "retain")}
    assert ("003", "retain") not in roles
    assert {question.task for question in questions if question.role == "forget"} == set(TASKS)


def test_a_dataset_of_no_build_has_no_unknown_facts(tmp_path: Path) -> None:
    assert write_unknown(tmp_path / "hub", tmp_path / "made") is None
