"""A build from "live" Wikidata and Commons, whose hosts are routed to the embedded world: storm, cache, roster."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fault_storm import RATES, STORM, broken_limits
from benchmarks.world_server import Seen
from curation.subjects.roster import Resolution
from flows.building.build import build
from flows.building.preflight import check_recipe, estimate
from flows.building.status import report_of
from flows.commands.printing import print_build
from flows.pipeline.batches import batches_of
from flows.pipeline.stage import run_stage
from flows.resources.resources import Resources
from flows.stages.roster_names import RESOLVE, ROSTER
from flows.stages.stage_table import stage_table
from schemas.errors import BadInput, Unfinished
from schemas.recipes.build_recipe import BuildRecipe, read_build_recipe
from schemas.recipes.source_recipe import WikimediaEndpoints
from schemas.records.build_rows import Drop, Subject, SubjectRank
from schemas.storage.artifacts import Manifest
from schemas.storage.tables import file_sha256, read_records
from schemas.vocabulary import STAGES, Service, Stage
from sources.http_client.rate_limits import LIMITS
from sources.sandbox.server.server import Faults, RunningServer, serve
from sources.sandbox.world import BAND, DELETED, NAMESAKE, NO_LABEL, NO_STATEMENTS, REDIRECT, World, make_world
from tests.documents import ROOT
from tests.servers.live_hosts import live_routes
from tests.servers.waiting import patient

SERVICES: tuple[Service, ...] = ("action", "query", "media")
FIRST, SECOND = "Q900000001", "Q900000002"


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=8, seed=7)


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[RunningServer]:
    with serve(world) as found:
        yield found


@pytest.fixture
def recipe(running: RunningServer) -> Callable[..., BuildRecipe]:
    def made(*, source: dict[str, object] | None = None, **sections: object) -> BuildRecipe:
        content = {
            "name": "live",
            "source": {
                "kind": "wikidata",
                "contact": "tests@ppubench.example",
                "routes": live_routes(running),
                **(source or {}),
            },
            "images": {"width": 120},
            "probe": {"responder": "openai:http://127.0.0.1:9/v1#none"},
        }
        return BuildRecipe.model_validate({**content, **sections})

    return made


def run(folder: Path, recipe: BuildRecipe, until: Stage = "select", *, offline: bool = False) -> int:
    """Requests that the build took."""
    from flows.pipeline.build_folder import BuildFolder

    with Resources(folder, recipe, offline=offline) as resources:
        build, table = BuildFolder(folder, recipe), stage_table(resources)
        for stage in STAGES[: STAGES.index(until) + 1]:
            manifest: Manifest = run_stage(build, table[stage], table)
            assert manifest.stage == stage
        return resources.requests_sent()


def subjects(folder: Path) -> list[Subject]:
    paths = sorted((folder / "select" / "0").glob("subjects-*.parquet"))
    return [row for path in paths for row in read_records(path, Subject)]


def drops(folder: Path) -> dict[str, str]:
    """Reason by item."""
    return {
        row.item: row.reason for row in read_records(folder / "select" / "0" / "drops-subjects-00000.parquet", Drop)
    }


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "timing.txt")
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(files)}


def seen(running: RunningServer) -> dict[Service, Seen]:
    traffic = running.traffic
    return {
        service: Seen(
            requests=traffic.count(service),
            most_at_once=traffic.most_at_once(service),
            most_in_a_minute=traffic.most_within(service, 60.0),
            too_early=traffic.too_early(service),
        )
        for service in SERVICES
    }


LIMITED = {
    service: {"connections": LIMITS[service].connections}
    | ({"per_minute": RATES[service], "burst": 10} if service in RATES else {})
    for service in SERVICES
}


@pytest.mark.slow
def test_a_build_through_the_storm_has_the_bytes_of_the_calm_one_and_breaks_no_limit(
    running: RunningServer, recipe: Callable[..., BuildRecipe], tmp_path: Path
) -> None:
    def stormy(cache: str) -> BuildRecipe:
        source = {"cache": str(tmp_path / cache), "timeout_s": patient(1.0), "limits": LIMITED}
        return recipe(source=source, select={"min_sitelinks": 10, "limit": 4})

    run(tmp_path / "calm", stormy("calm-cache"), "screen")
    running.set_faults(replace(STORM, slow_s=600.0))
    running.traffic.forget()
    sent = run(tmp_path / "storm", stormy("storm-cache"), "screen")
    counted = seen(running)
    running.set_faults(Faults())
    assert digests(tmp_path / "storm") == digests(tmp_path / "calm")
    assert broken_limits(counted) == []
    assert sent == sum(counts.requests for counts in counted.values())
    assert counted["media"].most_at_once == 2
    before = len(running.requests)
    assert run(tmp_path / "offline", stormy("storm-cache"), "screen", offline=True) == 0
    assert len(running.requests) == before
    assert digests(tmp_path / "offline") == digests(tmp_path / "calm")


def test_an_offline_build_without_a_cache_is_unfinished_and_asks_nobody(
    running: RunningServer, recipe: Callable[..., BuildRecipe], tmp_path: Path
) -> None:
    before = len(running.requests)
    with pytest.raises(Unfinished, match="run it once without --offline"):
        run(tmp_path / "b", recipe(source={"cache": str(tmp_path / "cache")}), offline=True)
    assert len(running.requests) == before


def test_a_build_takes_no_more_requests_than_were_stated_before(
    recipe: Callable[..., BuildRecipe], tmp_path: Path
) -> None:
    made = recipe(select={"min_sitelinks": 10, "limit": 4}, images={"width": 120, "candidates": 8})
    assert isinstance(made.source, WikimediaEndpoints)
    stated = sum(estimate(made, made.source, named=0).requests.values())
    assert stated / 3 < run(tmp_path / "b", made, "images") <= stated


def test_the_estimate_for_the_published_500_names_requests_and_time() -> None:
    made = BuildRecipe.model_validate(
        {"name": "x", "source": {"kind": "wikidata", "contact": "a@b.example"}, "probe": {"responder": "hf:m"}}
    )
    assert isinstance(made.source, WikimediaEndpoints)
    found = estimate(made, made.source, named=500)
    # 500 searches, 1,500 listings, (500 + 2,500 + 46,000) / 50 batches of entities; 24 pictures each.
    assert found.requests == {"action": 500 + 1500 + 980, "query": 0, "pageviews": 0, "media": 12_000}
    assert found.said() == (
        "at most 14,980 requests (2,980 to action, 12,000 to media); at the services' limits about 30 min"
    )


def test_a_stand_in_is_another_source_than_the_real_one(recipe: Callable[..., BuildRecipe], tmp_path: Path) -> None:
    with Resources(tmp_path, recipe()) as resources:
        assert resources.source_identity() == "wikidata:www.wikidata.org at 127.0.0.1"


def test_the_published_recipe_asks_for_a_contact_before_anything_else() -> None:
    made = read_build_recipe(ROOT / "flows" / "recipes" / "ppu500.toml")
    with pytest.raises(BadInput, match=r"source.contact: 'SET-ME' is no way to reach whoever runs the build"):
        check_recipe(made)


def test_a_bad_roster_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    text = 'name = "x"\n[source]\nkind = "sandbox"\n[select]\nroster = "people.csv"\n'
    (tmp_path / "x.toml").write_text(text)
    (tmp_path / "people.csv").write_text("name,qid\nAnn,42\n")
    with pytest.raises(BadInput, match=r"people.csv, line 2: '42' is no QID"):
        build(tmp_path / "x.toml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_roster_keeps_ids_names_and_ranks_and_numbers_the_others_on(
    recipe: Callable[..., BuildRecipe], world: World, tmp_path: Path
) -> None:
    third = world.roster["Q900000006"].name
    (tmp_path / ROSTER).write_text(
        f"subject_id,name,qid,complete_rank\n,{third},,\n070,Asta Thorn,{FIRST},2\n009,Luc D’Arvel,,1\n"
    )
    run(tmp_path, recipe(select={"roster": "any.csv"}))
    found = [(one.subject_id, one.qid, one.name, one.complete_rank) for one in subjects(tmp_path)]
    assert found == [
        ("009", SECOND, "Luc D’Arvel", 1),
        ("070", FIRST, "Asta Thorn", 2),
        ("071", "Q900000006", third, None),
    ]
    assert "Ásta Þórn" in subjects(tmp_path)[1].aliases
    meant = {
        row.asked: row for row in read_records(tmp_path / "select" / "0" / "resolutions-00000.parquet", Resolution)
    }
    assert meant["Luc D’Arvel"].qid == SECOND
    assert "by label: Q900000002 Luc D'Arvel" in meant["Luc D’Arvel"].note


def test_doubtful_names_stop_the_build_until_the_maintainer_has_decided(
    recipe: Callable[..., BuildRecipe], world: World, tmp_path: Path
) -> None:
    name = world.roster[NAMESAKE].name  # two people of that name, 40 and 27 sitelinks
    (tmp_path / ROSTER).write_text(f"name\n{name}\nNobody Atall\nLuc D'Arvel\n")
    made = recipe(select={"roster": "any.csv", "doubtful": "stop"})
    with pytest.raises(BadInput, match=r"resolve.csv: 2 of 3 names are doubtful; fill in its column qid"):
        run(tmp_path, made)
    text = (tmp_path / RESOLVE).read_text()
    assert "Q902000004" in text
    assert "Q900000004" in text
    (tmp_path / RESOLVE).write_text(
        text.replace(f"{name},,", f"{name},Q900000004,").replace("Nobody Atall,,", "Nobody Atall,-,")
    )
    run(tmp_path, made)
    assert [one.qid for one in subjects(tmp_path)] == ["Q900000004", SECOND]
    assert drops(tmp_path) == {"Nobody Atall": "left_to_maintainer"}


def test_merged_deleted_and_non_human_subjects_and_repeated_lines_are_accounted_for(
    recipe: Callable[..., BuildRecipe], world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = world.redirects[REDIRECT]
    (tmp_path / ROSTER).write_text("\n".join([REDIRECT, DELETED, BAND, "", target, FIRST, FIRST, NO_LABEL]) + "\n")
    run(tmp_path, recipe(select={"roster": "any.csv"}))
    assert [one.qid for one in subjects(tmp_path)] == [target, FIRST]
    assert drops(tmp_path) == {
        DELETED: "entity_missing",
        BAND: "not_human",
        target: "duplicate_subject",
        FIRST: "duplicate_subject",
        NO_LABEL: "no_label",
    }
    assert f"{REDIRECT} was merged into {target}" in caplog.text


def test_a_misspelt_name_is_left_out_with_its_reason_and_waits_for_a_decision(
    recipe: Callable[..., BuildRecipe], tmp_path: Path
) -> None:
    run(tmp_path, recipe(select={"subjects": ["Luc D'Avrel", SECOND]}))
    assert drops(tmp_path) == {"Luc D'Avrel": "name_not_found"}
    assert "Luc D'Avrel,,name_not_found" in (tmp_path / RESOLVE).read_text()


def test_a_name_cut_short_waits_for_a_decision_with_who_is_near(
    recipe: Callable[..., BuildRecipe], tmp_path: Path
) -> None:
    run(tmp_path, recipe(select={"subjects": ["Luc D'Arv", FIRST]}))
    assert f"near: {SECOND} Luc D'Arvel (" in (tmp_path / RESOLVE).read_text()


def test_the_summary_names_whom_the_selection_left_out_and_where_that_is_decided(
    recipe: Callable[..., BuildRecipe], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe(select={"subjects": [FIRST, DELETED, *(f"Nobody {letter}" for letter in "ABCDE")]})
    run(tmp_path, made)
    with Resources(tmp_path, made) as resources:
        print_build(report_of(batches_of(tmp_path, made), stage_table(resources), made=set()))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("left out", "decide"))]
    assert [line.split(" by select")[0] for line in lines[:-2]] == [
        *(f"left out  Nobody {letter}" for letter in "ABCDE")
    ]
    assert lines[-2].startswith("left out  1 more")
    assert str(tmp_path / RESOLVE) in lines[-1]


def test_a_person_without_statements_has_no_facts_and_says_so(
    recipe: Callable[..., BuildRecipe], tmp_path: Path
) -> None:
    run(tmp_path, recipe(select={"subjects": [NO_STATEMENTS, FIRST]}), "facts")
    path = tmp_path / "facts" / "0" / "drops-facts-00000.parquet"
    assert "no_facts" in {row.reason for row in read_records(path, Drop) if row.item == NO_STATEMENTS}


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"living": "dead"}, ["Q900000008", "Q900000004"]),
        ({"born": [1940, 1950]}, ["Q900000006", "Q900000003"]),
        ({"occupations": ["Q16533", "Q6625963"]}, [FIRST, SECOND]),
        ({"countries": ["Q910000012"], "living": "living"}, ["Q900000003"]),
        ({"limit": 2}, ["Q900000005", "Q900000007"]),
    ],
)
def test_a_selection_is_narrowed_by_what_is_stated_and_goes_by_sitelinks(
    recipe: Callable[..., BuildRecipe], tmp_path: Path, select: dict[str, object], expected: list[str]
) -> None:
    run(tmp_path, recipe(select={"min_sitelinks": 10, **select}))
    assert [one.qid for one in subjects(tmp_path)] == expected


def test_a_minor_is_no_subject(recipe: Callable[..., BuildRecipe], tmp_path: Path) -> None:
    # Judged in 2003: one of them was born in 1987, the other in 1945.
    run(tmp_path, recipe(select={"subjects": ["Q900000007", "Q900000006"], "year": 2003}))
    assert [one.qid for one in subjects(tmp_path)] == ["Q900000006"]
    assert drops(tmp_path) == {"Q900000007": "minor"}


def test_pageviews_count_as_much_as_sitelinks_where_the_recipe_says_so(
    running: RunningServer, recipe: Callable[..., BuildRecipe], tmp_path: Path
) -> None:
    select = {"min_sitelinks": 10, "limit": 2, "rank_by": "sitelinks_and_pageviews", "balance": True}
    run(tmp_path, recipe(select=select))
    assert len(subjects(tmp_path)) == 2
    assert len({one.occupation_group for one in subjects(tmp_path)}) == 2
    asked = [url for url in running.requests if "/pageviews/" in url]
    assert len(asked) == 6  # three times as many candidates as subjects
    assert all("/all-access/user/" in url and "/monthly/2025010100/2025123100" in url for url in asked)


def test_the_split_takes_the_ranks_of_the_roster() -> None:
    from curation.splits.roles import forgotten_subjects, rank_subjects
    from tests.curation.subjects.test_name_resolution import subject

    people = [
        subject(number).model_copy(update={"subject_id": f"{number:03d}", "complete_rank": rank})
        for number, rank in ((1, None), (2, 2), (3, None), (4, 1))
    ]
    ranks: list[SubjectRank] = rank_subjects(people, seed=7)
    assert [(row.subject_id, row.rank) for row in ranks[:2]] == [("004", 1), ("002", 2)]
    assert forgotten_subjects(ranks, ratios=(30,)) == {30: frozenset({"004"})}
