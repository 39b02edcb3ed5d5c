"""A corpus of replies as people and models write them, each with the outcome that is right, on invented people.

`data/reply_questions.toml` holds what is asked, what counts as right and what holds of others; `data/replies.jsonl` one
reply a line. It uses only what older commits have too, so that benchmarks/replies.py can compare with them.
"""

import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from eval.scores.outcome import Values, values_of
from eval.scores.score_reply import score
from eval.tasks.dataset_rows import accepted_answers
from eval.tasks.questions import AskedFact, EvalQuestion
from schemas.protocols.responder import Reply
from schemas.records.evaluation import Prediction

DATA = Path(__file__).parent / "data"
LETTERS = "ABCD"


@dataclass(frozen=True)
class Kept:
    """One reply of the corpus. `letter`: the choice that is right to read, where a choice was asked for, or "-"."""

    question: str
    letter: str
    reply: str
    outcome: str
    kind: str
    """Of fault in the table of issue reports, such as "M5", with the language after it."""
    part: str
    """"open": written before the rules; "held", "late", "last" and "fresh": each written after what came before had
    been mended, to see whether the rules are general (benchmarks/RESULTS.md has what they got unseen)."""


def corpus() -> list[Kept]:
    """Every reply, in the order of the file."""
    lines = (DATA / "replies.jsonl").read_text(encoding="utf-8").splitlines()
    return [Kept(**json.loads(line)) for line in lines]


def questions() -> dict[str, EvalQuestion]:
    """The open questions by name, about subject 001."""
    found = tomllib.loads((DATA / "reply_questions.toml").read_text(encoding="utf-8"))
    return {name: _question(name, cells) for name, cells in found.items()}


def values() -> Values:
    """The world of the corpus: what holds of the subject, and of others."""
    found = tomllib.loads((DATA / "reply_questions.toml").read_text(encoding="utf-8"))
    facts = []
    for name, cells in found.items():
        own = accepted_answers(cells["accepted"], cells["answer_type"])
        facts.append(AskedFact(f"001-{name}", "001", name, cells["answer_type"], own, tuple(cells["options"])))
        for number, text in enumerate(cells["others"], start=2):
            forms = accepted_answers([text], cells["answer_type"])
            facts.append(AskedFact(f"00{number}-{name}", f"00{number}", name, cells["answer_type"], forms, ()))
    return values_of(facts)


def scored(row: Kept, asked: EvalQuestion, world: Values) -> Prediction:
    """What evaluation makes of a reply."""
    if row.letter:
        asked = _as_choice(asked)
    reply = Reply(ask_id="1", text=row.reply)
    return score(asked, reply, prompt=asked.text, values=world, likelihoods={}, nll=None)


def _question(name: str, cells: dict[str, object]) -> EvalQuestion:
    answer_type, accepted, options = str(cells["answer_type"]), cells["accepted"], cells["options"]
    assert isinstance(accepted, list)
    assert isinstance(options, list)
    return EvalQuestion(
        key=f"001-{name}|generation|qa",
        sample_id=f"001-{name}",
        subject_id="001",
        subject="Ada Lovell",
        task="generation",
        modality="qa",
        role="forget",
        text=str(cells["text"]),
        options=tuple(options),
        label="",
        answer=accepted[0],
        accepted=accepted_answers(accepted, answer_type),
        kind=name,
        answer_type=answer_type,
        picture=None,
    )


def _as_choice(asked: EvalQuestion) -> EvalQuestion:
    return replace(asked, task="classification", label=LETTERS[asked.options.index(asked.answer)])
