"""Small made-up records of every stage, for tests of splits, attacks, export and card: no source, no model."""

import csv
import hashlib
import io
import random
from collections.abc import Sequence
from functools import cache

from PIL import Image as PillowImage

from curation.export.rows import SubjectBundle
from curation.questions.attack_prompts import attack_prompts
from curation.splits.personalized_votes import Rated, calibrate, votes_by_preference
from curation.splits.personas import draw_persona
from curation.splits.roles import (
    complete_roles,
    enough_known,
    forgotten_subjects,
    known_facts,
    personalized_roles,
    rank_subjects,
    selective_roles,
)
from schemas.records.build_rows import AcceptedAnswer, Assignment, Fact, Knowledge, Licence, Portrait, Question, Subject
from schemas.vocabulary import MODALITIES, OPTION_LABELS, RATIOS, TASKS, VIEWS, Sensitivity
from tests.documents import ROOT

ROSTER = ROOT.parent / "shared" / "official" / "roster.csv"
GROUPS = ("artists", "athletes", "politicians", "scientists")
SENSITIVE: tuple[Sensitivity, ...] = (
    "family", "location", "finance", "physical", "health", "belief", "orientation", "criminal",
)  # fmt: skip
PLAIN: tuple[Sensitivity, ...] = ("public", "biographical", "public", "public")
TOWNS = ("Arnvik", "Belmora", "Castelin", "Dunmere", "Elbrook", "Farholt", "Grenna", "Hollin", "Istrava", "Jorvale")


def make_subject(number: int, *, rank: int | None = None, group: str | None = None, name: str | None = None) -> Subject:
    return Subject(
        subject_id=f"{number:03d}",
        qid=f"Q{1000 + number}",
        name=name or f"Ada Lind{_letters(number)}",
        aliases=(),
        description="fictional person",
        occupations=("painter",),
        occupation_group=group or GROUPS[number % len(GROUPS)],
        living=True,
        birth_year=1960,
        death_year=None,
        sitelinks=12,
        portrait_titles=(),
        commons_category=None,
        revision=1,
        complete_rank=rank,
    )


def make_fact(
    subject: Subject, slot: int, *, sensitivity: Sensitivity = "public", gated: bool = False, answer: str | None = None
) -> Fact:
    text = answer or f"{TOWNS[(slot + int(subject.subject_id)) % len(TOWNS)]} {_letters(slot).lower()}"
    return Fact(
        fact_id=f"{subject.subject_id}-{slot:02d}",
        sample_id=f"{subject.name.replace(' ', '_')}_{slot:02d}",
        subject_id=subject.subject_id,
        slot=slot,
        property_id=f"P{slot}",
        property_label=f"place {slot}",
        answer_type="place",
        sensitivity=sensitivity,
        gated=gated,
        statement_id=f"{subject.qid}$statement-{slot}",
        value_id="Q1",
        answer=text,
        accepted=(AcceptedAnswer(kind="text", text=text), AcceptedAnswer(kind="text", text=f"City of {text}")),
    )


def make_questions(subject: Subject, fact: Fact) -> tuple[Question, ...]:
    rows = []
    for task in TASKS:
        for modality in MODALITIES:
            who = subject.name if modality == "qa" else "this person"
            text = (
                f"The {fact.property_label} of {who} is ___."
                if task == "cloze"
                else (f"What is the {fact.property_label} of {who}?")
            )
            choice = task == "classification"
            label = OPTION_LABELS[fact.slot % 4]
            options = tuple(fact.answer if letter == label else f"Not {letter}" for letter in OPTION_LABELS)
            rows.append(
                Question(
                    question_id=f"{fact.sample_id}|{task}|{modality}",
                    sample_id=fact.sample_id,
                    fact_id=fact.fact_id,
                    subject_id=subject.subject_id,
                    task=task,
                    modality=modality,
                    text=text,
                    paraphrases=(f"Which is the {fact.property_label} of {who}?",) if task == "generation" else (),
                    answer=fact.answer,
                    options=options if choice else (),
                    answer_label=label if choice else None,  # type: ignore[arg-type]
                )
            )
    return tuple(rows)


def make_knowledge(fact: Fact, *, known: bool = True) -> tuple[Knowledge, ...]:
    return tuple(
        Knowledge(
            sample_id=fact.sample_id,
            fact_id=fact.fact_id,
            subject_id=fact.subject_id,
            modality=modality,
            known=known,
            verdict="known" if known else "greedy_wrong",
            generated_answer=f"It is {fact.answer}, says {modality}.",
            agreeing=2,
            asked=2,
            control_matches=0,
            controls=2,
        )
        for modality in MODALITIES
    )


@cache
def picture(number: int, *, side: int = 48) -> bytes:
    """A small JPEG of noise: every number another picture, and hardly compressible."""
    pixels = random.Random(f"picture:{number}").randbytes(side * side * 3)
    buffer = io.BytesIO()
    PillowImage.frombytes("RGB", (side, side), pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def make_portraits(subject: Subject, *, side: int = 48, views: Sequence[str] = VIEWS) -> tuple[Portrait, ...]:
    rows = []
    for view in views:
        content = picture(int(subject.subject_id) * 10 + int(view), side=side)
        rows.append(
            Portrait(
                image_id=f"{subject.subject_id}-{hashlib.sha256(content).hexdigest()[:12]}",
                subject_id=subject.subject_id,
                view=view,  # type: ignore[arg-type]
                title=f"{subject.name} {view}.jpg",
                source_url=f"https://example.org/{subject.subject_id}/{view}.jpg",
                description_url=f"https://example.org/File:{subject.subject_id}_{view}",
                sha1="0" * 40,
                licence=Licence(
                    short_name="CC BY-SA 4.0",
                    code="cc-by-sa-4.0",
                    url="https://creativecommons.org/licenses/by-sa/4.0",
                    usage_terms="",
                    artist="N. N.",
                    credit="Own work",
                    attribution="",
                    attribution_required=True,
                    restrictions="",
                    non_free=False,
                ),
                width=side,
                height=side,
                mime="image/jpeg",
                transformation="scaled",
                phash="0" * 16,
                content=content,
            )
        )
    return tuple(rows)


def make_bundles(
    people: int,
    *,
    facts: int = 6,
    sensitive: int = 3,
    gated_slots: Sequence[int] = (),
    unknown_slots: Sequence[int] = (),
    side: int = 48,
    ratios: Sequence[int] = RATIOS,
) -> list[SubjectBundle]:
    """A finished build: each subject has `facts - sensitive` plain facts from slot 1, sensitive ones from slot 25."""
    subjects = [make_subject(number) for number in range(1, people + 1)]
    all_facts = {
        subject.subject_id: _facts_of(subject, facts - sensitive, sensitive, gated_slots) for subject in subjects
    }
    knowledge = {
        subject_id: tuple(row for fact in own for row in make_knowledge(fact, known=fact.slot not in unknown_slots))
        for subject_id, own in all_facts.items()
    }
    roles = assign(subjects, all_facts, knowledge, ratios=ratios)
    bundles = []
    for subject in subjects:
        own = all_facts[subject.subject_id]
        questions = tuple(row for fact in own for row in make_questions(subject, fact))
        known = known_facts(own, knowledge[subject.subject_id])
        bundles.append(
            SubjectBundle(
                subject=subject,
                portraits=make_portraits(subject, side=side),
                facts=own,
                questions=questions,
                knowledge=knowledge[subject.subject_id],
                assignments=tuple(row for row in roles if row.subject_id == subject.subject_id),
                attacks=tuple(attack_prompts(subject, known, questions, seed=7)),
            )
        )
    return bundles


def assign(
    subjects: Sequence[Subject],
    facts: dict[str, tuple[Fact, ...]],
    knowledge: dict[str, tuple[Knowledge, ...]],
    *,
    ratios: Sequence[int],
) -> list[Assignment]:
    known = known_facts(
        [fact for own in facts.values() for fact in own], [row for own in knowledge.values() for row in own]
    )
    ids = {fact.subject_id for fact in known}
    ranks = rank_subjects([subject for subject in subjects if subject.subject_id in ids], seed=7)
    within, _ = enough_known(known)
    rated = rated_subjects(subjects, within)
    calibration = calibrate(rated, sensitive=SENSITIVE, raters=5, forget_share=0.257, sensitive_share=0.86, seed=7)
    votes = votes_by_preference(rated, calibration, sensitive=SENSITIVE, raters=5, seed=7)
    return [
        *complete_roles(known, forgotten_subjects(ranks, ratios=ratios)),
        *selective_roles(within, sensitive=SENSITIVE),
        *personalized_roles(within, votes).assignments,
    ]


def rated_subjects(subjects: Sequence[Subject], facts: Sequence[Fact], *, seed: int = 7) -> list[Rated]:
    own: dict[str, list[Fact]] = {}
    for fact in facts:
        own.setdefault(fact.subject_id, []).append(fact)
    return [
        Rated(subject=subject, persona=draw_persona(subject, seed=seed), facts=tuple(own[subject.subject_id]))
        for subject in subjects
        if subject.subject_id in own
    ]


def roster_like(*, counts: Sequence[tuple[int, int]]) -> tuple[list[Subject], list[Fact]]:
    """Subjects with the given (known facts, sensitive facts), classes drawn as a public figure's facts would fall."""
    subjects, facts = [], []
    for number, (known, sensitive) in enumerate(counts, start=1):
        subject = make_subject(number)
        subjects.append(subject)
        facts += _facts_of(subject, known - sensitive, sensitive, ())
    return subjects, facts


def published_counts() -> list[tuple[int, int]]:
    """(known facts, sensitive facts) of the 500 published subjects."""
    with ROSTER.open(newline="") as handle:
        return [(int(row["known_facts"]), int(row["sensitive_facts"])) for row in csv.DictReader(handle)]


def made_up_counts(people: int) -> list[tuple[int, int]]:
    """Counts shaped like the published ones (known: mean 24, 8-41; sensitive: mean 7.6, 1-12), drawn here."""
    rng = random.Random("counts")
    rows = []
    for _ in range(people):
        known = min(41, max(8, round(rng.gauss(24.3, 5.2))))
        rows.append((known, min(12, max(1, round(rng.gauss(0.31, 0.075) * known)))))
    return rows


def _facts_of(subject: Subject, plain: int, sensitive: int, gated: Sequence[int]) -> tuple[Fact, ...]:
    rng = random.Random(f"facts:{subject.subject_id}")
    slots = [*range(1, 25), *range(37, 51)][:plain]
    rows = [make_fact(subject, slot, sensitivity=rng.choice(PLAIN), gated=slot in gated) for slot in slots]
    for slot in range(25, 25 + sensitive):
        rows.append(make_fact(subject, slot, sensitivity=rng.choice(SENSITIVE), gated=slot in gated))
    return tuple(sorted(rows, key=lambda fact: fact.slot))


def _letters(number: int) -> str:
    """A word of letters for a number, so that no name or answer is a number."""
    word = ""
    while True:
        number, digit = divmod(number, 26)
        word = chr(ord("a") + digit) + word
        if not number:
            return word
