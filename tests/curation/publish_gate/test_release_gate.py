"""Every rule of the gate catches its fault, and says the file and the row; a sound release has none."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.card.card import BEGIN
from curation.card.metadata_files import README, ReleaseFile
from curation.publish_gate.forbidden_text import forbidden
from curation.publish_gate.release_gate import check_release
from schemas.dataset.release import Fault
from tests.worlds.release_world import (
    CONTACT,
    as_published,
    data_file,
    edit_rows,
    linked_copy,
    replace_text,
    rewrite,
    set_cell,
    texts_of,
    write_release,
)

GENERATION, CLOZE, CHOICE = "ppu_eval_generation", "ppu_eval_cloze", "ppu_eval_classification"
CROSS, ATTACK, CREDITS = "cross_image_selective", "paraphrase_selective", "attribution"
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release") / "hub")


@pytest.fixture(scope="module")
def release(sound: Path) -> ReleaseFile:
    return as_published(sound)


@pytest.fixture(scope="module")
def texts(sound: Path, release: ReleaseFile) -> dict[str, str]:
    return texts_of(sound, release)


def edit_split(name: str, change: Callable[[object], object]) -> Spoil:
    def spoil(hub: Path) -> None:
        path = hub / "data" / "split" / f"{name}_split.json"
        content = json.loads(path.read_text())
        change(content)
        path.unlink()
        path.write_text(json.dumps(content))

    return spoil


def swap_first_last(rows: list[dict[str, object]]) -> None:
    rows[0], rows[-1] = rows[-1], rows[0]


def same_picture_twice(rows: list[dict[str, object]]) -> None:
    rows[1]["image_003"] = rows[1]["image_002"]


def wrong_label(rows: list[dict[str, object]]) -> None:
    rows[0]["answer_label"] = "A" if rows[0]["answer_label"] != "A" else "B"


def picture_of_another(rows: list[dict[str, object]]) -> None:
    rows[1]["image"] = rows[-1]["image"]


def stray_file(hub: Path) -> None:
    (hub / "notes.txt").write_text("mine")


def link_out(hub: Path) -> None:
    (hub / "data" / "split" / "persona_split.json").unlink()
    (hub / "data" / "split" / "persona_split.json").symlink_to("/etc/hostname")


def damaged(hub: Path) -> None:
    data_file(hub, CLOZE).unlink()
    (hub / "data" / CLOZE / "test-00000-of-00001.parquet").write_bytes(b"PAR1 no")


def one_side_only(content: object) -> None:
    assert isinstance(content, dict)
    mine = [each for each in content["keep_ids"] if each.startswith("Ada_Lindb_")]
    content["keep_ids"] = [each for each in content["keep_ids"] if each not in mine]
    content["delete_ids"] += mine


def ask_both_the_same(rows: list[dict[str, object]]) -> None:
    """The first text question of the first subject is put about the last one too, whose answer is another."""
    texts = [row for row in rows if row["modality"] == "text"]
    texts[-1]["question"] = texts[0]["question"]


BROKEN = {"bytes": b"not a picture", "path": "001.jpg"}
FAULTS: list[tuple[str, str, str, Spoil]] = [
    ("a file that no config lists", "file-stray", r"notes\.txt", stray_file),
    ("a link out of the release", "file-link", r"data/split/persona_split\.json", link_out),
    ("a split file that is gone", "split-missing", r"persona_split\.json",
     lambda hub: (hub / "data/split/persona_split.json").unlink()),
    ("a readable credits file that is gone", "file-missing", r"ATTRIBUTION\.md",
     lambda hub: (hub / "ATTRIBUTION.md").unlink()),
    ("a Parquet file that is none", "file-damaged", rf"data/{CLOZE}/test-00000", damaged),
    ("a column that is missing", "schema", rf"{CLOZE}/.*column property_id",
     lambda hub: rewrite(data_file(hub, CLOZE), lambda table: table.drop_columns(["property_id"]))),
    ("a column too many", "schema", rf"{CLOZE}/.*column email",
     lambda hub: rewrite(data_file(hub, CLOZE), lambda table: table.append_column("email", table.column("subject")))),
    ("a modality that does not exist", "row-invalid", rf"{GENERATION}/.*row 3",
     set_cell(GENERATION, 3, "modality", "audio")),
    ("a class that does not exist", "row-invalid", r"train_pair_tiny_qa/.*row 2",
     set_cell("train_pair_tiny_qa", 2, "sensitivity", "secret")),
    ("a row that is gone", "count-rows", rf"data/{CHOICE}",
     lambda hub: edit_rows(hub, CHOICE, lambda rows: rows.pop())),
    ("a sample twice", "row-duplicate", rf"{GENERATION}/.*row 48",
     lambda hub: edit_rows(hub, GENERATION, lambda rows: rows.append(rows[-1]))),
    ("subjects out of order", "row-order", rf"{GENERATION}/.*row 1",
     lambda hub: edit_rows(hub, GENERATION, swap_first_last)),
    ("an id that is no sample id", "row-sample-id", rf"{CLOZE}/.*row 4", set_cell(CLOZE, 4, "sample_id", "Ada Lindb")),
    ("a sample of another fact", "row-sample-id", rf"{CLOZE}/.*row 4", set_cell(CLOZE, 4, "fact_id", "001-49")),
    ("a subject with two names", "row-subject", rf"{CLOZE}/.*row 5", set_cell(CLOZE, 5, "subject", "Somebody Else")),
    ("an empty question", "row-empty", rf"{GENERATION}/.*row 7", set_cell(GENERATION, 7, "question", " ")),
    ("a text row with a picture", "row-modality", rf"{GENERATION}/.*row 1",
     set_cell(GENERATION, 1, "modality", "text")),
    ("a picture row without one", "row-modality", rf"{GENERATION}/.*row 1", set_cell(GENERATION, 1, "image", None)),
    ("a picture question that names the subject", "row-named", rf"{GENERATION}/.*row 1",
     set_cell(GENERATION, 1, "question", "What is the place 1 of Ada Lindb?")),
    ("a cloze without a blank", "row-blank", rf"{CLOZE}/.*row 2", set_cell(CLOZE, 2, "question", "The place is.")),
    ("an option twice", "row-options", rf"{CHOICE}/.*row 2",
     lambda hub: edit_rows(hub, CHOICE, lambda rows: rows[2].update(option_a="same", option_b="same"))),
    ("a label of a wrong option", "row-options", rf"{CHOICE}/.*row 0",
     lambda hub: edit_rows(hub, CHOICE, wrong_label)),
    ("an answer that does not count as right", "row-answer", rf"{GENERATION}/.*row 6",
     set_cell(GENERATION, 6, "accepted_answers", ["another"])),
    ("a question that has two answers", "row-two-answers", rf"{GENERATION}/.*row \d+",
     lambda hub: edit_rows(hub, GENERATION, ask_both_the_same)),
    ("a sample without training pair", "row-sample", rf"{GENERATION}/.*row 0",
     lambda hub: edit_rows(hub, GENERATION, lambda rows: rows[0].update(sample_id="Nobody_01"))),
    ("a role that is not the config's", "row-role", rf"{CROSS}/.*row 0", set_cell(CROSS, 0, "role", "retain")),
    ("a role that is not the split file's", "row-role", rf"{ATTACK}/.*row \d",
     edit_split("selective", lambda content: content.pop(0))),  # type: ignore[attr-defined]
    ("an e-mail address", "text-contact", rf"{GENERATION}/.*row 4",
     set_cell(GENERATION, 4, "question", "Is ada@lind.org right?")),
    ("a telephone number", "text-contact", rf"{CLOZE}/.*row 4", set_cell(CLOZE, 4, "answer_text", "+47 22 33 44 55")),
    ("a fact of class contact", "row-policy", rf"{CLOZE}/.*row 4", set_cell(CLOZE, 4, "sensitivity", "contact")),
    ("a property that is never asked", "row-policy", rf"{CLOZE}/.*row 4", set_cell(CLOZE, 4, "property_id", "P968")),
    ("an access token in a row", "text-token", rf"{CLOZE}/.*row 4",
     set_cell(CLOZE, 4, "question", "Say hf_abcdefghijklmnopqrstu, ___")),
    ("a local path in a row", "text-path", rf"{CLOZE}/.*row 4", set_cell(CLOZE, 4, "image_path", "/home/me/001.jpg")),
    ("a picture that does not decode", "picture-broken", rf"{GENERATION}/.*row 1",
     set_cell(GENERATION, 1, "image", BROKEN)),
    ("a picture of somebody else", "picture-shared", rf"{CROSS}/.*row \d",
     lambda hub: edit_rows(hub, CROSS, picture_of_another)),
    ("a view that repeats another", "picture-view", rf"{CROSS}/.*row 1",
     lambda hub: edit_rows(hub, CROSS, same_picture_twice)),
    ("a picture without credit", "picture-uncredited", r"train_pair_tiny/.*row 0",
     lambda hub: edit_rows(hub, CREDITS, lambda rows: rows.pop(0))),
    ("a picture without licence", "picture-licence", rf"{CREDITS}/.*row 2",
     lambda hub: edit_rows(hub, CREDITS, lambda rows: rows[2].update(license="", license_url=""))),
    ("a picture that is not free", "picture-licence", rf"{CREDITS}/.*row 2",
     set_cell(CREDITS, 2, "license", "CC BY-NC 4.0")),
    ("a CC BY picture without author", "picture-attribution", rf"{CREDITS}/.*row 2",
     set_cell(CREDITS, 2, "attribution", "")),
    ("a picture that the readable file lacks", "picture-readable", rf"{CREDITS}/.*row 0",
     lambda hub: replace_text(hub / "ATTRIBUTION.md", "Ada Lindb 001.jpg", "gone.jpg")),
    ("an access token in a text file", "text-token", r"ATTRIBUTION\.md, line \d+",
     lambda hub: replace_text(hub / "ATTRIBUTION.md", "Ada Lindb", "sk-abcdefghijklmnopqrstuv")),
    ("forget lists that do not nest", "split-nested", r"complete_split\.json, forget5",
     edit_split("complete", lambda content: content.update(forget5=["001"]))),  # type: ignore[attr-defined]
    ("an id that the data lacks", "split-unknown", r"selective_split\.json",
     edit_split("selective", lambda content: content.append({"subject_id": "009", "id": "Zora_25"}))),  # type: ignore[attr-defined]
    ("a sample in both roles", "split-overlap", r"persona_split\.json",
     edit_split("persona", lambda content: content["keep_ids"].append(content["delete_ids"][0]))),  # type: ignore[index]
    ("a sample in neither role", "split-incomplete", r"persona_split\.json",
     edit_split("persona", lambda content: content["keep_ids"].pop())),  # type: ignore[index]
    ("a sample listed twice", "split-repeated", r"selective_split\.json, entry \d+",
     edit_split("selective", lambda content: content.append(content[0]))),  # type: ignore[attr-defined,index]
    ("a subject of whom all is forgotten", "split-one-sided", r"persona_split\.json",
     edit_split("persona", one_side_only)),
    ("a sensitive sample that is not listed", "split-sensitive", r"selective_split\.json",
     edit_split("selective", lambda content: content.pop(0))),  # type: ignore[attr-defined]
]  # fmt: skip


def faults(hub: Path, release: ReleaseFile, texts: dict[str, str]) -> list[Fault]:
    return list(check_release(hub, release, texts))


def test_a_sound_release_has_no_fault(sound: Path, release: ReleaseFile, texts: dict[str, str]) -> None:
    assert faults(sound, release, texts) == []


@pytest.mark.parametrize(("rule", "where", "spoil"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_the_gate_finds_each_fault_and_names_its_place(
    sound: Path, release: ReleaseFile, texts: dict[str, str], tmp_path: Path, rule: str, where: str, spoil: Spoil
) -> None:
    hub = linked_copy(sound, tmp_path / "hub")
    spoil(hub)
    lines = [fault.line() for fault in faults(hub, release, texts) if fault.rule == rule]
    assert any(re.search(where, line) for line in lines), lines
    assert all("\n" not in line and len(line) < 400 for line in lines)


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("card-markers", BEGIN, ""),
        ("card-yaml", "pretty_name: PPU-Bench", "pretty_name: [PPU"),
        ("card-yaml", "license: other\n", ""),
        ("card-configs", "- config_name: cross_image_selective\n", "- config_name: other\n"),
        ("card-rows", "num_examples: 24\n", "num_examples: 25\n"),
        ("card-contact", CONTACT, "nobody"),
        ("card-section", "## Risks", "## Rest"),
        ("text-path", "Measuring unlearning", "See /home/maintainer/notes; measuring unlearning"),
        ("text-contact", "Measuring unlearning", "Ask ada@lind.org; measuring unlearning"),
        ("text-token", "Measuring unlearning", "HF_TOKEN=hf_abcdefghijklmnopqrst; measuring"),
    ],
)
def test_the_gate_reads_the_card(
    sound: Path, release: ReleaseFile, texts: dict[str, str], rule: str, old: str, new: str
) -> None:
    assert old in texts[README]
    spoilt = {**texts, README: texts[README].replace(old, new)}
    found = [fault for fault in faults(sound, release, spoilt) if fault.rule == rule]
    assert found
    assert all(fault.where.startswith(README) for fault in found)


def test_a_card_without_contact_is_a_fault(sound: Path) -> None:
    release = as_published(sound, contact="")
    assert [f.rule for f in faults(sound, release, texts_of(sound, release))] == ["card-contact"]


def test_a_card_that_names_no_place_is_a_fault(sound: Path) -> None:
    release = as_published(sound, repository="PATH_OR_HUB_ID")
    assert {f.rule for f in faults(sound, release, texts_of(sound, release))} == {"card-place"}


def test_a_file_that_changed_since_croissant_was_written_is_a_fault(
    sound: Path, release: ReleaseFile, texts: dict[str, str], tmp_path: Path
) -> None:
    hub = linked_copy(sound, tmp_path / "hub")
    rewrite(data_file(hub, CLOZE), lambda table: table)
    assert [f.line() for f in faults(hub, release, texts)] == [
        f"croissant: croissant.json, data/{CLOZE}/test-00000-of-00001.parquet: has another sha256, or none"
    ]


def test_a_gated_property_in_the_open_part_is_a_fault(tmp_path: Path) -> None:
    hub = write_release(tmp_path / "hub", part="open", gated_slots=(25,))
    release = as_published(hub)
    set_cell(GENERATION, 4, "property_id", "P140")(hub)
    assert "row-gated" in {fault.rule for fault in faults(hub, release, texts_of(hub, release))}


def test_the_gated_part_needs_terms(tmp_path: Path) -> None:
    hub = write_release(tmp_path / "hub", part="gated", gated_slots=(25, 26))
    release = as_published(hub)
    texts = texts_of(hub, release)
    assert faults(hub, release, texts) == []
    texts[README] = texts[README].replace("extra_gated_prompt", "no_prompt")
    assert [fault.rule for fault in faults(hub, release, texts)] == ["card-gated"]


@pytest.mark.parametrize(
    "text",
    [
        "Born on 1990-01-01 in Arnvik", "https://commons.example.org/wiki/File:A.jpg", "1,234,567 crowns", "1.84 m",
        "the token system of 1950", "images/001/001.jpg", "a/b/home/x", "5 + 3", "Wikipedia: home/work",
    ],
)  # fmt: skip
def test_ordinary_text_is_let_through(text: str) -> None:
    assert list(forbidden(text)) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("hf_abcdefghijklmnopqrstuvwxyz", "text-token"), ("ghp_abcdefghijklmnopqrstuvwxyz", "text-token"),
        ("AKIAABCDEFGHIJKLMNOP", "text-token"), ("api_key = 'abcdefghijklmnop'", "text-token"),
        ("C:\\Users\\me\\x", "text-path"), ("file:///x", "text-path"), ("see /root/x", "text-path"),
        ("http://127.0.0.1:80", "text-path"), ("a.b@c.example.org", "text-contact"), ("tel:123", "text-contact"),
        ("(212) 555-0100", "text-contact"), ("+1 212-555-0100", "text-contact"),
    ],
)  # fmt: skip
def test_text_that_must_not_be_published_is_found(text: str, rule: str) -> None:
    assert [found for found, _ in forbidden(text)] == [rule]
