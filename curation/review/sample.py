"""Review sample: which facts a reader is given, and each of them as one line of text."""

import hashlib
from collections.abc import Iterable, Sequence

from curation.export.rows import attribution
from schemas.records.build_rows import Fact, Portrait, Question, Subject
from schemas.records.review import ReviewRow, ReviewSample
from schemas.storage.artifacts import digest
from schemas.vocabulary import Modality, Task

JOINED = " | "


def draw_sample(sample_ids: Iterable[str], *, seed: int, size: int) -> list[str]:
    """`size` facts at random (all, if there are fewer) in the order in which they are to be read.

    Each fact's place follows from the seed and its own id: a larger sample begins with the smaller one, another fact
    more or less in the build moves nobody, and who stops half-way has read a random sample too.
    """
    return sorted(sample_ids, key=lambda name: hashlib.sha256(f"{seed}:review:{name}".encode()).digest())[:size]


def shown_digest(fact: Fact, questions: Iterable[Question], image_id: str) -> str:
    """Digest of what a reader judges: wordings, answers, options in any order, the statement, the picture ("": none).

    It begins with a letter, so that no spreadsheet takes it for a number.
    """
    forms = sorted((row.task, row.modality, row.text, *sorted(row.options)) for row in questions)
    seen = [
        *("\t".join(form) for form in forms),
        fact.answer,
        *sorted(form.text for form in fact.accepted),
        fact.property_id,
        fact.statement_id,
        image_id,
    ]
    return f"x{digest(list(seen))[:12]}"


def review_row(
    subject: Subject,
    fact: Fact,
    questions: Sequence[Question],
    picture: Portrait | None,
    *,
    place: int,
    sample: ReviewSample,
    source: str,
) -> ReviewRow:
    """The line of a fact without a verdict. `source` is the address of an item's page before its QID, or ""."""
    asked: dict[tuple[Task, Modality], Question] = {(row.task, row.modality): row for row in questions}
    choice, plain = asked["classification", "qa"], asked["generation", "qa"]
    page = f"{source}{subject.qid}" if source else ""
    past = "put in the past tense" if fact.past else ""
    return ReviewRow(
        place=place,
        verdict="",
        reason="",
        subject=subject.name,
        description=subject.description,
        subject_link=page,
        question=plain.text,
        picture_question=asked["generation", "vqa"].text,
        answer=fact.answer,
        accepted=JOINED.join(dict.fromkeys(form.text for form in fact.accepted)),
        option_a=choice.options[0],
        option_b=choice.options[1],
        option_c=choice.options[2],
        option_d=choice.options[3],
        right_option=choice.answer_label or "",
        cloze=asked["cloze", "qa"].text,
        picture_cloze=asked["cloze", "vqa"].text,
        paraphrases=JOINED.join(plain.paraphrases),
        property=f"{fact.property_label} ({fact.property_id})",
        qualified_by=JOINED.join(part for part in (fact.topic, past) if part),
        value_id=fact.value_id,
        statement_id=fact.statement_id,
        statement_link=f"{page}#{fact.statement_id}" if page else "",
        references=f"{fact.references} ({fact.cited} with a named source)",
        sensitivity=f"{fact.sensitivity}, gated" if fact.gated else fact.sensitivity,
        never_offered=JOINED.join(fact.withheld),
        picture=picture.title if picture is not None else "",
        picture_link=picture.description_url if picture is not None else "",
        picture_credit=_credit(picture) if picture is not None else "",
        sample_id=fact.sample_id,
        sample=sample.text(),
        shown=shown_digest(fact, questions, picture.image_id if picture is not None else ""),
    )


def _credit(picture: Portrait) -> str:
    said, licence = attribution(picture), picture.licence.short_name
    return said if licence in said else f"{said}, {licence}"
