"""What a build that people were added to refuses: being made anew, and taking anybody up a second time."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks.instant import InstantResponder
from flows.building.add import add
from flows.building.status import BuildReport
from flows.pipeline.batches import read_requests
from flows.pipeline.build_identity import open_build
from flows.resources.resources import Resources
from flows.stages import stage_table
from schemas.errors import BadInput
from schemas.protocols.source import BrokenEntity, PersonMatch, Source
from schemas.records.entities import Entity, MissingEntity
from schemas.storage.artifacts import MANIFEST
from schemas.vocabulary import Stage
from sources.sandbox.world import FEW_VIEWS
from tests.servers.made_once import made_once
from tests.worlds.growing_build import CutOff, add_to, bring_up_to_date, hashes, make_build, state_of, without_prefect

JOINED, WAITING = "Q900000006", "Q900000009"
MERGED, OLD = "Q909999999", "Q900000005"


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        without_prefect(patch)
        yield patch


@pytest.fixture(scope="module")
def finished(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "growing", make_build) / "build"


@pytest.fixture(scope="module")
def grown(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build with a batch of one who joined and one who has too few pictures."""
    folder = Path(shutil.copytree(finished, tmp_path_factory.mktemp("grown") / "build"))
    add_to(folder, JOINED, FEW_VIEWS)
    return folder


@pytest.fixture
def build(grown: Path, tmp_path: Path) -> Path:
    """A copy of the grown build, to do with as one likes."""
    return Path(shutil.copytree(grown, tmp_path / "build"))


def add_from(source: Source, build: Path, *asked: str) -> BuildReport:
    """Add people from a source of one's own, answered by an instant responder."""
    return add(build, asked, source=source, responders={"hf:sandbox": InstantResponder(build, share=0.8, batch=2)})


def edit_manifest(build: Path, stage: Stage, batch: int = 0, **cells: object) -> None:
    """Have a stage look as if it had been made otherwise."""
    path = build / stage / str(batch) / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | cells))


def of_version(build: Path, stage: Stage, version: int, batch: int = 0) -> None:
    """Have a stage look as if other code had made it."""
    edit_manifest(build, stage, batch, version=version)


@pytest.mark.parametrize("asked", [(WAITING,), (JOINED, FEW_VIEWS)])
@pytest.mark.parametrize(
    ("old", "new", "stage"),
    [
        ("[export]", "[split]\nraters = 7\nforget_share = 0.6\n[export]", "split"),
        ("limit = 8", "limit = 12", "select"),  # would take over those who were added
    ],
)
def test_adding_to_a_grown_build_whose_recipe_was_edited_is_refused_and_so_is_its_export(
    build: Path, asked: tuple[str, ...], old: str, new: str, stage: str
) -> None:
    recipe = build / "recipe.toml"
    recipe.write_text(recipe.read_text().replace(old, new))
    before = hashes(build)
    message = rf"has added people .*batch 0 anew, from the stage {stage} on; build into another --out"
    with pytest.raises(BadInput, match=message):
        add_to(build, *asked, batch=2)
    with pytest.raises(BadInput, match=message):
        bring_up_to_date(build)
    assert hashes(build) == before


@pytest.mark.parametrize("again", [(), (JOINED, FEW_VIEWS)])
def test_an_edited_recipe_is_refused_too_where_the_last_batch_was_cut_off(build: Path, again: tuple[str, ...]) -> None:
    shutil.rmtree(build / "split/1")
    recipe = build / "recipe.toml"
    recipe.write_text(recipe.read_text() + "[split]\nraters = 7\n")
    before = hashes(build)
    with pytest.raises(BadInput, match="batch 0 anew, from the stage split on"):
        add_to(build, *again) if again else bring_up_to_date(build)
    assert hashes(build) == before


def test_a_request_edited_by_hand_does_not_number_added_people_anew(build: Path) -> None:
    path = build / "batches/1.json"
    path.write_text(path.read_text().replace(JOINED, WAITING))
    with pytest.raises(BadInput, match="batch 1 anew, from the stage select on"):
        bring_up_to_date(build)


@pytest.mark.parametrize("batch", [0, 1])
def test_a_stage_of_newer_code_is_never_made_again_by_older(build: Path, batch: int) -> None:
    of_version(build, "split", 99, batch)
    before = hashes(build)
    for run in (lambda: add_to(build, WAITING, batch=2), lambda: bring_up_to_date(build)):
        with pytest.raises(BadInput, match=rf"split/{batch}: version 99 is newer than this ppubench's .*; upgrade"):
            run()
    assert hashes(build) == before


def test_a_stage_of_newer_code_is_refused_in_a_build_without_added_people_too(finished: Path, tmp_path: Path) -> None:
    build = Path(shutil.copytree(finished, tmp_path / "build"))
    of_version(build, "split", 99)
    with pytest.raises(BadInput, match="version 99 is newer"):
        bring_up_to_date(build)


def test_older_code_in_a_grown_build_is_made_anew_only_by_naming_the_stage(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hashes(build)
    monkeypatch.setitem(stage_table.VERSIONS, "split", 2)
    message = r"the stage split is of an older ppubench \(version 1, now 2\).* --from split`"
    for run in (lambda: add_to(build, WAITING, batch=2), lambda: bring_up_to_date(build)):
        with pytest.raises(BadInput, match=message):
            run()
    assert hashes(build) == before
    assert "--from split`" in state_of(build).to_do  # and not the export, which would be refused
    bring_up_to_date(build, start="split")
    assert {line.state for line in state_of(build).batches[0].stages} == {"stood"}
    assert state_of(build).to_do == ""


def test_a_grown_build_whose_export_alone_is_stale_needs_the_export(build: Path) -> None:
    edit_manifest(build, "export", 1, key="0" * 32)
    assert state_of(build).to_do == f"run `ppubench export {build}`"


def test_nobody_of_a_grown_build_is_selected_anew(build: Path) -> None:
    with pytest.raises(BadInput, match="selecting anew could number those who stand anew; build into another"):
        bring_up_to_date(build, start="select")
    assert {line.state for line in state_of(build).stages} == {"stood"}


def test_an_edited_export_of_a_grown_build_is_written_out_by_the_export_and_then_people_can_be_added(
    build: Path,
) -> None:
    recipe = build / "recipe.toml"
    recipe.write_text(recipe.read_text() + 'title = "Another"\n')
    with pytest.raises(BadInput, match=r"is not up to date \(stage export\); run `ppubench export"):
        add_to(build, WAITING, batch=2)
    bring_up_to_date(build)
    assert [one.state for one in add_to(build, WAITING, batch=2).batches[1].people] == ["joined"]


def test_somebody_left_out_earlier_is_told_at_which_gate_and_what_to_do(build: Path) -> None:
    before = hashes(build)
    message = r"was left out of batch 1 at the stage screen \(too_few_views: .*name them in the recipe of a new build"
    with pytest.raises(BadInput, match=message):
        add_to(build, FEW_VIEWS, batch=2)
    assert hashes(build) == before


class Merging:
    """The world after an item was merged into another, under whose id its statements are now found."""

    def __init__(self, world: Source, *, moved: str = OLD) -> None:
        self._world, self._moved = world, moved
        self.identity, self.files, self.people = world.identity, world.files, world.people
        self.pageviews, self.download = world.pageviews, world.download
        self.asked: list[int] = []

    def search(self, name: str) -> list[PersonMatch]:
        moved = {self._moved: MERGED}
        return [one.model_copy(update={"qid": moved.get(one.qid, one.qid)}) for one in self._world.search(name)]

    def entities(self, qids: Sequence[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        self.asked += [len(qids)] if qids else []
        found = self._world.entities([self._moved if qid == MERGED else qid for qid in qids])
        for qid, entity in zip(qids, found, strict=True):
            here = isinstance(entity, Entity) and qid in (MERGED, self._moved)
            yield entity.model_copy(update={"qid": MERGED, "requested_id": qid}) if here else entity

    def leads(self, qids: Sequence[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        return self.entities(qids)


@pytest.mark.parametrize("asked", [MERGED, OLD, "Yara Yarborough-Lund", "Y. Yarborough-Lund"])
def test_a_subject_whose_item_was_merged_into_another_since_is_not_added_again(build: Path, asked: str) -> None:
    before = hashes(build)
    with Resources(build, open_build(build).recipe) as resources:
        message = rf"Yara Yarborough-Lund \({OLD}\): is subject 001 of batch 0 already \({OLD} leads to {MERGED} now"
        with pytest.raises(BadInput, match=message):
            add_from(Merging(resources.source()), build, asked, WAITING)
    assert hashes(build) == before


def test_somebody_left_out_whose_item_was_merged_since_is_told_the_gate(build: Path) -> None:
    with Resources(build, open_build(build).recipe) as resources:
        merging = Merging(resources.source(), moved=FEW_VIEWS)
        with pytest.raises(BadInput, match=rf"left out of batch 1 at the stage screen .*{FEW_VIEWS} leads to {MERGED}"):
            add_from(merging, build, MERGED)


def test_where_those_who_stand_lead_is_asked_for_in_one_request_and_only_if_somebody_is_new(build: Path) -> None:
    with Resources(build, open_build(build).recipe) as resources:
        merging = Merging(resources.source())
        with pytest.raises(BadInput, match="nobody can be added"):
            add_from(merging, build, "Q903000001")
        assert merging.asked == [1]
        with pytest.raises(BadInput, match="leads to"):
            add_from(merging, build, MERGED)
    assert merging.asked == [1, 1, 11]  # the new one, and the ten who stand beside them


def test_a_batch_that_was_cut_off_before_anybody_was_selected_is_given_up_if_nobody_is_left(build: Path) -> None:
    class Gone(Merging):
        def entities(self, qids: Sequence[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
            if len(self.asked) > 2:
                raise KeyboardInterrupt
            yield from super().entities(qids)

    before = hashes(build)
    with Resources(build, open_build(build).recipe) as resources:
        with pytest.raises(KeyboardInterrupt):
            add_from(Gone(resources.source(), moved=""), build, WAITING)
        assert [request.asked for request in read_requests(build)] == [(JOINED, FEW_VIEWS), (WAITING,)]
    path = build / "batches/2.json"
    path.write_text(path.read_text().replace(f'"{WAITING}"', '"Q903000001"'))  # as if deleted since
    with pytest.raises(BadInput, match="nobody is left of 1"):
        add_to(build, "Q903000001", batch=2)
    assert hashes(build) == before


@pytest.mark.parametrize("after", [0, 15])
def test_a_command_that_was_cut_off_leaves_what_stands_alone(build: Path, after: int) -> None:
    before = hashes(build)
    cut = CutOff(InstantResponder(build, share=0.8, batch=2), after=after)
    with pytest.raises(KeyboardInterrupt):
        add(build, [WAITING], responders={"hf:sandbox": cut})
    found = hashes(build)
    assert {name: found[name] for name in before} == before
