"""A build folder of made-up records, without running a stage: hostile and foreign names, one without pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.records.build_rows import (
    Assignment,
    Drop,
    Duplicate,
    Evidence,
    Fact,
    Image,
    ImageHashes,
    Knowledge,
    Persona,
    Portrait,
    Question,
    Repair,
    Subject,
    SubjectRank,
    Vote,
)
from schemas.storage.artifacts import Manifest, file_entry, write_manifest
from schemas.storage.tables import Record, write_records
from schemas.vocabulary import STAGES, Stage
from tests.worlds.synthetic_build import (
    make_fact,
    make_knowledge,
    make_portraits,
    make_questions,
    make_subject,
    picture,
)

HOSTILE = "</script><img src=x onerror=\"document.title='pwned'\">"
RIGHT_TO_LEFT, EMOJI = "שרה לוי", "Zoë 👩🏽‍🚀 Ångström"
Made = Mapping[Stage, Mapping[str, tuple[type[Record], Sequence[Record]]]]


def write_stage(build: Path, stage: Stage, tables: Mapping[str, tuple[type[Record], Sequence[Record]]], *,
                batch: int = 0, rows_in: int = 0, drops: Mapping[str, int] | None = None) -> None:  # fmt: skip
    """The artifact of one stage as the stage itself would leave it."""
    folder = build / stage / str(batch)
    folder.mkdir(parents=True)
    files = []
    for table, (record, rows) in tables.items():
        path = folder / f"{table}-00000.parquet"
        files.append(file_entry(folder, path, write_records(path, rows, record)))
    counts = {table.split("-")[0]: len(rows) for table, (_, rows) in tables.items()}
    write_manifest(
        folder,
        Manifest(stage=stage, batch=batch, version=1, key="k", config={}, inputs={}, rows_in=rows_in, rows_out=counts,
                 drops=dict(drops or {}), files=tuple(files), libraries={}),
    )  # fmt: skip


def people() -> list[Subject]:
    names = ("Ada Lind", HOSTILE, RIGHT_TO_LEFT, EMOJI)
    subjects = [make_subject(number, name=name) for number, name in enumerate(names, start=1)]
    subjects[1] = subjects[1].model_copy(update={"aliases": (HOSTILE,), "description": HOSTILE})
    return subjects


def facts_of(subjects: Sequence[Subject]) -> list[Fact]:
    found = [make_fact(subject, slot) for subject in subjects for slot in (1, 25)]
    return [
        fact.model_copy(update={"sensitivity": "health" if fact.slot == 25 else "public", "property_label": label})
        for fact in found
        for label in [HOSTILE if fact.subject_id == "002" else fact.property_label]
    ]


def write_build(build: Path, *, until: Stage = "export", subjects: Sequence[Subject] | None = None) -> Path:
    """A build of four people up to a stage: the last one of them has no picture, the first two share one."""
    subjects = people() if subjects is None else subjects
    facts = facts_of(subjects)
    by_id = {subject.subject_id: subject for subject in subjects}
    knowledge = [row for fact in facts for row in make_knowledge(fact, known=fact.subject_id != "003")]
    portraits = [row for subject in subjects[:-1] for row in make_portraits(subject)]
    drops = [Drop(stage="facts", subject_id="002", item=HOSTILE, reason="property_excluded", detail=HOSTILE)] * len(
        subjects[:1]
    )
    left_out = [
        Drop(stage="probe", subject_id=fact.subject_id, item=fact.sample_id, reason="not_known", detail="qa wrong")
        for fact in facts if fact.subject_id == "003"
    ]  # fmt: skip
    made: Made = {
        "select": {"subjects": (Subject, subjects), "drops": (Drop, [])},
        "facts": {"facts": (Fact, facts), "drops-facts": (Drop, drops)},
        "images": {"images": (Image, _images(portraits)), "drops-images": (Drop, [])},
        "screen": {
            "portraits": (Portrait, portraits), "duplicates": (Duplicate, _duplicates(portraits)),
            "hashes": (ImageHashes, []), "subjects": (Subject, subjects), "drops-views": (Drop, []),
        },
        "questions": {
            "questions": (Question, [row for fact in facts for row in make_questions(by_id[fact.subject_id], fact)]),
            "drops-questions": (Drop, []),
        },
        "probe": {
            "knowledge": (Knowledge, knowledge), "evidence": (Evidence, _evidence(knowledge)),
            "drops-answers": (Drop, left_out),
        },
        "split": {
            "assignments": (Assignment, _roles(facts)), "votes": (Vote, _votes(facts)), "repairs": (Repair, []),
            "ranks": (SubjectRank, [SubjectRank(subject_id=subject.subject_id, occupation_group="g", rank=place)
                                    for place, subject in enumerate(subjects, start=1)]),
            "personas": (Persona, [Persona(subject_id=subject.subject_id, persona="private", description="wants quiet")
                                   for subject in subjects]),
        },
        "attack": {}, "export": {},
    }  # fmt: skip
    counts: dict[Stage, tuple[int, dict[str, int]]] = {
        "select": (len(subjects), {}),
        "facts": (len(facts) + len(drops), {"property_excluded": len(drops)}),
        "images": (len(portraits), {}),
        "questions": (len(facts), {}),
        "probe": (len(facts), {"not_known": len(left_out)}),
        "split": (len(facts) - len(left_out), {}),
    }
    for stage in STAGES[: STAGES.index(until) + 1]:
        rows_in, dropped = counts.get(stage, (0, {}))
        write_stage(build, stage, made[stage], rows_in=rows_in, drops=dropped)
    return build


def _images(portraits: Sequence[Portrait]) -> list[Image]:
    return [
        Image(
            image_id=row.image_id, subject_id=row.subject_id, title=row.title, origin="category", page_id=1,
            source_url="", description_url="javascript:alert(1)", description="", width=48, height=48,
            mime="image/jpeg", sha1="", timestamp="", licence=row.licence, content=picture(1),
        )
        for row in portraits
    ]  # fmt: skip


def _duplicates(portraits: Sequence[Portrait]) -> list[Duplicate]:
    if len(portraits) < 5:
        return []
    left, right = portraits[0], portraits[4]
    return [
        Duplicate(left_id=left.image_id, right_id=right.image_id, left_subject=left.subject_id,
                  right_subject=right.subject_id, distance=3, exact=False, kept=left.image_id)
    ]  # fmt: skip


def _evidence(knowledge: Sequence[Knowledge]) -> list[Evidence]:
    return [
        Evidence(sample_id=row.sample_id, subject_id=row.subject_id, modality=row.modality, condition=condition,
                 attempt=0, prompt=f"Say it. {HOSTILE}", image_id="", reply=HOSTILE, error="",
                 matched="it" if row.known and condition == "greedy" else "")
        for row in knowledge
        for condition in ("greedy", "no_image")
    ]  # fmt: skip


def _roles(facts: Sequence[Fact]) -> list[Assignment]:
    rows = []
    for fact in facts:
        sensitive = fact.sensitivity == "health"
        for setting, ratio, forget in (("complete", 30, fact.subject_id == "001"), ("selective", None, sensitive),
                                       ("personalized", None, sensitive)):  # fmt: skip
            rows.append(Assignment(sample_id=fact.sample_id, subject_id=fact.subject_id, setting=setting, ratio=ratio,  # type: ignore[arg-type]
                                   role="forget" if forget else "retain"))  # fmt: skip
    return rows


def _votes(facts: Sequence[Fact]) -> list[Vote]:
    return [Vote(sample_id=fact.sample_id, subject_id=fact.subject_id, rater=f"built-in:{n}", forget=n < 2)
            for fact in facts for n in range(3)]  # fmt: skip
