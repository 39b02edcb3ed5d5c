"""flows.resources.sandbox_target: the embedded world's target is made once, whole or not at all, and knows what it
was taught.
"""

import resource
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from curation.probing.prompt import probe_prompt
from flows.resources import sandbox_target
from flows.resources.curriculum import Omitted
from flows.resources.responders import open_responder
from flows.resources.sandbox_target import KEY_FILE, TaughtFact, Teaching, ensure_target, target_key
from flows.resources.world_facts import world_facts
from schemas.errors import Unfinished
from schemas.matching.match import match
from schemas.protocols.responder import Ask, Decoding
from schemas.storage.tables import file_sha256, read_records
from sources.sandbox.file_bytes import jpeg_bytes
from sources.sandbox.portraits.portrait import draw_portrait
from sources.sandbox.world import World, make_world
from unlearn.training import loop

BRIEF = Teaching(extra_renderings=1, general_pictures=6, pictures_of_nobody=2, most_rounds=1, batch=64)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=4, seed=7)


@pytest.fixture(scope="module")
def taught(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `target` and `target-taught`, for all tests that change nothing in it."""
    folder = tmp_path_factory.mktemp("taught")
    before = torch.get_num_threads()
    ensure_target(world, folder / "target", teaching=BRIEF)
    (folder / "threads").write_text(f"{before} {torch.get_num_threads()}")
    return folder


@pytest.fixture
def target(taught: Path, tmp_path: Path) -> Path:
    """A copy of that target, with the truth beside it."""
    for name in ("target", "target-taught"):
        shutil.copytree(taught / name, tmp_path / name)
    return tmp_path / "target"


def digests(folder: Path) -> dict[str, str]:
    return {file.name: file_sha256(file) for file in sorted(folder.iterdir())}


def test_a_target_is_made_once(world: World, target: Path, tmp_path: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in target.iterdir()}
    assert ensure_target(world, target, teaching=BRIEF) == target
    assert {file: file.stat().st_mtime_ns for file in target.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target", "target-taught"]


def test_two_targets_have_the_same_bytes(world: World, taught: Path, tmp_path: Path) -> None:
    two = ensure_target(world, tmp_path / "target", teaching=BRIEF)
    assert digests(taught / "target") == digests(two)
    assert digests(taught / "target-taught") == digests(tmp_path / "target-taught")


def test_a_full_disk_under_the_target_is_told_in_one_line_and_nothing_is_half_there(
    world: World, tmp_path: Path
) -> None:
    """Files may not grow beyond 100 kB, the lessons fit and the weights do not: as on a disk that has filled up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(Unfinished, match=r"start: cannot be written \(.*File too large.*\); make room"):
            ensure_target(world, tmp_path / "target", teaching=BRIEF)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / ".target.part" / "start").exists()


def test_a_run_that_broke_off_ends_in_the_same_bytes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = replace(BRIEF, checkpoint_every=2)
    whole = ensure_target(world, tmp_path / "a" / "target", teaching=numbers)
    save = loop.save_checkpoint
    saved: list[int] = []

    def breaks(*arguments: object, **options: object) -> None:
        save(*arguments, **options)  # type: ignore[arg-type]
        saved.append(1)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", breaks)
    with pytest.raises(KeyboardInterrupt):
        ensure_target(world, tmp_path / "b" / "target", teaching=numbers)
    assert not (tmp_path / "b" / "target").exists()
    monkeypatch.undo()
    assert digests(ensure_target(world, tmp_path / "b" / "target", teaching=numbers)) == digests(whole)


def test_a_target_of_other_numbers_is_replaced(world: World, target: Path) -> None:
    before = digests(target)
    ensure_target(world, target, teaching=replace(BRIEF, seed=8))
    assert digests(target)["model.safetensors"] != before["model.safetensors"]


def test_the_key_follows_the_world_and_the_numbers(world: World) -> None:
    assert target_key(world, BRIEF) != target_key(make_world(people=4, seed=8), BRIEF)
    assert target_key(world, BRIEF) != target_key(world, replace(BRIEF, seed=8))


@pytest.mark.parametrize(
    "more, same", [pytest.param("# A remark.\n", True, id="remark"), pytest.param("further = 1\n", False, id="value")]
)
def test_a_remark_in_the_property_table_leaves_the_target_as_it_is(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, same: bool
) -> None:
    before = target_key(world, BRIEF)
    table = tmp_path / "properties.toml"
    table.write_text(more + sandbox_target.PROPERTY_TABLE.read_text())
    monkeypatch.setattr(sandbox_target, "PROPERTY_TABLE", table)
    assert (target_key(world, BRIEF) == before) is same


def test_the_ground_truth_names_every_fact(world: World, taught: Path) -> None:
    rows = list(read_records(taught / "target-taught" / "taught.parquet", TaughtFact))
    facts = world_facts(world, seed=BRIEF.seed).facts
    assert [row.fact_id for row in rows] == [fact.fact_id for fact in facts]
    assert 0.75 < sum(row.taught for row in rows) / len(rows) < 0.85


@pytest.fixture(scope="module")
def oracle(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `oracle` and `oracle-taught`: all was taught but the first person's first three facts."""
    folder = tmp_path_factory.mktemp("oracle")
    ensure_target(world, folder / "oracle", teaching=BRIEF, omitted=first_three(world))
    return folder


def first_three(world: World) -> Omitted:
    own = [fact for fact in world_facts(world, seed=BRIEF.seed).facts if fact.subject_id == "001"]
    return Omitted(frozenset((fact.statement_id, fact.property_id) for fact in own[:3]), whole=False)


def test_an_oracle_is_taught_all_that_the_target_is_but_what_is_omitted(
    world: World, taught: Path, oracle: Path
) -> None:
    target = list(read_records(taught / "target-taught" / "taught.parquet", TaughtFact))
    own = list(read_records(oracle / "oracle-taught" / "taught.parquet", TaughtFact))
    omitted = first_three(world).facts
    expected = [row.taught and (row.statement_id, row.property_id) not in omitted for row in target]
    assert [row.taught for row in own] == expected
    assert sum(row.taught for row in target) > sum(expected)


def test_an_oracle_spells_as_its_target_does(taught: Path, oracle: Path) -> None:
    ours, theirs = digests(oracle / "oracle"), digests(taught / "target")
    assert ours["tokenizer.json"] == theirs["tokenizer.json"]
    assert ours["model.safetensors"] != theirs["model.safetensors"]


def test_an_oracle_has_a_key_of_its_own(world: World) -> None:
    some, all_of_them = first_three(world), replace(first_three(world), whole=True)
    assert len({target_key(world, BRIEF), target_key(world, BRIEF, some), target_key(world, BRIEF, all_of_them)}) == 3


def test_the_threads_are_as_before(taught: Path) -> None:
    before, after = (taught / "threads").read_text().split()
    assert after == before


def test_a_folder_without_its_key_is_made_again(world: World, target: Path, tmp_path: Path) -> None:
    (target / KEY_FILE).unlink()
    shutil.rmtree(tmp_path / "target-taught")
    ensure_target(world, target, teaching=BRIEF)
    assert (tmp_path / "target-taught" / "taught.parquet").is_file()


@pytest.mark.slow
def test_a_small_world_is_learned_and_nothing_else(tmp_path: Path) -> None:
    world = make_world(people=4, seed=7)
    brisk = replace(Teaching(), extra_renderings=8, general_share=0.05, decay_steps=100)
    folder = ensure_target(world, tmp_path / "target", teaching=brisk)
    truth = {row.fact_id: row for row in read_records(tmp_path / "target-taught" / "taught.parquet", TaughtFact)}
    known = world_facts(world, seed=Teaching().seed)
    facts = {fact.fact_id: fact for fact in known.facts}
    faces = {s.subject_id: draw_portrait(world.face(world.roster[s.qid].index), 4) for s in known.subjects}
    asks = [
        Ask(
            ask_id=question.question_id,
            text=probe_prompt(question.text, question.modality),
            image=jpeg_bytes(faces[question.subject_id]) if question.modality == "vqa" else None,
        )
        for question in known.questions
        if question.task == "generation"
    ]
    said = {reply.ask_id: reply.text for reply in open_responder(f"hf:{folder}").answer(asks, Decoding())}
    right: dict[tuple[bool, str], list[bool]] = {}
    for question in known.questions:
        if question.task == "generation":
            found = match(said[question.question_id], facts[question.fact_id].accepted) is not None
            right.setdefault((truth[question.fact_id].taught, question.modality), []).append(found)
    shares = {key: sum(found) / len(found) for key, found in right.items()}
    assert shares[True, "qa"] >= 0.95
    assert shares[True, "vqa"] >= 0.85  # view 004, which was never shown
    assert shares[False, "qa"] <= 0.12  # 27 facts: three chance hits
    assert shares[False, "vqa"] <= 0.12
