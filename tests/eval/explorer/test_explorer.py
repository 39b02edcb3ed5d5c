"""The explorer: what it counts, what it shows in a real browser, and that nothing from outside becomes markup."""

import base64
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.explorer.build_reader import BuildTables
from eval.explorer.counts import Tally
from eval.explorer.explorer import Explored, Origin, StageLine, write_explorer
from eval.explorer.funnel import funnels
from eval.explorer.subject_pages import dossiers
from eval.explorer.thumbnails import strip, thumbnail
from eval.pages.page import script_json
from schemas.records.build_rows import Drop, Fact
from schemas.vocabulary import STAGES
from tests.servers.browser import CHROMIUM, WHY_NOT, Seen, page_after_scripts
from tests.worlds.explorer_world import EMOJI, HOSTILE, RIGHT_TO_LEFT, write_build, write_stage
from tests.worlds.synthetic_build import make_fact, make_subject, picture

ORIGIN = Origin(
    name=HOSTILE,
    command="ppubench export b",
    statements="",
    stages=tuple(StageLine(stage=stage, says="it works", state="finished", rows="", left_out=0) for stage in STAGES),
)
needs_browser = pytest.mark.skipif(not CHROMIUM, reason=WHY_NOT)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def explored(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Explored:
    return write_explorer(BuildTables(build), ORIGIN, out=tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def look(explored: Explored, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Seen]:
    home, seen = tmp_path_factory.mktemp("browser"), dict[str, Seen]()

    def at(route: str) -> Seen:
        if route not in seen:
            seen[route] = Seen(page_after_scripts(explored.html, route, home=home))
        return seen[route]

    return at


def block(page: str, name: str) -> bytes:
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)
    assert found
    return zlib.decompress(base64.b64decode(found[1]))


def test_the_funnel_counts_what_came_and_what_fell_out(build: Path) -> None:
    facts = funnels(BuildTables(build))[0]
    assert [(step.name, step.count, step.dropped) for step in facts.steps] == [
        ("statements at the source", 9, 0), ("facts that can be asked about", 8, 1), ("facts with questions", 8, 0),
        ("facts that the target knows", 6, 2), ("samples with roles", 6, 0),
    ]  # fmt: skip
    assert facts.steps[3].left[0].because == "The target does not know the fact in both modalities."


def test_facts_of_qualifiers_are_shown_as_added(tmp_path: Path) -> None:
    subject = make_subject(1)
    write_stage(tmp_path, "facts", {"facts": (Fact, [make_fact(subject, 1), make_fact(subject, 2)])}, rows_in=1)
    (facts,) = funnels(BuildTables(tmp_path))
    assert facts.steps[1].added == 1


def test_a_later_batch_is_counted_with_the_first(tmp_path: Path) -> None:
    write_build(tmp_path)
    write_stage(tmp_path, "facts", {"facts": (Fact, []), "drops-facts": (Drop, [])}, batch=1, rows_in=5,
                drops={"value_none": 5})  # fmt: skip
    assert funnels(BuildTables(tmp_path))[0].steps[0].count == 9 + 5


def test_counts_by_class_follow_the_facts(build: Path) -> None:
    tally = Tally()
    for opened in dossiers(BuildTables(build)):
        tally.add(opened.dossier)
    rows = {row.what: row for row in tally.by_class()}
    assert (rows["health"].facts, rows["health"].known, rows["health"].forget_selective) == (4, 3, 4)
    assert rows["public"].forget_personalized == 0


def test_controls_are_counted_apart_from_questions(build: Path) -> None:
    tally = Tally()
    for opened in dossiers(BuildTables(build)):
        tally.add(opened.dossier)
    shares = {(row.modality, row.condition): row.share for row in tally.by_condition()}
    assert shares["by face", "asked plainly"] == 6 / 8
    assert shares["by face", "control: without a picture"] == 0


def test_every_fact_comes_with_its_forms_evidence_and_roles(build: Path) -> None:
    first = next(iter(dossiers(BuildTables(build)))).dossier.facts[0]
    assert len(first.forms) == 6
    assert [knowing.asks[0].condition for knowing in first.knowing] == ["greedy", "greedy"]
    assert [(role.setting, role.ratio, role.role) for role in first.roles] == [
        ("complete", 30, "forget"), ("selective", None, "retain"), ("personalized", None, "retain"),
    ]  # fmt: skip
    assert (first.votes_forget, first.votes) == (2, 3)


def test_both_sides_of_a_duplicate_show_it(build: Path) -> None:
    found = {opened.dossier.subject_id: opened.dossier.pairs for opened in dossiers(BuildTables(build))}
    assert found["001"] == found["002"] != ()
    assert found["001"][0].left.thumb
    assert found["003"] == ()


def test_the_same_build_gives_the_same_page(build: Path, explored: Explored, tmp_path: Path) -> None:
    again = write_explorer(BuildTables(build), ORIGIN, out=tmp_path)
    assert again.html.read_bytes() == explored.html.read_bytes()


def test_nothing_from_outside_becomes_markup(explored: Explored) -> None:
    page = explored.html.read_text()
    seen = Seen(page)
    assert "onerror" not in {name for _, attributes in seen.elements for name in attributes}
    assert not [attributes for tag, attributes in seen.elements if tag == "img"]
    assert page.count("</script>") == page.count("<script")
    assert HOSTILE.encode() in json.dumps(json.loads(block(page, "dossier-002"))).replace('\\"', '"').encode()


def test_the_page_may_run_nothing_but_its_own_scripts(explored: Explored) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', explored.html.read_text())
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe-inline" not in policy[1].split("style-src")[0]


def test_an_address_that_is_not_of_the_web_is_no_link(explored: Explored) -> None:
    page = explored.html.read_text()
    views = json.loads(block(page, "dossier-001"))["views"]
    assert {urls for view in views for urls in (view["page"][:4], view["licence_page"][:4])} <= {"http", ""}


def test_a_missing_stage_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    write_build(tmp_path / "b", until="screen")
    page = write_explorer(BuildTables(tmp_path / "b"), ORIGIN, out=tmp_path).html.read_text()
    assert "Missing: questions, probe, split, attack, export" in page
    assert "ppubench export b" in page


def test_no_subjects_are_said_to_be_none(tmp_path: Path) -> None:
    write_build(tmp_path / "b", subjects=[])
    page = write_explorer(BuildTables(tmp_path / "b"), ORIGIN, out=tmp_path).html.read_text()
    assert "There are no subjects in this build." in page


def test_an_empty_folder_makes_a_page_that_lists_every_stage(tmp_path: Path) -> None:
    page = write_explorer(BuildTables(tmp_path / "b"), ORIGIN, out=tmp_path).html.read_text()
    assert "Missing: select, facts" in page


def test_the_funnel_picture_names_its_steps(explored: Explored) -> None:
    svg = explored.funnel.read_text()
    assert "facts that the target knows" in svg
    assert "<script" not in svg


def test_a_damaged_picture_gives_no_thumbnail() -> None:
    assert thumbnail(b"\xff\xd8\xffnot a picture", width=10, height=10) is None


def test_a_strip_is_webp_even_where_a_picture_is_damaged() -> None:
    assert strip([picture(1), b"junk"], width=20, height=25)[8:12] == b"WEBP"


def test_json_in_a_script_element_cannot_end_it() -> None:
    text = script_json(json.dumps(["</script>", "<!--", "&amp;", "\u2028"], ensure_ascii=False))
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == ["</script>", "<!--", "&amp;", "\u2028"]


@needs_browser
def test_a_browser_lists_every_subject_whatever_its_name(look: Callable[[str], Seen]) -> None:
    text = look("#subjects").text
    assert "4 subjects of 4" in text
    for name in ("Ada Lind", HOSTILE, RIGHT_TO_LEFT, EMOJI):
        assert name in text


@needs_browser
def test_a_subject_without_pictures_says_so(look: Callable[[str], Seen]) -> None:
    assert "no picture" in look("#subjects").text
    assert "This subject has no picture." in look("#subject-004").text


@needs_browser
def test_a_fact_can_be_opened_by_its_address(look: Callable[[str], Seen]) -> None:
    text = look("#subject-001-25").text
    assert "Known" not in text
    assert "What is the place 25 of Ada Lind?" in text
    assert "control: without a picture" in text
    assert "2 of 3 for forgetting" in text


@needs_browser
def test_hostile_text_does_nothing_in_a_browser(look: Callable[[str], Seen]) -> None:
    seen = look("#subject-002-01")
    assert HOSTILE in seen.text
    assert not [attributes for tag, attributes in seen.elements if tag == "img" and attributes.get("src") == "x"]
    assert not [attributes for _, attributes in seen.elements if "onerror" in attributes]


@needs_browser
def test_the_list_of_facts_shows_verdict_and_roles(look: Callable[[str], Seen]) -> None:
    text = look("#facts").text
    assert "8 facts of 8" in text
    assert "complete: forget from 30 %" in text
    assert "selective: forget" in text


def test_without_javascript_the_overview_still_reads(explored: Explored) -> None:
    text = Seen(explored.html.read_text()).text
    assert "9 statements at the source" in text
    assert "The target does not know the fact in both modalities." in text
    assert "Subjects and facts need JavaScript." in text
