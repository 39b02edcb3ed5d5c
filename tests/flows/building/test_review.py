"""Review of a build: what a sample holds, what becomes of verdicts, and that a rejected fact leaves nothing behind."""

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.building import build as building
from flows.building.review import draw, read_back
from flows.pipeline.build_identity import open_build
from flows.pipeline.verdicts import VERDICTS
from flows.publish.build_gate import build_faults
from schemas.errors import BadInput
from schemas.records.build_rows import Assignment, Drop, Question
from schemas.storage.tables import read_records
from schemas.vocabulary import STAGES
from tests.servers.made_once import made_once
from tests.worlds.growing_build import add_to, bring_up_to_date, hashes, make_build, state_of, without_prefect

BEHIND = {"questions", "probe", "split", "attack", "export"}
"""Stages that follow from rejections."""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        without_prefect(patch)
        yield patch


@pytest.fixture(scope="module")
def finished(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "growing", make_build) / "build"


@pytest.fixture(scope="module")
def rows(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """A sample of forty facts."""
    copy = Path(shutil.copytree(finished, tmp_path_factory.mktemp("drawn") / "build"))
    return rows_of(draw(copy, size=40).csv)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def judged(
    folder: Path, rows: list[dict[str, str]], verdicts: Mapping[int, str], *, reason: str = "", name: str = "said.csv"
) -> Path:
    """A review file with verdicts on the rows of these places (from 0)."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for place, row in enumerate(rows):
            verdict = verdicts.get(place, "")
            writer.writerow(row | {"verdict": verdict, "reason": reason if verdict == "reject" else ""})
    return path


@pytest.fixture
def build(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "build"))


@pytest.fixture(scope="module")
def offered(rows: list[dict[str, str]], finished: Path) -> int:
    """The place of a fact whose answer nobody else gives and somebody's question offers as false."""
    answers = [row.answer for row in questions(finished) if row.task == "generation" and row.modality == "qa"]
    options = {option for row in questions(finished) for option in row.options if option != row.answer}
    return next(
        place for place, row in enumerate(rows) if answers.count(row["answer"]) == 1 and row["answer"] in options
    )


@pytest.fixture(scope="module")
def rejected(
    finished: Path, rows: list[dict[str, str]], offered: int, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The build after twenty facts were judged and two of them rejected, brought up to date."""
    folder = tmp_path_factory.mktemp("rejected")
    build = Path(shutil.copytree(finished, folder / "build"))
    verdicts = dict.fromkeys(range(20), "accept") | {offered: "reject", (offered + 1) % 20: "reject"}
    read_back(build, judged(folder, rows, verdicts, reason="It is out of date"))
    bring_up_to_date(build)
    return build


def gone(rows: list[dict[str, str]], offered: int) -> set[str]:
    return {rows[offered]["sample_id"], rows[(offered + 1) % 20]["sample_id"]}


def questions(build: Path, batch: int = 0) -> list[Question]:
    paths = sorted((build / "questions" / str(batch)).glob("questions-*.parquet"))
    return [row for path in paths for row in read_records(path, Question)]


def states(build: Path) -> dict[str, str]:
    return {line.stage: line.state for line in state_of(build).stages}


def behind(build: Path) -> set[str]:
    return {stage for stage, state in states(build).items() if state != "stood"}


def test_a_sample_is_drawn_from_what_the_target_knows(rows: list[dict[str, str]], finished: Path) -> None:
    known = {
        name
        for path in (finished / "split" / "0").glob("assignments-*.parquet")
        for name in (row.sample_id for row in read_records(path, Assignment))
    }
    assert {row["sample_id"] for row in rows} <= known
    assert rows[0]["sample"].endswith(f"seed 7: 40 of {len(known)} known")


def test_before_the_probe_a_sample_is_drawn_from_all_that_are_asked(build: Path) -> None:
    for stage in ("probe", "split", "attack", "export"):
        shutil.rmtree(build / stage)
    asked = {row.sample_id for row in questions(build)}
    assert rows_of(draw(build, size=3).csv)[0]["sample"].endswith(f"seed 7: 3 of {len(asked)} asked")


def test_another_seed_draws_other_facts_and_the_same_one_the_same(build: Path, rows: list[dict[str, str]]) -> None:
    again, other = (rows_of(draw(build, size=40, seed=seed).csv) for seed in (7, 8))
    assert again == rows
    assert {row["sample_id"] for row in other} != {row["sample_id"] for row in rows}


def test_page_and_table_are_written_where_one_likes(build: Path, tmp_path: Path) -> None:
    files = draw(build, size=2, seed=5, out=tmp_path / "there")
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["sample_seed5_2.csv", "sample_seed5_2.html"]
    assert not (build / "review").exists()
    assert files.facts == 2


def test_a_build_without_questions_cannot_be_reviewed(build: Path) -> None:
    shutil.rmtree(build / "questions")
    with pytest.raises(BadInput, match="has no finished stage questions"):
        draw(build, size=3)


def test_a_sample_of_no_facts_is_refused(build: Path) -> None:
    with pytest.raises(BadInput, match="--sample 0: is no size"):
        draw(build, size=0)


def test_accepting_facts_changes_the_card_alone(build: Path, rows: list[dict[str, str]], tmp_path: Path) -> None:
    read_back(build, judged(tmp_path, rows, dict.fromkeys(range(10), "accept")))
    assert behind(build) == {"export"}
    data = hashes(build / "hub" / "data")
    bring_up_to_date(build)
    assert hashes(build / "hub" / "data") == data
    card = (build / "hub" / "README.md").read_text()
    assert "accepted\n10 of them: 100.0 % (95 % Wilson interval 72.2 to 100.0 %)" in card
    assert "rejected" not in card


def test_rejecting_a_fact_makes_the_questions_and_what_follows_again_and_nothing_before(
    build: Path, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    read_back(build, judged(tmp_path, rows, {0: "reject"}))
    assert behind(build) == BEHIND
    assert state_of(build).to_do == f"run `ppubench export {build}`"


def test_a_rejected_fact_is_in_no_row_and_no_list_of_the_dataset(
    rejected: Path, rows: list[dict[str, str]], offered: int
) -> None:
    names = gone(rows, offered)
    for path in (path for path in (rejected / "hub").rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            text = json.dumps(table.drop_columns([each.name for each in table.schema if "struct" in str(each.type)])
                              .to_pylist(), default=str)  # fmt: skip
        else:
            text = path.read_text()
        assert [name for name in names if f'"{name}"' in text or f'\\"{name}\\"' in text] == []


def test_no_question_offers_what_only_a_rejected_fact_answers(
    rejected: Path, rows: list[dict[str, str]], offered: int
) -> None:
    assert rows[offered]["answer"] not in {option for row in questions(rejected) for option in row.options}


def test_other_questions_stay_as_they_were_but_for_the_option_that_went(
    finished: Path, rejected: Path, rows: list[dict[str, str]], offered: int
) -> None:
    names = gone(rows, offered)
    went = {row["answer"] for row in rows if row["sample_id"] in names}
    before = {row.question_id: row for row in questions(finished) if row.sample_id not in names}
    after = {row.question_id: row for row in questions(rejected)}
    assert before.keys() == after.keys()
    for key, row in before.items():
        assert (row.text, row.paraphrases, row.answer) == (after[key].text, after[key].paraphrases, after[key].answer)
        if not set(row.options) & went:
            assert set(row.options) == set(after[key].options)


def test_labels_stay_even_over_the_facts_of_a_subject(rejected: Path) -> None:
    counts: dict[str, dict[str, int]] = {}
    for row in questions(rejected):
        if row.answer_label and row.modality == "qa":
            own = counts.setdefault(row.subject_id, dict.fromkeys("ABCD", 0))
            own[row.answer_label] += 1
    assert all(max(own.values()) - min(own.values()) <= 1 for own in counts.values())


def test_status_counts_the_rejected_with_their_reason_and_says_how_the_review_came_out(rejected: Path) -> None:
    report = state_of(rejected)
    assert {line.stage: line.drops.get("rejected_in_review", 0) for line in report.stages}["questions"] == 2
    assert report.review is not None
    assert (report.review.judged, report.review.accepted, report.review.rejected) == (20, 18, 2)
    drops = [row for path in (rejected / "questions" / "0").glob("drops-*.parquet") for row in read_records(path, Drop)]
    assert {row.detail for row in drops if row.reason == "rejected_in_review"} == {"It is out of date"}


def test_the_card_says_by_which_sample_how_many_were_accepted(rejected: Path) -> None:
    card = (rejected / "hub" / "README.md").read_text()
    assert "18 of them: 90.0 % (95 % Wilson interval 69.9 to 97.2 %).\nThe 2 rejected are not in this dataset." in card
    assert "| 40 | 207 that the target knew | 7 | 20 | 18 |" in card


def test_the_card_counts_accepted_facts_whose_options_a_rejection_has_changed(
    finished: Path, rejected: Path, rows: list[dict[str, str]], offered: int
) -> None:
    went = {row["answer"] for row in rows if row["sample_id"] in gone(rows, offered)}
    accepted = {row["sample_id"] for row in rows[:20]} - gone(rows, offered)
    touched = {row.sample_id for row in questions(finished) if row.sample_id in accepted and went & set(row.options)}
    card = (rejected / "hub" / "README.md").read_text()
    assert (f"Of the accepted, {len(touched)} read otherwise by now" in card) == bool(touched)
    assert ("read otherwise by now" in card) == bool(touched)


def test_a_folder_that_holds_nothing_but_verdicts_can_be_built(
    rejected: Path, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "build").mkdir()
    shutil.copy(rejected / VERDICTS, tmp_path / "build" / VERDICTS)
    (tmp_path / "grow.toml").write_text((rejected / "recipe.toml").read_text())
    report = building.build(tmp_path / "grow.toml", tmp_path / "build", until="select")
    assert report.review is not None


def test_a_build_made_with_the_same_verdicts_has_the_same_bytes(finished: Path, rejected: Path, tmp_path: Path) -> None:
    fresh = Path(shutil.copytree(finished, tmp_path / "build"))
    for left in (*BEHIND, "answers", "hub"):
        shutil.rmtree(fresh / left)
    shutil.copy(rejected / VERDICTS, fresh / VERDICTS)
    bring_up_to_date(fresh, knowing=finished)
    ours, theirs = (
        {name: each for name, each in hashes(build).items() if not name.startswith("answers/")}
        for build in (fresh, rejected)
    )
    assert ours == theirs


def test_without_its_verdicts_a_build_is_what_it_was_before(finished: Path, rejected: Path, tmp_path: Path) -> None:
    build = Path(shutil.copytree(rejected, tmp_path / "build"))
    (build / VERDICTS).unlink()
    bring_up_to_date(build)
    assert hashes(build) == hashes(finished)


def test_the_gate_lets_a_reviewed_build_through_and_stops_a_rejected_fact(
    rejected: Path, finished: Path, tmp_path: Path
) -> None:
    build = Path(shutil.copytree(rejected, tmp_path / "build"))
    assert [fault for fault in build_faults(open_build(build)) if fault.rule in ("review-rejected", "build-drop")] == []
    shutil.rmtree(build / "hub")
    shutil.copytree(finished / "hub", build / "hub")
    found = [fault for fault in build_faults(open_build(build)) if fault.rule == "review-rejected"]
    assert {fault.where.split("/")[2] for fault in found} >= {"unlearning_target", "ppu_eval_cloze"}


def test_a_rejected_fact_taken_back_is_asked_again(
    rejected: Path, rows: list[dict[str, str]], offered: int, finished: Path, tmp_path: Path
) -> None:
    build = Path(shutil.copytree(rejected, tmp_path / "build"))
    done = read_back(build, judged(tmp_path, rows, {offered: "accept", (offered + 1) % 20: "accept"}))
    assert (done.new, done.turned) == (0, 2)
    bring_up_to_date(build)
    assert hashes(build / "questions") == hashes(finished / "questions")


def test_people_who_are_added_leave_the_verdicts_as_they_are(rejected: Path, tmp_path: Path) -> None:
    build = Path(shutil.copytree(rejected, tmp_path / "build"))
    add_to(build, "Q900000006")
    assert {line.stage: line.state for line in state_of(build).stages} == dict.fromkeys(STAGES, "stood")
    assert hashes(build / "questions" / "0") == hashes(rejected / "questions" / "0")
    assert "18 of them: 90.0 %" in (build / "hub" / "README.md").read_text()


def test_a_grown_build_can_be_reviewed_and_other_changes_to_it_stay_refused(finished: Path, tmp_path: Path) -> None:
    build = Path(shutil.copytree(finished, tmp_path / "build"))
    add_to(build, "Q900000006")
    rows = rows_of(draw(build, size=300).csv)
    place = next(place for place, row in enumerate(rows) if row["subject"] == "Luc D'Arvel" or row["sample_id"] not in {
        each.sample_id for each in questions(build)})  # fmt: skip
    read_back(build, judged(tmp_path, rows, {place: "reject"}))
    assert behind(build) == set()
    earlier = hashes(build / "questions" / "0")
    bring_up_to_date(build)
    assert hashes(build / "questions" / "0") == earlier
    assert rows[place]["sample_id"] not in {row.sample_id for row in questions(build, 1)}
    text = (build / "recipe.toml").read_text()
    (build / "recipe.toml").write_text(text.replace("[export]", "[split]\nraters = 7\n[export]"))
    with pytest.raises(BadInput, match="from the stage split on"):
        bring_up_to_date(build)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sample_id": "Nobody_01"}, r"line 2: names the sample 'Nobody_01', which this build does not ask"),
        (
            {"sample": "other.x00000000 seed 7: 40 of 207 known"},
            r"line 2: is of a review of the build other\.x00000000",
        ),
        ({"sample": "7"}, r"line 2: column sample: is not the sample of a review"),
        ({"verdict": "perhaps"}, r"line 2: has the verdict 'perhaps'"),
        ({"shown": "x000000000000"}, r"judges 1 facts that all read otherwise now"),
    ],
)
def test_a_file_that_does_not_belong_to_the_build_is_refused_and_nothing_is_written(
    build: Path, rows: list[dict[str, str]], tmp_path: Path, change: dict[str, str], said: str
) -> None:
    path = judged(tmp_path, [rows[0] | change, *rows[1:]], {0: "accept"})
    if "verdict" in change:
        path.write_text(path.read_text().replace(",accept,", f",{change['verdict']},", 1))
    with pytest.raises(BadInput, match=said):
        read_back(build, path)
    assert not (build / VERDICTS).exists()


def test_facts_that_read_otherwise_now_are_left_aside_and_named(
    build: Path, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    path = judged(tmp_path, [rows[0] | {"shown": "x000000000000"}, *rows[1:]], {0: "reject", 1: "accept"})
    done = read_back(build, path)
    assert done.aside == (rows[0]["sample_id"],)
    assert done.figures.judged == 1


def test_a_file_read_twice_changes_nothing(build: Path, rows: list[dict[str, str]], tmp_path: Path) -> None:
    path = judged(tmp_path, rows, {0: "accept", 1: "reject"}, reason="wrong")
    read_back(build, path)
    before = (build / VERDICTS).read_bytes()
    done = read_back(build, path)
    assert (done.new, done.again, done.to_do) == (0, 2, "")
    assert (build / VERDICTS).read_bytes() == before


def test_a_second_sample_is_kept_beside_the_first(build: Path, rows: list[dict[str, str]], tmp_path: Path) -> None:
    read_back(build, judged(tmp_path, rows, dict.fromkeys(range(5), "accept")))
    second = rows_of(draw(build, size=60).csv)
    assert [row["sample_id"] for row in second[:40]] == [row["sample_id"] for row in rows]
    done = read_back(build, judged(tmp_path, second, dict.fromkeys(range(3, 8), "accept")))
    assert done.figures.judged == 8
    assert [(each.size, each.judged) for each in done.figures.samples] == [(40, 5), (60, 5)]


def test_kept_verdicts_that_are_damaged_are_named(build: Path, rows: list[dict[str, str]], tmp_path: Path) -> None:
    read_back(build, judged(tmp_path, rows, {0: "accept"}))
    path = build / VERDICTS
    path.write_text(path.read_text().replace(",accept,", ",perhaps,"))
    with pytest.raises(BadInput, match=r"verdicts\.csv, row 2: is damaged"):
        state_of(build)
