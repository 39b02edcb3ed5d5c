"""Wikidata's dump as a source: extraction, killing it, bad dumps, and the same facts as from the API."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import JsonValue

from curation.facts.linked_entities import further_values, needed_values
from curation.facts.properties import load_properties
from flows.building.dump import Asked, extract, read_qids
from schemas.errors import BadInput
from schemas.protocols.source import BrokenEntity, FetchProblem, PeopleFilter, Source
from schemas.records.build_rows import Subject
from schemas.records.entities import Entity, MissingEntity
from sources.dump.entity_filter import PeopleRule, as_the_api_gives_it, may_be_kept, number_of, read_line
from sources.dump.extract import COMMIT_BYTES, read_manifest
from sources.dump.source import DumpSource
from sources.dump.store import DumpStore
from sources.http_client.client import PoliteClient, Retries
from sources.sandbox.dump import dump_lines, world_entities
from sources.sandbox.server.server import COMMONS_HOST, QUERY_HOST, WIKIDATA_HOST, serve
from sources.sandbox.world import REDIRECT, SUBJECT_SITELINKS, World, make_world
from sources.wikimedia.source import WikimediaSource
from tests.documents import ROOT
from tests.servers.forked import run_ppubench

RULE = PeopleRule(min_sitelinks=SUBJECT_SITELINKS)


@dataclass(frozen=True)
class Dumped:
    world: World
    content: bytes
    path: Path
    out: Path
    """Extracted by RULE."""


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> Dumped:
    folder = tmp_path_factory.mktemp("dump")
    world = make_world(people=8, seed=3)
    content = b"".join(dump_lines(world_entities(world)))
    path = folder / "all.json.gz"
    path.write_bytes(b"".join(gzip.compress(content[at : at + 300_000]) for at in range(0, len(content), 300_000)))
    extract(path, folder / "out", rule=RULE)
    return Dumped(world, content, path, folder / "out")


@pytest.fixture(scope="module")
def source(dumped: Dumped) -> DumpSource:
    return DumpSource(dumped.out)


@pytest.fixture(scope="module")
def api(dumped: Dumped) -> Iterator[WikimediaSource]:
    with serve(dumped.world) as running:
        yield WikimediaSource(
            PoliteClient(contact=None, routes=running.routes, retries=Retries(attempts=2, backoff_s=0.01)),
            width=330, wikidata_host=WIKIDATA_HOST, commons_host=COMMONS_HOST, query_host=QUERY_HOST,
        )  # fmt: skip


def plain(folder: Path, content: bytes, name: str = "dump.json") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def run_cli(*arguments: str | Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ if home is None else {**os.environ, "PREFECT_HOME": str(home)}
    return run_ppubench(*map(str, arguments), env=environment, cwd=ROOT)


def test_what_was_dumped_serves_as_a_source(source: DumpSource) -> None:
    accepted: Source = source
    assert accepted.identity.startswith("dump:")


def test_the_people_are_those_of_the_api_in_its_order(dumped: Dumped, source: DumpSource, api: WikimediaSource) -> None:
    # The query service does not know the extra people, whom a dump holds.
    found = source.people(limit=100, min_sitelinks=SUBJECT_SITELINKS)
    assert [qid for qid in found if qid in dumped.world.subjects] == api.people(
        limit=100, min_sitelinks=SUBJECT_SITELINKS
    )
    assert set(found) - set(dumped.world.subjects) <= set(dumped.world.roster)
    assert len(source.people(limit=3, min_sitelinks=0)) == 3


def shared(entity: Entity | MissingEntity | BrokenEntity) -> Entity | MissingEntity | BrokenEntity:
    """The entity without statements of the properties whose values are not stored."""
    if not isinstance(entity, Entity):
        return entity
    left_out = ("contact", "orientation", "physical")
    rows = load_properties().by_id.values()
    hidden = {row.id for row in rows if row.policy == "exclude" and row.sensitivity in left_out}
    statements = tuple(statement for statement in entity.statements if statement.property_id not in hidden)
    return entity.model_copy(update={"statements": statements})


def test_people_values_and_what_those_need_are_as_the_api_gives_them(
    dumped: Dumped, source: DumpSource, api: WikimediaSource
) -> None:
    table = load_properties()
    mine, theirs = list(source.entities(dumped.world.subjects)), list(api.entities(dumped.world.subjects))
    assert [*map(shared, mine)] == [*map(shared, theirs)]
    people = [entity for entity in mine if isinstance(entity, Entity)]
    counts = [len(entity.statements) for entity in theirs if isinstance(entity, Entity)]
    assert [len(person.statements) for person in people] == counts
    needed = sorted(set().union(*(needed_values(person, table) for person in people)))
    values = list(source.entities(needed))
    assert [*map(shared, values)] == [*map(shared, api.entities(needed))]
    further = sorted(further_values({value.qid: value for value in values if isinstance(value, Entity)}, table))
    assert further
    assert [*map(shared, source.entities(further))] == [*map(shared, api.entities(further))]


def test_a_merged_item_is_missing_since_a_dump_has_no_redirects(source: DumpSource) -> None:
    assert list(source.entities([REDIRECT, "P31", "nobody"])) == [
        MissingEntity(requested_id=name) for name in (REDIRECT, "P31", "nobody")
    ]


def test_a_name_finds_its_people_by_label_and_alias(dumped: Dumped, source: DumpSource) -> None:
    [person] = [entity for entity in source.entities(dumped.world.subjects[:1]) if isinstance(entity, Entity)]
    assert source.search(person.label.upper())[0].qid == person.qid
    assert person.qid in {match.qid for match in source.search(person.aliases[0]) if match.matched_alias}
    assert source.search("Nobody At All") == []


def test_contact_data_are_stored_nowhere(dumped: Dumped) -> None:
    store = DumpStore(dumped.out, writing=False)
    bodies = [stored.body for stored in store.entities(store.numbers()).values()]
    store.close()
    assert "@" in dumped.content.decode()  # The world's people have e-mail addresses.
    assert not [body for body in bodies if "@" in body]
    assert [body for body in bodies if '"P968":[{"id":' in body]


def test_every_compression_and_any_order_give_the_same_identity(
    dumped: Dumped, source: DumpSource, tmp_path: Path
) -> None:
    head, *lines, foot = dumped.content.splitlines()
    mixed = sorted((line.rstrip(b",") for line in lines), key=lambda line: line[::-1])
    path = plain(tmp_path, head + b"\n" + b",\n".join(mixed) + b"\n" + foot + b"\n")
    extract(path, tmp_path / "out", rule=RULE)
    assert DumpSource(tmp_path / "out").identity == source.identity


def test_named_people_are_kept_whatever_they_are_and_the_missing_are_listed(dumped: Dumped, tmp_path: Path) -> None:
    wanted = frozenset({dumped.world.subjects[0], "Q903000001", REDIRECT, "Q12"})
    report = extract(dumped.path, tmp_path / "out", qids=wanted)
    assert report.manifest.missing == ("Q12", REDIRECT)
    assert (report.manifest.asked, report.manifest.people) == (4, 2)
    [person, band] = DumpSource(tmp_path / "out").entities([dumped.world.subjects[0], "Q903000001"])
    assert isinstance(person, Entity)
    assert isinstance(band, Entity)
    assert DumpSource(tmp_path / "out").people(limit=9, min_sitelinks=0) == [person.qid]


def test_an_occupation_narrows_the_rule(dumped: Dumped, source: DumpSource, tmp_path: Path) -> None:
    people = [
        entity for entity in source.entities(source.people(limit=99, min_sitelinks=0)) if isinstance(entity, Entity)
    ]
    work = people[0].items("P106")[0]
    extract(dumped.path, tmp_path / "out", rule=PeopleRule(min_sitelinks=SUBJECT_SITELINKS, occupations=(work,)))
    assert DumpSource(tmp_path / "out").people(limit=99, min_sitelinks=0) == [
        person.qid for person in people if work in person.items("P106")
    ]


def test_people_can_be_chosen_by_what_they_do_and_where(dumped: Dumped, source: DumpSource) -> None:
    [person] = [entity for entity in source.entities(dumped.world.subjects[:1]) if isinstance(entity, Entity)]
    wanted = PeopleFilter(occupations=person.items("P106")[:1], countries=person.items("P27"))
    found = source.people(limit=99, min_sitelinks=0, wanted=wanted)
    assert person.qid in found
    assert set(found) < set(source.people(limit=99, min_sitelinks=0))


def test_a_dump_has_no_pageviews(source: DumpSource) -> None:
    with pytest.raises(BadInput, match="a dump holds no pageviews"):
        source.pageviews("Anybody", year=2025)


def test_a_broken_line_is_counted_and_the_rest_is_done(dumped: Dumped, source: DumpSource, tmp_path: Path) -> None:
    qid = dumped.world.subjects[0]
    lines = dumped.content.splitlines()
    at = next(number for number, line in enumerate(lines) if f'"id":"{qid}"'.encode() in line[:40])
    lines[at] = lines[at].replace(b'"claims":{', b'"claims":{{', 1)
    lines.insert(5, b'{"type":"item","id":"Q77","labels":{"en":{"lang')
    report = extract(plain(tmp_path, b"\n".join(lines)), tmp_path / "out", rule=RULE)
    assert report.manifest.bad_lines == 2
    assert "is no JSON object" in report.bad_lines[0]
    assert "at byte" in report.bad_lines[1]
    broken = DumpSource(tmp_path / "out")
    found = broken.people(limit=99, min_sitelinks=20)
    assert found[-1] == qid  # It shows in the selection's drops.
    assert set(found) | {qid} == set(source.people(limit=99, min_sitelinks=20)) | {qid}
    [entity] = broken.entities([qid])
    assert isinstance(entity, BrokenEntity)
    assert "Expecting property name" in entity.problem


def test_a_cut_dump_stops_and_goes_on_when_it_is_whole(dumped: Dumped, source: DumpSource, tmp_path: Path) -> None:
    whole = dumped.path.read_bytes()
    path = plain(tmp_path, whole[: len(whole) * 2 // 3], "all.json.gz")
    with pytest.raises(BadInput, match="ends in the middle of a line, after .* bytes of JSON; complete the download"):
        extract(path, tmp_path / "out", rule=RULE)
    with pytest.raises(BadInput, match="unfinished extraction"):
        DumpSource(tmp_path / "out")
    path.write_bytes(whole)
    report = extract(path, tmp_path / "out", rule=RULE)
    assert DumpSource(tmp_path / "out").identity == source.identity
    assert (report.manifest.lines, report.manifest.bad_lines) == (dumped.content.count(b"\n") - 2, 0)


def test_a_cut_dump_is_taken_as_it_is_on_demand(dumped: Dumped, tmp_path: Path) -> None:
    path = plain(tmp_path, dumped.content[: len(dumped.content) // 2])
    report = extract(path, tmp_path / "out", rule=RULE, allow_cut=True)
    assert report.manifest.cut
    assert report.manifest.bad_lines == 1
    assert "ends in the middle of the line" in report.bad_lines[0]
    assert report.manifest.bytes <= len(dumped.content) // 2


KILLED = """
import sys
from pathlib import Path
from flows.building.dump import extract
from sources.dump.entity_filter import PeopleRule
def slow(stage, done, total):
    print(stage, flush=True)
    sys.stdin.readline()  # until it is told to go on, or killed
import sources.dump.streams, sources.dump.blocks
sources.dump.streams.BLOCK_BYTES = 200_000
extract(Path(sys.argv[1]), Path(sys.argv[2]), rule=PeopleRule(min_sitelinks=12), progress=slow, commit_bytes=150_000)
"""


@pytest.mark.parametrize("steps", [3, 9])
def test_a_killed_extraction_goes_on_and_ends_the_same(
    dumped: Dumped, source: DumpSource, tmp_path: Path, steps: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(dumped.path), str(tmp_path / "out")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline()
        for _ in range(steps - 1):
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert read_manifest(tmp_path / "out") is None
    seen: list[tuple[str, int]] = []
    report = extract(
        dumped.path, tmp_path / "out", rule=RULE, progress=lambda stage, done, total: seen.append((stage, done))
    )
    assert DumpSource(tmp_path / "out").identity == source.identity
    assert report.manifest.lines == dumped.content.count(b"\n") - 2
    assert extract(dumped.path, tmp_path / "out", rule=RULE).done_before


def test_going_on_reads_from_the_last_member_and_not_from_the_start(dumped: Dumped, tmp_path: Path) -> None:
    whole = dumped.path.read_bytes()
    path = plain(tmp_path, whole[: len(whole) * 2 // 3], "all.json.gz")
    with pytest.raises(BadInput):
        extract(path, tmp_path / "out", rule=RULE)
    store = DumpStore(tmp_path / "out", writing=False)
    state = json.loads(store.state("progress") or "{}")
    store.close()
    assert state["position"] > len(whole) // 3


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is empty"),
        (b"<html><title>404</title>", "is no entity dump"),
        (b'[{"id":"Q1"},{"id":"Q2"}]', "one entity a line"),
        (b"PK\x03\x04zip", "is compressed with zip"),
        (gzip.compress(b""), "holds nothing"),
        (b'[\n{"type":"item","id":"Q1"}\n]\n', "holds none of the people asked for"),
    ],
    ids=["empty", "html", "one line", "zip", "gzip of nothing", "nobody"],
)
def test_what_is_no_dump_is_refused_with_one_line(tmp_path: Path, content: bytes, found: str) -> None:
    done = run_cli("dump", plain(tmp_path, content), "--out", tmp_path / "out", "--humans")
    assert done.returncode == 2
    assert found in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("ppubench: ")
    assert read_manifest(tmp_path / "out") is None


def test_the_command_says_what_it_kept_and_where(dumped: Dumped, tmp_path: Path) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text(f"qid,name\n{dumped.world.subjects[0]},somebody\nQ12,  # missing\n,Ada Lovelace\n")
    done = run_cli("dump", dumped.path, "--out", tmp_path / "out", "--qids", roster)
    assert done.returncode == 0, done.stderr
    assert "kept      1 people" in done.stdout
    assert "missing   1 of 2 QIDs (Q12)" in done.stdout
    assert "left out  1 people without a QID on the list (Ada Lovelace)" in done.stdout
    assert "1 people (Ada Lovelace first) have no QID there" in done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"folder    {tmp_path / 'out'}")
    again = json.loads(run_cli("dump", dumped.path, "--out", tmp_path / "out", "--qids", roster, "--json").stdout)
    assert again["done_before"] is True
    assert again["without_qid"] == ["Ada Lovelace"]


def test_a_folder_of_another_extraction_is_refused(dumped: Dumped, tmp_path: Path) -> None:
    shutil.copytree(dumped.out, tmp_path / "out")
    for rule in (PeopleRule(min_sitelinks=1), PeopleRule(min_sitelinks=2)):
        with pytest.raises(BadInput, match="holds something else"):
            extract(dumped.path, tmp_path / "out", rule=rule)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Q1\nQ0\n", "line 2: 'Q0' is no QID"),
        ("# none\n", "names nobody"),
        ("name\nAda\n", "names nobody by QID"),
        (f"qid\nQ{'9' * 25}\n", "line 2: 'Q9*' is no QID"),
        ("Q1\n,Ada\n", "line 2: '' is no QID"),
    ],
)
def test_a_list_with_what_is_no_qid_or_none_at_all_is_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "roster.txt").write_text(text)
    with pytest.raises(BadInput, match=found):
        read_qids(tmp_path / "roster.txt")


@pytest.mark.parametrize(
    "text",
    [
        "Q42\nQ7259  # Ada\n",
        "name,qid\nDouglas Adams,Q42\nAda Lovelace,Q7259\n",
        'subject_id,name,qid,complete_rank\n001,"Adams, Douglas",Q42,3\n002,,Q7259,\n',
        "QID\nQ42\nQ7259\n",
        "\n# people\nQid;name\nQ42;Douglas\nQ7259;Ada\n",
        "qid,name,born\nQ42,Douglas,1952\nQ7259,Ada,1815\n",
        '"Q42","Adams, Douglas"\n"Q7259","Ada"\n',
        "\ufeffitem itemLabel\nQ42 Douglas\nQ7259 Ada\n",
    ],
)
def test_people_are_read_from_a_roster_and_from_a_list_of_qids(tmp_path: Path, text: str) -> None:
    (tmp_path / "people.csv").write_text(text, "utf-8")
    assert read_qids(tmp_path / "people.csv") == Asked(qids=frozenset({"Q42", "Q7259"}))


def test_the_roster_of_the_guide_is_read_and_whom_it_names_without_qid_is_said(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "adding-subjects.md").read_text("utf-8")
    (tmp_path / "people.csv").write_text(guide.partition("```csv\n")[2].partition("```")[0], "utf-8")
    assert read_qids(tmp_path / "people.csv") == Asked(qids=frozenset({"Q7259"}), without_qid=("Marie Curie",))


class Killed(BaseException):
    """Stands for a kill in the second round."""


def kill_in_the_second_round(stage: str, done: int, total: int) -> None:
    if stage.startswith("values"):
        raise Killed


def taken_cut_and_killed(dumped: Dumped, folder: Path) -> Path:
    """The dump's first half, whose extraction with --allow-cut was killed in its second round."""
    path = plain(folder, dumped.content[: len(dumped.content) // 2])
    with pytest.raises(Killed):
        extract(path, folder / "out", rule=RULE, allow_cut=True, progress=kill_in_the_second_round)
    return path


@pytest.mark.parametrize("allow_cut", [False, True])
def test_a_dump_that_was_completed_after_allow_cut_is_read_again(
    dumped: Dumped, source: DumpSource, tmp_path: Path, allow_cut: bool
) -> None:
    path = taken_cut_and_killed(dumped, tmp_path)
    path.write_bytes(dumped.content)
    report = extract(path, tmp_path / "out", rule=RULE, allow_cut=allow_cut)
    assert (report.manifest.cut, report.manifest.bad_lines) == (False, 0)
    assert report.manifest.bytes == len(dumped.content)
    assert DumpSource(tmp_path / "out").identity == source.identity


def test_a_dump_that_is_still_cut_is_refused_without_allow_cut(dumped: Dumped, tmp_path: Path) -> None:
    path = taken_cut_and_killed(dumped, tmp_path)
    with pytest.raises(BadInput, match="was begun with --allow-cut; complete the download"):
        extract(path, tmp_path / "out", rule=RULE)
    assert extract(path, tmp_path / "out", rule=RULE, allow_cut=True).manifest.cut


def test_a_dump_that_grows_while_it_is_read_is_not_done_afterwards(dumped: Dumped, tmp_path: Path) -> None:
    path = plain(tmp_path, dumped.content[: len(dumped.content) // 2])

    def grow(stage: str, done: int, total: int) -> None:
        if stage.startswith("values"):
            path.write_bytes(dumped.content)

    report = extract(path, tmp_path / "out", rule=RULE, allow_cut=True, progress=grow)
    assert report.manifest.dump_bytes == len(dumped.content) // 2
    with pytest.raises(BadInput, match="holds something else"):
        extract(path, tmp_path / "out", rule=RULE)


ODD_IDS = ("Q" + "9" * 25, "Q12-x", "Quux", "Q0", "Q\u0663")


@pytest.mark.parametrize("odd", ODD_IDS)
def test_a_statement_about_an_odd_item_does_not_stop_the_extraction(tmp_path: Path, odd: str) -> None:
    claims = [statement("P31", "Q5"), statement("P19", odd), statement("P106", odd), statement("P27", "Q30")]
    content = b"[\n" + line("item", "Q1", *claims) + b",\n" + line("item", "Q30", statement("P17", odd)) + b"\n]\n"
    report = extract(plain(tmp_path, content), tmp_path / "out", rule=PeopleRule())
    assert (report.manifest.people, report.manifest.values, report.manifest.bad_lines) == (1, 1, 0)
    [person] = DumpSource(tmp_path / "out").entities(["Q1"])
    assert isinstance(person, Entity)
    assert [each.value for each in person.of("P19")] == [None]  # The facts say that it is of the wrong type.


@pytest.mark.parametrize("odd", ODD_IDS)
def test_a_person_with_an_odd_id_is_a_bad_line(tmp_path: Path, odd: str) -> None:
    people = [line("item", qid, statement("P31", "Q5")) for qid in ("Q1", odd)]
    report = extract(plain(tmp_path, b"[\n" + b",\n".join(people) + b"\n]\n"), tmp_path / "out", rule=PeopleRule())
    assert (report.manifest.people, report.manifest.bad_lines) == (1, 1)
    assert "is no item" in report.bad_lines[0]
    assert DumpSource(tmp_path / "out").people(limit=9, min_sitelinks=0) == ["Q1"]


@pytest.mark.slow
def test_a_build_from_the_dump_has_the_facts_of_a_build_from_the_api(
    home: Path, dumped: Dumped, tmp_path: Path
) -> None:
    people = ", ".join(f'"{qid}"' for qid in dumped.world.subjects)
    sections = f'[select]\nsubjects = [{people}]\n[facts]\ngated = "open"\n[screen]\nmin_views = 0\n'
    sections += '[probe]\nresponder = "openai:http://127.0.0.1:9/v1#none"\n'
    recipes = {
        "dump": f'[source]\nkind = "dump"\nfolder = "{dumped.out}"\n',
        "api": '[source]\nkind = "sandbox"\npeople = 8\nseed = 3\n',
    }
    for name, text in recipes.items():
        (tmp_path / f"{name}.toml").write_text(f'name = "{name}"\n{text}{sections}')
        until = "questions" if name == "dump" else "facts"
        words = ("build", tmp_path / f"{name}.toml", "--out", tmp_path / name, "--until", until)
        done = run_cli(*words, home=home)
        assert done.returncode == 0, done.stderr
    facts = [sorted((tmp_path / name / "facts").rglob("*.parquet")) for name in recipes]
    assert [path.name for path in facts[0]] == [path.name for path in facts[1]]
    for mine, theirs in zip(*facts, strict=True):
        assert mine.read_bytes() == theirs.read_bytes()
    assert list((tmp_path / "dump" / "questions").rglob("questions*.parquet"))


def test_pictures_come_from_another_source_or_not_at_all(
    dumped: Dumped, source: DumpSource, api: WikimediaSource
) -> None:
    with_pictures = DumpSource(dumped.out, pictures=api)
    subject = Subject.model_construct(
        subject_id="001", qid=dumped.world.subjects[0], portrait_titles=("A.jpg",), commons_category=None
    )
    files, _ = with_pictures.files(subject, limit=3)
    assert files
    assert with_pictures.download(files[0])
    assert with_pictures.identity != source.identity
    assert source.files(subject, limit=3) == ([], ["A.jpg"])
    with pytest.raises(FetchProblem, match="a dump holds no pictures"):
        source.download(files[0])


def test_a_recipe_that_names_the_dump_itself_is_told_to_extract_it(dumped: Dumped, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="extract the dump first"):
        DumpSource(dumped.path)
    with pytest.raises(BadInput, match="is no folder"):
        DumpSource(tmp_path / "nothing")


def statement(property_id: str, qid: str) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {"type": "wikibase-entityid", "value": {"entity-type": "item", "id": qid}}
    return {
        "id": f"Q1${property_id}",
        "rank": "normal",
        "mainsnak": {"snaktype": "value", "property": property_id, "datavalue": value, "hash": "0"},
        "references": [{"snaks": {"P143": [], "P248": [{"snaktype": "value", "property": "P248", "hash": "1"}]}}],
    }


def line(kind: str, entity_id: str, *claims: dict[str, JsonValue]) -> bytes:
    groups = {str(claim["id"]).partition("$")[2]: [claim] for claim in claims}
    return json.dumps({"type": kind, "id": entity_id, "labels": {}, "claims": groups}).encode()


def test_a_property_that_names_humans_is_no_person() -> None:
    content = line("property", "P31", statement("P1855", "Q5"))
    assert may_be_kept(content, PeopleRule())
    assert read_line(content, frozenset(), PeopleRule()) is None
    assert number_of(content) == -1


def test_a_deprecated_human_is_none() -> None:
    claim = statement("P31", "Q5") | {"rank": "deprecated"}
    assert read_line(line("item", "Q1", claim), frozenset(), PeopleRule()) is None


def test_only_the_languages_that_the_api_is_asked_for_are_kept() -> None:
    words = {code: {"language": code, "value": code} for code in ("de", "en-gb", "mul")}
    body = as_the_api_gives_it({"id": "Q1", "labels": words, "descriptions": [], "aliases": {}}, frozenset())
    assert body["labels"] == {code: {"language": code, "value": code} for code in ("mul", "en-gb")}
    assert body["descriptions"] == {}


def test_references_keep_their_number_and_their_named_sources() -> None:
    body = as_the_api_gives_it(json.loads(line("item", "Q1", statement("P31", "Q5"))), frozenset())
    found = body["claims"]
    assert isinstance(found, dict)
    assert found["P31"][0]["references"] == [{"snaks": {"P248": [{"snaktype": "value", "property": "P248"}]}}]


def test_the_default_commit_is_seconds_of_work() -> None:
    assert 2**20 <= COMMIT_BYTES <= 2**26
