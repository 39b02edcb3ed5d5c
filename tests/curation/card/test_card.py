"""The dataset card: valid YAML, all columns explained, nothing from outside as markup, hand-written parts kept."""

import re
from pathlib import Path

import pytest
import yaml

from curation.card.attribution import CreditsFile, markdown
from curation.card.card import BEGIN, CardFacts, render_card
from curation.card.columns import FIELDS
from curation.card.metadata_files import ReleaseFile, parse_release, release_texts
from curation.export.export import ReleaseRequest, export_release
from schemas.dataset.layout import config_records
from schemas.dataset.release import ReleaseSummary
from schemas.dataset.samples import ImageCredit
from schemas.errors import BadInput
from schemas.records.review import ReviewFigures, SampleCount
from schemas.vocabulary import RATIOS
from tests.curation.export.test_export import CARD
from tests.worlds.synthetic_build import make_bundles


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReleaseSummary]:
    folder = tmp_path_factory.mktemp("build") / "hub"
    wanted = ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=CARD.sensitive)
    summary = export_release(folder, make_bundles(6), wanted, card=CARD)
    return folder, summary


def front(card: str) -> dict[str, object]:
    return yaml.safe_load(card.split("---\n")[1])  # type: ignore[no-any-return]


def with_(**changes: object) -> CardFacts:
    return CARD.model_copy(update=changes)


def test_the_front_matter_names_every_config_and_its_files(release: tuple[Path, ReleaseSummary]) -> None:
    folder, _ = release
    found = front((folder / "README.md").read_text())
    configs = {row["config_name"]: row["data_files"] for row in found["configs"]}  # type: ignore[attr-defined]
    assert set(configs) == set(config_records(target="tiny", ratios=RATIOS))
    for [entry] in configs.values():
        assert list(folder.glob(entry["path"])), entry
    assert (found["license"], found["language"], found["size_categories"]) == ("other", ["en"], ["1K<n<10K"])


def test_every_exported_column_is_explained_and_nothing_else() -> None:
    columns = {name for record in config_records(target="t", ratios=RATIOS).values() for name in record.model_fields}
    assert columns == set(FIELDS)


def test_the_counts_stand_in_the_card(release: tuple[Path, ReleaseSummary]) -> None:
    text = (release[0] / "README.md").read_text()
    assert "| people | 6 (6 living) |" in text
    assert "| `ppu_eval_cloze` | test | 72 |" in text
    assert "| selective | forget | 18 | 6 |" in text
    assert "| `text_image` | 36 |" in text
    assert "| CC BY-SA 4.0 | 24 |" in text


def test_the_loading_snippet_runs(
    release: tuple[Path, ReleaseSummary],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, summary = release
    card = render_card(summary, with_(repository=str(folder)))
    [snippet] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    exec(snippet, {})
    assert "What is the place 1 of Ada Lindb?" in capsys.readouterr().out


def test_outside_text_becomes_neither_yaml_nor_markup(release: tuple[Path, ReleaseSummary]) -> None:
    card = render_card(
        release[1], with_(title='x: "y"\nlicense: mit', source="<script>alert(1)</script> | [a](http://b)")
    )
    assert front(card)["pretty_name"] == 'x: "y"\nlicense: mit'
    assert front(card)["license"] == "other"
    assert "<script>" not in card
    assert "[a](" not in card
    assert "\\| \\[a\\]" in card


def test_a_gated_part_asks_for_terms_and_an_open_one_does_not(release: tuple[Path, ReleaseSummary]) -> None:
    gated = render_card(release[1].model_copy(update={"part": "gated"}), with_(fictional=False))
    assert "extra_gated_prompt" in front(gated)
    assert "extra_gated_prompt" not in front(render_card(release[1], CARD))


def test_real_people_get_risks_and_a_take_down_contact(release: tuple[Path, ReleaseSummary]) -> None:
    card = render_card(release[1], with_(fictional=False, contact="privacy@example.org"))
    assert "write to privacy@example.org" in card
    assert "sensitive. Contact data, minors" in card
    assert "fictional" not in card


def test_without_controls_the_card_does_not_claim_them(release: tuple[Path, ReleaseSummary]) -> None:
    assert "Nobody checked that the right face matters" in render_card(release[1], with_(controls=()))
    assert "the right face must matter" in render_card(release[1], CARD)


def test_hand_written_text_and_keys_are_kept(release: tuple[Path, ReleaseSummary]) -> None:
    first = render_card(release[1], CARD)
    edited = first.replace("None yet.", "We checked 50 rows.").replace(BEGIN, f"Read this first.\n{BEGIN}")
    edited = edited.replace("license: other", "annotations_creators:\n- found\nlicense: mit")
    second = render_card(release[1], with_(title="New name"), previous=edited)
    assert "We checked 50 rows." in second
    assert f"---\nRead this first.\n{BEGIN}" in second
    assert front(second)["annotations_creators"] == ["found"]
    assert (front(second)["license"], front(second)["pretty_name"]) == ("other", "New name")


def test_rendering_over_ones_own_card_changes_nothing(release: tuple[Path, ReleaseSummary]) -> None:
    first = render_card(release[1], CARD)
    assert render_card(release[1], CARD, previous=first) == first


def test_a_card_without_markers_is_not_overwritten(release: tuple[Path, ReleaseSummary]) -> None:
    with pytest.raises(BadInput, match="lacks the two marker lines"):
        render_card(release[1], CARD, previous="# My own card\n")


@pytest.mark.parametrize(
    "text, escaped",
    [("a|b", "a\\|b"), ("<b>", "&lt;b&gt;"), ("x\n# y", "x \\# y"), ("[l](u)", "\\[l\\](u)"), ("R&B", "R&amp;B")],
)
def test_markdown_escapes(text: str, escaped: str) -> None:
    assert markdown(text) == escaped


def test_a_credit_cannot_break_out_of_its_line_or_link_elsewhere(tmp_path: Path) -> None:
    credit = ImageCredit(
        subject_id="001",
        subject="Ada\n# Lind",
        view="001",
        title="a](javascript:1).jpg",
        description_url="javascript:alert(1)",
        license="CC0",
        license_url="https://x.org/a>b",
        artist="",
        credit="",
        attribution="<i>N</i>",
        transformation="scaled",
        restrictions="",
    )
    with CreditsFile(tmp_path / "ATTRIBUTION.md") as file:
        file.add(credit)
    assert (tmp_path / "ATTRIBUTION.md").read_text().splitlines()[-3:] == [
        "## Ada \\# Lind (001)",
        "",
        "- 001: a\\](javascript:1).jpg; &lt;i&gt;N&lt;/i&gt;; [CC0](<https://x.org/a%3Eb>); changed: scaled",
    ]


REVIEW = ReviewFigures(
    judged=150, accepted=146, low=0.9334, high=0.9896,
    samples=(
        SampleCount(seed=7, size=150, of=1234, drawn_from="known", judged=140, accepted=137),
        SampleCount(seed=8, size=20, of=2000, drawn_from="asked", judged=10, accepted=9),
    ),
)  # fmt: skip


def test_the_review_is_told_with_its_interval_and_samples(release: tuple[Path, ReleaseSummary]) -> None:
    text = render_card(release[1], CARD.model_copy(update={"review": REVIEW}))
    for words in (
        "A reader looked at 150 facts",
        "accepted\n146 of them: 97.3 % (95 % Wilson interval 93.3 to 99.0 %).\nThe 4 rejected are not in this dataset.",
        "| 150 | 1234 that the target knew | 7 | 140 | 137 |\n| 20 | 2000 that were asked | 8 | 10 | 9 |\n",
    ):
        assert words in text


def test_without_a_review_card_and_release_file_say_nothing_of_one(release: tuple[Path, ReleaseSummary]) -> None:
    assert '"review"' not in (release[0] / "release.json").read_text()
    assert "## Review" not in render_card(release[1], CARD)


def test_a_review_in_the_release_file_is_read_back(release: tuple[Path, ReleaseSummary], tmp_path: Path) -> None:
    card = CARD.model_copy(update={"review": REVIEW})
    texts = release_texts(release[0], ReleaseFile(summary=release[1], card=card), previous=None)
    assert parse_release(texts["release.json"], "there").card == card
