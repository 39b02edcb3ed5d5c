"""The one truth about methods: each row has a paper, a test and a line in docs/methods.md."""

import re

import pytest

from tests.documents import ROOT
from unlearn.methods.catalogue import described, page
from unlearn.methods.table import METHODS

TESTED = "".join(path.read_text() for path in sorted((ROOT / "tests" / "unlearn").rglob("*.py")))
DOCS = (ROOT / "docs" / "methods.md").read_text()


def test_the_page_of_methods_is_what_the_table_says() -> None:
    assert page() == DOCS, "write it again: python -m unlearn.methods.catalogue > docs/methods.md"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_row_has_a_paper_with_an_id_or_a_venue(name: str) -> None:
    paper = METHODS[name].paper
    assert paper is not None
    assert re.fullmatch(r"\d{4}\.\d{5}", paper.arxiv) or paper.venue
    assert paper.year >= 2017


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_row_is_named_in_a_test_of_its_loss(name: str) -> None:
    assert f'"{name}"' in TESTED


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_row_has_a_line_in_the_docs(name: str) -> None:
    assert f"| `{name}` | " in DOCS


def test_what_a_method_needs_is_read_from_its_terms() -> None:
    assert METHODS["ga"].needs == ()
    assert METHODS["kl"].needs == ("retain", "reference")


def test_a_row_as_json_names_paper_needs_and_choices() -> None:
    found = described(METHODS["npo"])
    assert found["paper"] == {
        "title": "Negative Preference Optimization: From Catastrophic Collapse to Effective Unlearning",
        "year": 2024, "arxiv": "2404.05868", "venue": "",
    }  # fmt: skip
    assert (found["kind"], found["needs"]) == ("preference", ["reference"])
