"""Adding people to a finished build: what stands stays, what looks across batches does, and what is refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.instant import InstantResponder
from curation.facts.properties import load_properties
from flows.building import build as building
from flows.building.add import add, read_asked
from flows.building.status import BuildReport
from flows.pipeline.batches import read_requests
from flows.pipeline.build_identity import open_build
from flows.resources.resources import Resources
from schemas.errors import BadInput
from schemas.protocols.source import CommonsFile, Source
from schemas.records.build_rows import Assignment, Drop, Fact, Question, Subject, SubjectRank
from schemas.storage.artifacts import MANIFEST
from schemas.storage.tables import read_records
from schemas.vocabulary import RATIOS, STAGES
from sources.sandbox.world import FEW_VIEWS, REDIRECT
from tests.servers.made_once import made_once
from tests.worlds.growing_build import (
    JOINING,
    RECIPE,
    CutOff,
    add_to,
    bring_up_to_date,
    hashes,
    make_build,
    state_of,
    without_prefect,
)

SHARED = ("README.md", "ATTRIBUTION.md", "croissant.json", "release.json")
"""Files of the dataset that tell of all batches, besides the split files."""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        without_prefect(patch)
        yield patch


@pytest.fixture(scope="module")
def finished(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "growing", make_build) / "build"


@pytest.fixture
def build(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished build, to do with as one likes."""
    return Path(shutil.copytree(finished, tmp_path / "build"))


@pytest.fixture(scope="module")
def grown(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildReport]:
    """The build with a batch of three more: two who join and one with too few pictures."""
    folder = Path(shutil.copytree(finished, tmp_path_factory.mktemp("grown") / "build"))
    return folder, add_to(folder, *JOINING, FEW_VIEWS)


def roles(build: Path, batch: int) -> dict[tuple[str, str, int | None], str]:
    rows = [
        row
        for path in sorted((build / "split" / str(batch)).glob("assignments-*.parquet"))
        for row in read_records(path, Assignment)
    ]
    return {(row.sample_id, row.setting, row.ratio): row.role for row in rows}


def split_file(build: Path, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((build / "hub" / "data" / "split" / name).read_text())
    return found


def test_no_byte_of_an_earlier_batch_changes(finished: Path, grown: tuple[Path, BuildReport]) -> None:
    before, after = hashes(finished), hashes(grown[0])
    changed = {name for name, digest in before.items() if after.get(name) != digest}
    assert changed <= {f"hub/{name}" for name in SHARED} | {
        f"hub/data/split/{part}_split.json" for part in ("complete", "selective", "persona")
    }
    assert "hub/README.md" in changed


def test_new_data_files_stand_beside_the_old_ones_under_names_of_their_own(grown: tuple[Path, BuildReport]) -> None:
    names = sorted(path.name for path in (grown[0] / "hub/data/ppu_eval_cloze").iterdir())
    assert names == ["test-00000-of-00001.parquet", "test-batch001-00000-of-00001.parquet"]


def test_the_ids_go_on_and_the_fates_are_told(grown: tuple[Path, BuildReport]) -> None:
    (batch,) = grown[1].batches
    told = [(one.asked, one.subject_id, one.state, one.stage, one.reason) for one in batch.people]
    assert told == [
        ("Q900000006", "009", "joined", "", ""),
        ("Q900000002", "010", "joined", "", ""),
        (FEW_VIEWS, "011", "left out", "screen", "too_few_views"),
    ]
    assert batch.asked == (*JOINING, FEW_VIEWS)
    assert all(one.samples > 10 for one in batch.people[:2])


def test_who_fails_a_gate_leaves_no_trace_in_the_export(grown: tuple[Path, BuildReport]) -> None:
    left_out = grown[1].batches[0].people[2]
    content = b"".join(path.read_bytes() for path in sorted((grown[0] / "hub").rglob("*")) if path.is_file())
    joined = grown[1].batches[0].people[0]
    assert joined.name.encode() in content
    for trace in (left_out.name, left_out.name.replace(" ", "_"), left_out.asked, '"011"'):
        assert trace.encode() not in content
    ranks = [row for path in (grown[0] / "split/1").glob("ranks-*") for row in read_records(path, SubjectRank)]
    assert [row.rank for row in sorted(ranks, key=lambda row: row.rank)] == [9, 10]


def test_the_dataset_holds_all_batches(grown: tuple[Path, BuildReport], tmp_path: Path) -> None:
    from datasets import load_dataset

    rows = load_dataset(str(grown[0] / "hub"), "train_pair_small_qa", split="train", cache_dir=str(tmp_path))
    assert list(dict.fromkeys(rows["subject_id"]))[-3:] == ["008", "009", "010"]
    summary = json.loads((grown[0] / "export/1" / MANIFEST).read_text())["notes"]["hub"]
    assert rows.num_rows == summary["samples"]
    assert summary["subjects"] == 10


def test_every_complete_set_grows_nests_and_keeps_its_share(finished: Path, grown: tuple[Path, BuildReport]) -> None:
    before, after = split_file(finished, "complete_split.json"), split_file(grown[0], "complete_split.json")
    for ratio in RATIOS:
        forgotten = after[f"forget{ratio}"]
        assert forgotten[: len(before[f"forget{ratio}"])] == before[f"forget{ratio}"]
        assert abs(len(forgotten) - 10 * ratio / 100) <= 1
    assert set(after["forget5"]) <= set(after["forget10"]) <= set(after["forget15"]) <= set(after["forget30"])


def test_new_samples_have_roles_in_every_setting(grown: tuple[Path, BuildReport]) -> None:
    old, new = roles(grown[0], 0), roles(grown[0], 1)
    assert not {key[0] for key in old} & {key[0] for key in new}
    assert {key[1:] for key in new} == {key[1:] for key in old}


def test_false_options_come_from_earlier_batches_too(grown: tuple[Path, BuildReport]) -> None:
    def answers(batch: int) -> set[str]:
        paths = (grown[0] / "facts" / str(batch)).glob("facts-*.parquet")
        return {fact.answer for path in paths for fact in read_records(path, Fact)}

    paths = (grown[0] / "questions/1").glob("questions-*.parquet")
    options = {option for path in paths for row in read_records(path, Question) for option in row.options}
    assert options & (answers(0) - answers(1))


def test_nobody_elses_question_offers_an_answer_that_only_somebody_left_out_has(
    grown: tuple[Path, BuildReport],
) -> None:
    paths = sorted((grown[0] / "facts").glob("*/facts-*.parquet"))
    facts = [fact for path in paths for fact in read_records(path, Fact)]
    theirs = {fact.answer for fact in facts if fact.subject_id == "011" and fact.accepted[0].kind == "text"}
    shared = {text for fact in facts if fact.subject_id != "011" for text in (fact.answer, *fact.withheld)}
    shared |= {text for texts in load_properties().fallback.values() for text in texts}
    questions = (grown[0] / "questions").glob("*/questions-*.parquet")
    options = {option for path in questions for row in read_records(path, Question) for option in row.options}
    assert theirs - shared
    assert not options & (theirs - shared)


def test_a_third_batch_leaves_both_earlier_ones_alone(grown: tuple[Path, BuildReport], tmp_path: Path) -> None:
    build = Path(shutil.copytree(grown[0], tmp_path / "build"))
    before = hashes(build)
    report = add_to(build, "Q900000009", batch=2)
    assert [one.subject_id for one in report.batches[1].people] == ["012"]
    after = hashes(build)
    kept = [name for name in before if not name.startswith("hub/") or name.endswith(".parquet")]
    assert all(after[name] == before[name] for name in kept)
    assert len(split_file(build, "complete_split.json")["forget30"]) in (3, 4)


def test_status_shows_the_batches(grown: tuple[Path, BuildReport]) -> None:
    report = state_of(grown[0])
    assert {line.state for line in report.stages} == {"stood"}
    assert [batch.batch for batch in report.batches] == [1]
    assert {line.state for line in report.batches[0].stages} == {"stood"}
    assert report.dataset is not None


def test_a_lost_file_of_an_earlier_batch_is_made_again_with_the_same_bytes(
    grown: tuple[Path, BuildReport], tmp_path: Path
) -> None:
    build = Path(shutil.copytree(grown[0], tmp_path / "build"))
    before = hashes(build)
    (build / "hub/data/ppu_eval_cloze/test-00000-of-00001.parquet").unlink()
    report = bring_up_to_date(build)
    assert [line.state for line in report.batches[0].stages] == ["stood"] * 8 + ["made"]
    assert hashes(build) == before


@pytest.mark.parametrize("again", ["Q900000005", "Yara Yarborough-Lund", "Y. Yarborough-Lund", REDIRECT])
def test_a_subject_is_not_added_twice(build: Path, again: str) -> None:
    before = hashes(build)
    with pytest.raises(BadInput, match=r"Yara Yarborough-Lund \(Q900000005\): is subject 001 of batch 0 already"):
        add_to(build, "Q900000006", again)
    assert hashes(build) == before


def test_a_person_named_twice_in_one_command_is_refused(build: Path) -> None:
    with pytest.raises(BadInput, match="Q900000006: is named twice"):
        add_to(build, "Q900000006", "Udo Umberlane", "Q900000006")


def test_nobody_to_add_is_refused_and_nothing_is_written(build: Path) -> None:
    before = hashes(build)
    with pytest.raises(BadInput, match="nobody can be added .*Nobody Atall: 0 search results"):
        add_to(build, "Nobody Atall", "Q903000001")
    assert hashes(build) == before


def test_a_name_that_nobody_has_is_a_drop_beside_those_who_join(build: Path) -> None:
    (batch,) = add_to(build, "Q900000006", "Nobody Atall").batches
    assert [(one.asked, one.state, one.reason) for one in batch.people] == [
        ("Nobody Atall", "left out", "name_not_found"),
        ("Q900000006", "joined", ""),
    ]


def test_a_batch_that_was_cut_off_goes_on_and_ends_with_the_same_bytes(
    build: Path, grown: tuple[Path, BuildReport]
) -> None:
    cut = CutOff(InstantResponder(build, share=0.8, batch=1), after=40)
    with pytest.raises(KeyboardInterrupt):
        add(build, [*JOINING, FEW_VIEWS], responders={"hf:sandbox": cut})
    assert [line.state for line in state_of(build).batches[0].stages][4:7] == ["stood", "unfinished", "missing"]
    with pytest.raises(BadInput, match=r'batch 1 is not finished; run `ppubench add .* Q900000006 "Luc D\'Arvel"'):
        add_to(build, "Q900000009")
    add_to(build, *JOINING, FEW_VIEWS)
    again, whole = hashes(build), hashes(grown[0])
    # Of the log of replies, the order may differ.
    assert {name for name, digest in whole.items() if again.get(name) != digest} <= {
        name for name in whole if name.endswith(".jsonl")
    }
    assert again.keys() == whole.keys()


def test_a_build_that_is_not_finished_is_refused(build: Path) -> None:
    (build / "split/0" / MANIFEST).unlink()
    with pytest.raises(BadInput, match=r"is not finished \(stage split\); run `ppubench export"):
        add_to(build, "Q900000006")
    assert read_requests(build) == []


def test_a_build_whose_recipe_was_changed_is_refused(build: Path) -> None:
    recipe = build / "recipe.toml"
    recipe.write_text(recipe.read_text() + "[split]\nraters = 7\n")
    with pytest.raises(BadInput, match=r"is not up to date \(stage split\)"):
        add_to(build, "Q900000006")


def test_a_build_of_an_older_version_is_refused_with_what_changed_since(build: Path) -> None:
    manifest = build / "questions/0" / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 1, "key": "of older code"}))
    said = r"is not up to date \(stage questions; its rules have changed: questions 2: Options .*\); run `ppubench exp"
    with pytest.raises(BadInput, match=said):
        add_to(build, "Q900000006")


def test_a_build_of_a_newer_layout_is_refused(build: Path) -> None:
    identity = json.loads((build / "build.json").read_text())
    (build / "build.json").write_text(json.dumps(identity | {"format": 99}))
    with pytest.raises(BadInput, match="layout 99 is newer"):
        add_to(build, "Q900000006")


def test_a_build_with_a_stage_of_newer_code_is_refused(build: Path) -> None:
    path = build / "split/0" / MANIFEST
    path.write_text(path.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(BadInput, match="version 99 is newer than this ppubench's"):
        add_to(build, "Q900000006")


def test_a_read_only_build_is_refused(build: Path) -> None:
    build.chmod(0o555)
    try:
        with pytest.raises(BadInput, match="is read-only; copy the build"):
            add_to(build, "Q900000006")
    finally:
        build.chmod(0o755)


def test_a_card_edited_by_hand_makes_nothing_stale_and_the_text_outlives_an_addition(build: Path) -> None:
    card = build / "hub/README.md"
    card.write_text(card.read_text().replace("None yet.", "Looked at by hand, all of it."))
    assert {line.state for line in state_of(build).stages} == {"stood"}
    add_to(build, "Q900000006")
    assert "Looked at by hand, all of it." in card.read_text()


def test_an_exported_dataset_is_no_build_to_add_to(build: Path) -> None:
    with pytest.raises(BadInput, match=r"is not a build \(build.json is missing\)"):
        add_to(build / "hub", "Q900000006")


@pytest.mark.parametrize("asked", [[], [""], ["  "]])
def test_nobody_named_is_refused(build: Path, asked: list[str]) -> None:
    with pytest.raises(BadInput, match="names nobody"):
        add(build, asked)


def test_blanks_around_a_word_do_not_count(build: Path) -> None:
    (batch,) = add_to(build, " Q902000003 ").batches
    assert (batch.asked, batch.people[0].reason) == (("Q902000003",), "no_facts")


class Copycat:
    """The world, in which one person's pictures are those of somebody else."""

    def __init__(self, world: Source, *, who: str, owner: Subject) -> None:
        self._world, self._who, self._owner = world, who, owner
        self.identity, self.entities, self.leads, self.search = (
            world.identity, world.entities, world.leads, world.search,
        )  # fmt: skip
        self.people, self.pageviews, self.download = world.people, world.pageviews, world.download

    def files(self, subject: Subject, *, limit: int) -> tuple[list[CommonsFile], list[str]]:
        return self._world.files(self._owner if subject.qid == self._who else subject, limit=limit)


def test_somebody_whose_only_pictures_an_earlier_subject_has_is_left_out_and_the_other_keeps_them(build: Path) -> None:
    before = hashes(build)
    owner = next(read_records(build / "select/0/subjects-00000.parquet", Subject))
    with Resources(build, open_build(build).recipe) as resources:
        world = Copycat(resources.source(), who="Q900000006", owner=owner)
        responder = InstantResponder(build, share=0.8, batch=1)
        (batch,) = add(build, ["Q900000006"], source=world, responders={"hf:sandbox": responder}).batches
    assert [(one.state, one.stage, one.reason) for one in batch.people] == [("left out", "screen", "too_few_views")]
    drops = [row for path in (build / "screen/1").glob("drops-*.parquet") for row in read_records(path, Drop)]
    assert "duplicate_other_subject" in {drop.reason for drop in drops}
    after = hashes(build)
    assert {name: after[name] for name in before} == before


def test_a_roster_has_one_name_a_line_and_remarks(tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("# wanted\nQ42\n\nAda Lovelace  # the countess\n")
    assert read_asked(tmp_path / "new.txt") == ["Q42", "Ada Lovelace"]


def test_a_roster_may_have_the_header_of_a_recipes_roster(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("name,qid\nAda Lovelace,Q7259\nAlan Turing,\n")
    assert read_asked(tmp_path / "new.csv") == ["Q7259", "Alan Turing"]


def test_a_roster_that_numbers_added_people_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("subject_id,qid\n,Q1\n007,Q42\n")
    with pytest.raises(BadInput, match="line 3: gives a subject_id or a complete_rank"):
        read_asked(tmp_path / "new.csv")


@pytest.mark.parametrize(
    ("old", "new", "stage"),
    [("limit = 8", "limit = 9", "select"), ("[export]", "[split]\nraters = 7\n[export]", "split")],
)
def test_a_recipe_that_would_make_the_first_batch_of_a_grown_build_anew_is_refused_before_anything_is_written(
    grown: tuple[Path, BuildReport], tmp_path: Path, old: str, new: str, stage: str
) -> None:
    (tmp_path / "grow.toml").write_text(RECIPE.replace(old, new))
    before, responder = hashes(grown[0]), InstantResponder(grown[0], share=0.8)
    with pytest.raises(BadInput, match=rf"has added people .*batch 0 anew, from the stage {stage} on; build"):
        building.build(tmp_path / "grow.toml", grown[0], responders={"hf:sandbox": responder})
    assert hashes(grown[0]) == before


def test_the_unchanged_recipe_leaves_a_grown_build_as_it_is(grown: tuple[Path, BuildReport], tmp_path: Path) -> None:
    (tmp_path / "grow.toml").write_text(RECIPE)
    responder = InstantResponder(grown[0], share=0.8)
    report = building.build(tmp_path / "grow.toml", grown[0], responders={"hf:sandbox": responder})
    assert {line.state for line in (*report.stages, *report.batches[0].stages)} == {"stood"}


def test_all_stages_say_what_they_read_of_earlier_batches() -> None:
    from flows.stages.stage_table import ACROSS

    assert set(ACROSS) == set(STAGES)


def test_an_opened_responder_does_not_change_what_later_stages_are_called(finished: Path) -> None:
    with Resources(finished, open_build(finished).recipe) as resources:
        before = resources.responder_identity("hf:sandbox")
        resources._responders["hf:sandbox"] = InstantResponder(finished, share=0.8)  # as if it had been opened
        assert resources.responder_identity("hf:sandbox") == before
