"""Review page: keys and buttons in a real browser, what it keeps and downloads, and that no text becomes markup."""

import csv
import io
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.review.review_page import REASONS, ReviewFiles, write_review
from schemas.records.review import ReviewRow, ReviewSample
from tests.servers.browser import CHROMIUM, WHY_NOT, Seen, page_after_scripts
from tests.worlds.explorer_world import HOSTILE, RIGHT_TO_LEFT

needs_browser = pytest.mark.skipif(not CHROMIUM, reason=WHY_NOT)
SAMPLE = ReviewSample(build="demo.x3f2a9c01", seed=7, size=4, of=9, drawn_from="known")
PIXEL = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"
PRESS = """<script>
for (const step of {steps}) {{
  if (step.startsWith("type ")) document.querySelector("#own").value = step.slice(5);
  else if (step.startsWith("click ")) document.querySelector(step.slice(6)).click();
  else if (step === "Enter") document.querySelector("#why").requestSubmit();
  else document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {{key: step, bubbles: true}}));
}}
const download = document.querySelector("#download");
download.addEventListener("click", (event) => event.preventDefault());
download.click();
</script>"""


def row(place: int, name: str, **cells: object) -> ReviewRow:
    texts = dict.fromkeys(ReviewRow.model_fields, "")
    return ReviewRow.model_validate(
        texts
        | {
            "place": place, "subject": name, "sample_id": f"S_{place:02d}", "shown": f"x{place}",
            "question": f"Where was {name} born?", "picture_question": "Where was this person born?",
            "answer": "Whinstad", "accepted": "Whinstad | City of Whinstad", "option_a": "Juttwick",
            "option_b": "Whinstad", "option_c": "Brackmere", "option_d": "Flintness", "right_option": "B",
            "property": "place of birth (P19)", "sample": SAMPLE.text(),
        }
        | cells
    )  # fmt: skip


ROWS = (
    row(1, "Ada Lind", subject_link="https://www.wikidata.org/wiki/Q1001", value_id="Q64"),
    row(2, HOSTILE, description=HOSTILE, answer='=cmd("x")', subject_link="javascript:alert(1)"),
    row(3, RIGHT_TO_LEFT),
    row(4, "Zoë, née 'Å'"),
)


def write(folder: Path) -> ReviewFiles:
    pictures = {"S_01": PIXEL, "S_02": PIXEL}
    return write_review(
        ROWS, pictures, SAMPLE, name=HOSTILE, command="ppubench review b --read f", out=folder, stem="s"
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> ReviewFiles:
    return write(tmp_path_factory.mktemp("page"))


Look = Callable[..., Seen]


@pytest.fixture(scope="module")
def look(written: ReviewFiles, tmp_path_factory: pytest.TempPathFactory) -> Look:
    """The page after the keys that are pressed, each set of keys in a browser that has kept nothing yet."""
    seen = dict[tuple[str, ...], Seen]()

    def after(*steps: str, home: Path | None = None) -> Seen:
        if home is not None or steps not in seen:
            folder = tmp_path_factory.mktemp("pressed")
            page = written.html.read_text()
            page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)  # the keys are a script too
            (folder / "page.html").write_text(page.replace("</body>", PRESS.format(steps=list(steps)) + "</body>"))
            found = Seen(page_after_scripts(folder / "page.html", home=home or tmp_path_factory.mktemp("browser")))
            if home is not None:
                return found
            seen[steps] = found
        return seen[steps]

    return after


def downloaded(seen: Seen) -> list[dict[str, str]]:
    (address,) = [attributes["href"] for _, attributes in seen.elements if attributes.get("id") == "download"]
    assert address is not None
    text = urllib.parse.unquote(address.removeprefix("data:text/csv;charset=utf-8,"))
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def verdicts(seen: Seen) -> list[tuple[str, str]]:
    return [(line["verdict"], line["reason"]) for line in downloaded(seen)]


def test_the_table_beside_the_page_has_a_line_a_fact_and_no_verdict(written: ReviewFiles) -> None:
    lines = list(csv.DictReader(io.StringIO(written.csv.read_text(encoding="utf-8-sig"), newline="")))
    assert [line["sample_id"] for line in lines] == ["S_01", "S_02", "S_03", "S_04"]
    assert {(line["verdict"], line["reason"]) for line in lines} == {("", "")}


def test_what_a_spreadsheet_would_run_is_text_in_the_table(written: ReviewFiles) -> None:
    assert '"\'=cmd(""x"")"' in written.csv.read_text()


def test_the_same_sample_gives_the_same_page(written: ReviewFiles, tmp_path: Path) -> None:
    assert write(tmp_path).html.read_bytes() == written.html.read_bytes()


def test_a_picture_that_facts_share_is_in_the_page_once(written: ReviewFiles) -> None:
    assert written.html.read_text().count(PIXEL) == 1


def test_nothing_of_the_data_becomes_markup(written: ReviewFiles) -> None:
    assert "<img src=x" not in written.html.read_text()


@needs_browser
def test_the_policy_lets_the_pages_own_scripts_run(written: ReviewFiles, tmp_path: Path) -> None:
    assert "0 of 4 judged" in Seen(page_after_scripts(written.html, home=tmp_path)).text


@needs_browser
def test_a_fact_is_shown_with_question_answer_options_and_statement(look: Look) -> None:
    text = look().text
    for words in ("Where was Ada Lind born?", "Where was this person born?", "also right: City of Whinstad",
                  "B: Whinstad (right)", "D: Flintness", "place of birth (P19)"):  # fmt: skip
        assert words in text


@needs_browser
def test_subject_and_value_are_linked(look: Look) -> None:
    addresses = {attributes.get("href") for tag, attributes in look().elements if tag == "a"}
    assert {"https://www.wikidata.org/wiki/Q1001", "https://www.wikidata.org/wiki/Q64"} <= addresses


@needs_browser
def test_hostile_names_are_shown_as_they_are_and_lead_nowhere(look: Look) -> None:
    seen = look("n")
    assert HOSTILE in seen.text
    assert not any((attributes.get("href") or "").startswith("javascript") for _, attributes in seen.elements)
    assert not any(attributes.get("src") == "x" for _, attributes in seen.elements)


@needs_browser
def test_without_verdicts_the_download_is_the_table(look: Look, written: ReviewFiles) -> None:
    table = io.StringIO(written.csv.read_text(encoding="utf-8-sig"), newline="")
    assert downloaded(look()) == list(csv.DictReader(table))


@needs_browser
def test_a_rejection_can_be_thought_better_of_and_accepting_goes_on_to_the_next_fact(look: Look) -> None:
    seen = look("r", "Escape", "a")
    assert "2 of 4. " in seen.text
    assert verdicts(seen) == [("accept", ""), ("", ""), ("", ""), ("", "")]


@needs_browser
def test_a_rejection_takes_a_number_or_words_for_its_reason(look: Look) -> None:
    seen = look("r", "2", "r", "type =two wives", "Enter")
    assert verdicts(seen)[:2] == [("reject", REASONS[1]), ("reject", "'=two wives")]
    assert "2 of 4 judged: 0 accepted, 2 rejected" in seen.text


@needs_browser
def test_a_rejection_without_a_reason_is_asked_for_one(look: Look) -> None:
    seen = look("r", "Enter")
    assert "Say why: press 1 to 8, or write a few words." in seen.text
    assert verdicts(seen)[0] == ("", "")


@needs_browser
def test_undo_takes_the_last_verdict_back_and_returns_to_its_fact(look: Look) -> None:
    seen = look("a", "p", "r", "1", "u")
    assert "1 of 4. " in seen.text
    assert verdicts(seen)[:2] == [("accept", ""), ("", "")]


@needs_browser
def test_buttons_do_what_keys_do(look: Look) -> None:
    seen = look("click #accept", "click #next", "click #back", "click #reject", "click #why li:nth-child(3) button")
    assert verdicts(seen)[:2] == [("accept", ""), ("reject", REASONS[2])]


@needs_browser
def test_facts_without_a_verdict_come_round_until_all_have_one_and_the_page_says_what_comes_next(look: Look) -> None:
    text = look("n", "a", "a", "a", "a").text
    assert "Every fact is judged." in text
    assert "ppubench review b --read f" in text


@needs_browser
def test_the_browser_keeps_the_verdicts_and_what_can_be_undone(look: Look, tmp_path: Path) -> None:
    look("a", "r", "4", home=tmp_path)
    again = look("u", home=tmp_path)
    assert verdicts(again)[:2] == [("accept", ""), ("", "")]
    assert "1 of 4 judged: 1 accepted, 0 rejected" in again.text
