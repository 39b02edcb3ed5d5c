"""Sources and responders that fail half-way: nothing is written down as a fact that was only an outage."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from benchmarks.instant import InstantResponder
from flows.building.preflight import check_recipe
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import run_stage
from flows.resources.resources import Resources
from flows.stages.stage_table import stage_table
from schemas.errors import BadInput, TableProblem, Unfinished
from schemas.protocols.responder import Ask, Decoding, Reply
from schemas.protocols.source import (
    EVERYBODY,
    BrokenEntity,
    CommonsFile,
    FetchProblem,
    PeopleFilter,
    PersonMatch,
    Source,
)
from schemas.recipes.build_recipe import BuildRecipe
from schemas.records.build_rows import Drop, Subject
from schemas.records.entities import Entity, MissingEntity
from schemas.storage.artifacts import Manifest, read_manifest
from schemas.storage.tables import read_records
from schemas.vocabulary import STAGES, Stage

SPEC = "openai:http://127.0.0.1:9/v1#oracle"
BASE = {
    "name": "outage",
    "source": {"kind": "sandbox", "people": 6},
    "select": {"min_sitelinks": 10},
    "facts": {"gated": "open"},
    "probe": {"responder": SPEC},
}


def recipe(**sections: object) -> BuildRecipe:
    return BuildRecipe.model_validate({**BASE, **sections})


def run(resources: Resources, until: Stage, start: Stage = "select") -> Manifest:
    build, table = BuildFolder(resources.folder, resources.recipe), stage_table(resources)
    for stage in STAGES[STAGES.index(start) : STAGES.index(until) + 1]:
        manifest = run_stage(build, table[stage], table)
    return manifest


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of six people up to its questions."""
    folder = tmp_path_factory.mktemp("outage") / "build"
    with Resources(folder, recipe()) as resources:
        run(resources, "questions")
    return folder


@pytest.fixture
def build(asked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(asked, tmp_path / "build"))


class Failing:
    """An instant responder that gives errors from some ask on, and counts what it is asked."""

    identity = "instant"

    def __init__(self, build: Path, *, good: int) -> None:
        self._inner, self._good, self.asked = InstantResponder(build, share=0.8), good, 0

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        for ask in asks:
            self.asked += 1
            if self.asked > self._good:
                yield Reply(ask_id=ask.ask_id, text="", error="HTTP 400: no")
            else:
                yield from self._inner.answer([ask], decoding)


def probe(build: Path, responder: Failing | InstantResponder, **sections: object) -> Manifest:
    with Resources(build, recipe(**sections), responders={SPEC: responder}) as resources:
        return run(resources, "probe", start="probe")


def test_a_probe_whose_asks_fail_stays_unfinished_and_says_why(build: Path) -> None:
    with pytest.raises(Unfinished, match="asks all failed \\(HTTP 400: no\\)"):
        probe(build, Failing(build, good=50))
    assert read_manifest(build / "probe" / "0") is None


def test_a_probe_that_goes_on_asks_only_what_lacks_an_answer(build: Path) -> None:
    whole = Failing(build, good=10**9)
    first = probe(build, whole)
    shutil.rmtree(build / "probe")
    shutil.rmtree(build / "answers")
    with pytest.raises(Unfinished):
        probe(build, Failing(build, good=100))
    rest = Failing(build, good=10**9)
    assert probe(build, rest) == first
    assert rest.asked == whole.asked - 100


def test_another_judging_rule_asks_nothing_again(build: Path) -> None:
    probe(build, Failing(build, good=10**9))
    again = Failing(build, good=0)
    manifest = probe(build, again, probe={"responder": SPEC, "agree": 2})
    assert again.asked == 0
    assert manifest.rows_out["knowledge"] > 0


def test_a_stated_share_of_failed_asks_is_tolerated_and_recorded(build: Path) -> None:
    total = Failing(build, good=10**9)
    probe(build, total)
    shutil.rmtree(build / "probe")
    shutil.rmtree(build / "answers")
    tolerant = {"responder": SPEC, "tolerated_errors": 0.01}
    manifest = probe(build, Failing(build, good=total.asked - 3), probe=tolerant)
    assert manifest.rows_out["evidence"] > 0


def test_the_key_and_manifest_of_a_probe_hold_no_address(build: Path) -> None:
    probe(build, Failing(build, good=10**9))
    text = (build / "probe" / "0" / "manifest.json").read_text()
    assert "127.0.0.1:9" not in text
    assert "openai:127.0.0.1#oracle" in text


def test_shards_of_one_person_take_strangers_from_other_shards(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    small = recipe(shard=1, source={"kind": "sandbox", "people": 4})
    responder = InstantResponder(folder, share=0.8)
    with Resources(folder, small, responders={SPEC: responder}) as resources:
        manifest = run(resources, "probe")
    assert manifest.rows_out["knowledge"] > 100


class Wrapped:
    """A source that answers some requests otherwise."""

    def __init__(
        self, inner: Source, answers: Mapping[str, MissingEntity | BrokenEntity], *, cut: bool = False
    ) -> None:
        self._inner, self._answers, self._cut = inner, answers, cut

    @property
    def identity(self) -> str:
        return self._inner.identity

    def entities(self, qids: Iterable[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        for found in self._inner.entities(list(qids)):
            yield self._answers.get(found.requested_id, found)

    def leads(self, qids: Iterable[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        return self.entities(qids)

    def search(self, name: str) -> list[PersonMatch]:
        return self._inner.search(name)

    def people(self, *, limit: int, min_sitelinks: int, wanted: PeopleFilter = EVERYBODY) -> list[str]:
        return self._inner.people(limit=limit, min_sitelinks=min_sitelinks, wanted=wanted)

    def pageviews(self, title: str, *, year: int) -> int:
        return self._inner.pageviews(title, year=year)

    def files(self, subject: Subject, *, limit: int) -> tuple[list[CommonsFile], list[str]]:
        return self._inner.files(subject, limit=limit)

    def download(self, file: CommonsFile) -> bytes:
        if self._cut:
            raise FetchProblem(file.source_url, "cut off")
        return self._inner.download(file)


def drops(build: Path, stage: str) -> list[Drop]:
    return [row for path in sorted((build / stage / "0").glob("drops-*")) for row in read_records(path, Drop)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (MissingEntity(requested_id="Q1"), "entity_missing"),
        (BrokenEntity(requested_id="Q1", problem="not JSON"), "malformed_entity"),
    ],
)
def test_a_subject_that_is_gone_at_the_second_fetch_is_a_drop(
    tmp_path: Path, answer: MissingEntity | BrokenEntity, reason: str
) -> None:
    with Resources(tmp_path / "b", recipe()) as resources:
        run(resources, "select")
        qid = resources.world().subjects[0]
        wrapped = Wrapped(resources.source(), {qid: answer.model_copy(update={"requested_id": qid})})
        with Resources(tmp_path / "b", recipe(), source=wrapped) as broken:
            run(broken, "facts")
    assert [(row.item, row.reason) for row in drops(tmp_path / "b", "facts") if row.reason == reason] == [(qid, reason)]


def test_an_outage_of_the_entities_leaves_the_selection_unfinished(tmp_path: Path) -> None:
    with Resources(tmp_path / "b", recipe()) as resources:
        broken = {qid: BrokenEntity(requested_id=qid, problem="not JSON") for qid in resources.world().subjects}
        with (
            Resources(tmp_path / "b", recipe(), source=Wrapped(resources.source(), broken)) as out,
            pytest.raises(Unfinished, match="6 of 6 entities could not be read"),
        ):
            run(out, "select")
    assert read_manifest(tmp_path / "b" / "select" / "0") is None


def test_an_outage_of_the_pictures_leaves_the_stage_unfinished(tmp_path: Path) -> None:
    with (
        Resources(tmp_path / "b", recipe()) as resources,
        Resources(tmp_path / "b", recipe(), source=Wrapped(resources.source(), {}, cut=True)) as out,
    ):
        run(out, "facts")
        with pytest.raises(Unfinished, match="pictures could not be fetched"):
            run(out, "images", start="images")


def test_a_selection_of_nobody_is_refused(tmp_path: Path) -> None:
    nobody = recipe(select={"subjects": ["Nobody Atall", "Q99"]})
    with (
        Resources(tmp_path / "b", nobody) as resources,
        pytest.raises(BadInput, match="nobody is left of 1 asked for"),
    ):
        run(resources, "select")


def test_an_input_with_other_bytes_than_its_manifest_names_is_refused(build: Path) -> None:
    path = build / "facts" / "0" / "facts-00000.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    shutil.rmtree(build / "questions")
    with Resources(build, recipe()) as resources, pytest.raises((BadInput, TableProblem), match="facts-00000.parquet"):
        run(resources, "questions", start="questions")


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"facts": {"exclude": ["P9999999"]}}, "'P9999999' is not a property that is asked"),
        ({"facts": {"exclude": ["height"]}}, "'height' is not a property"),
        ({"split": {"rater": "bulit-in"}}, r"\[split\] rater: 'bulit-in' is not a responder"),
        ({"attack": {"author": "template"}}, r"\[attack\] author: 'template' is not a responder"),
        ({"probe": {"responder": "llama"}}, r"\[probe\] responder: 'llama' is not a responder"),
        ({"probe": {"responder": "hf:/no/such/folder"}}, "/no/such/folder: no such folder"),
        (
            {"probe": {"responder": "hf:sandbox"}, "source": {"kind": "recorded", "folder": "x"}},
            "knows only the embedded world",
        ),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused_before_anything_is_done(
    sections: dict[str, object], line: str
) -> None:
    with pytest.raises(BadInput, match=line):
        check_recipe(recipe(**sections))


def test_properties_and_qualifier_questions_may_be_excluded() -> None:
    check_recipe(recipe(facts={"exclude": ["P2048", "P39/P580"]}))


@pytest.mark.parametrize(
    "sections", [{"questions": {"paraphrases": 1}}, {"split": {"ratios": []}}, {"probe": {"tolerated_errors": 2}}]
)
def test_numbers_that_contradict_each_other_are_refused(sections: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        recipe(**sections)
