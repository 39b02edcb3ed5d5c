"""Reads a finished or unfinished build into dossiers of its subjects, one shard in memory at a time."""

import base64
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from eval.explorer.build_reader import BuildTables, Shard
from eval.explorer.page_rows import (
    AskShown,
    Dossier,
    DropShown,
    FactShown,
    FormShown,
    KnowingShown,
    PairShown,
    RoleShown,
    Shown,
    ViewShown,
)
from eval.explorer.thumbnails import strip, thumbnail
from schemas.progress import Progress, silent
from schemas.records.build_rows import (
    Assignment,
    Drop,
    Duplicate,
    Evidence,
    Fact,
    Image,
    Knowledge,
    Persona,
    Portrait,
    Question,
    Subject,
    SubjectRank,
    Vote,
)
from schemas.records.drop_reasons import REASONS
from schemas.storage.tables import Record
from schemas.vocabulary import MODALITIES, STAGES, TASKS, VIEWS

R = TypeVar("R", bound=Record)

VIEW_SIZE, PAIR_SIZE, STRIP_SIZE = (200, 240), (110, 132), (72, 90)
"""Pixels (width, height) of a thumbnail in a dossier, of a duplicate, and of one view in the gallery's strip."""


@dataclass(frozen=True)
class Opened:
    """A dossier with the WebP strip of its views, or none without a view."""

    dossier: Dossier
    views: bytes | None


@dataclass
class _Everywhere:
    """What is looked up across shards."""

    roles: dict[str, list[RoleShown]] = field(default_factory=lambda: defaultdict(list))
    votes: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    ranks: dict[str, int] = field(default_factory=dict)
    personas: dict[str, Persona] = field(default_factory=dict)
    pairs: dict[str, list[Duplicate]] = field(default_factory=lambda: defaultdict(list))
    pictures: dict[str, Shown] = field(default_factory=dict)
    drops: dict[str, list[Drop]] = field(default_factory=lambda: defaultdict(list))


def dossiers(tables: BuildTables, *, progress: Progress = silent) -> Iterator[Opened]:
    """Every subject of the build in order of batch, shard and table."""
    shards = tables.shards()
    progress("read", 0, len(shards) + 1)
    everywhere = _read_everywhere(tables)
    for number, shard in enumerate(shards, start=1):
        progress("read", number, len(shards) + 1)
        yield from _of_shard(tables, shard, everywhere)
    progress("read", len(shards) + 1, len(shards) + 1)


def _read_everywhere(tables: BuildTables) -> _Everywhere:
    found = _Everywhere()
    for row in tables.rows("split", "assignments", Assignment):
        found.roles[row.sample_id].append(RoleShown(setting=row.setting, ratio=row.ratio, role=row.role))
    for table in tables.columns("split", "votes", Vote, ["sample_id", "forget"]):
        for sample, forget in zip(table["sample_id"].to_pylist(), table["forget"].to_pylist(), strict=True):
            found.votes[sample].append(forget)
    found.ranks = {row.subject_id: row.rank for row in tables.rows("split", "ranks", SubjectRank)}
    found.personas = {row.subject_id: row for row in tables.rows("split", "personas", Persona)}
    wanted: set[str] = set()
    for pair in tables.rows("screen", "duplicates", Duplicate):
        wanted |= {pair.left_id, pair.right_id}
        for subject in sorted({pair.left_subject, pair.right_subject}):
            found.pairs[subject].append(pair)
    for picture in tables.rows("images", "images", Image):
        if picture.image_id in wanted:
            found.pictures[picture.image_id] = _shown(picture)
    for stage in STAGES:
        for drop in tables.rows(stage, "drops*", Drop):
            found.drops[drop.subject_id].append(drop)
    return found


def _shown(picture: Image) -> Shown:
    return Shown(
        image_id=picture.image_id,
        subject_id=picture.subject_id,
        title=picture.title,
        thumb=_encoded(thumbnail(picture.content, width=PAIR_SIZE[0], height=PAIR_SIZE[1])),
    )


def _encoded(content: bytes | None) -> str:
    return "" if content is None else base64.b64encode(content).decode()


def _of_shard(tables: BuildTables, shard: Shard, everywhere: _Everywhere) -> Iterator[Opened]:
    facts = _by_subject(tables.rows("facts", "facts", Fact, shard))
    portraits = _by_subject(tables.rows("screen", "portraits", Portrait, shard))
    questions = _by_subject(tables.rows("questions", "questions", Question, shard))
    knowledge = _by_subject(tables.rows("probe", "knowledge", Knowledge, shard))
    evidence = _by_subject(tables.rows("probe", "evidence", Evidence, shard))
    for subject in tables.rows("select", "subjects", Subject, shard):
        key = subject.subject_id
        own = sorted(portraits.get(key, []), key=lambda row: (row.view or "9", row.image_id))
        drops = everywhere.drops.get(key, [])
        samples = {fact.sample_id for fact in facts.get(key, [])}
        by_sample: dict[str, list[DropShown]] = defaultdict(list)
        for drop in drops:
            if drop.item in samples:
                by_sample[drop.item].append(_drop(drop))
        persona = everywhere.personas.get(key)
        views = [row.content for row in own if row.view is not None]
        yield Opened(
            Dossier(
                subject_id=key,
                qid=subject.qid,
                name=subject.name,
                aliases=subject.aliases,
                description=subject.description,
                occupations=subject.occupations,
                group=subject.occupation_group,
                living=subject.living,
                rank=everywhere.ranks.get(key),
                persona=persona.persona if persona else "",
                persona_text=persona.description if persona else "",
                views=tuple(_view(row) for row in own),
                pairs=tuple(_pair(row, everywhere.pictures) for row in everywhere.pairs.get(key, [])),
                drops=tuple(_drop(drop) for drop in drops if drop.item not in samples),
                facts=tuple(
                    _fact(
                        fact,
                        [row for row in questions.get(key, []) if row.sample_id == fact.sample_id],
                        [row for row in knowledge.get(key, []) if row.sample_id == fact.sample_id],
                        [row for row in evidence.get(key, []) if row.sample_id == fact.sample_id],
                        everywhere,
                        by_sample[fact.sample_id],
                    )
                    for fact in sorted(facts.get(key, []), key=lambda row: row.slot)
                ),
            ),
            strip(views[: len(VIEWS)], width=STRIP_SIZE[0], height=STRIP_SIZE[1]) if views else None,
        )


S = TypeVar("S", Fact, Portrait, Question, Knowledge, Evidence)


def _by_subject(rows: Iterator[S]) -> dict[str, list[S]]:
    found: dict[str, list[S]] = defaultdict(list)
    for row in rows:
        found[row.subject_id].append(row)
    return found


def _web(address: str) -> str:
    """The address if a browser may follow it: nothing but http and https."""
    return address if urlsplit(address).scheme in ("http", "https") else ""


def _drop(drop: Drop) -> DropShown:
    because = REASONS.get(drop.reason, drop.reason)
    return DropShown(stage=drop.stage, item=drop.item, because=because, detail=drop.detail)


def _view(row: Portrait) -> ViewShown:
    licence = row.licence
    return ViewShown(
        image_id=row.image_id,
        subject_id=row.subject_id,
        title=row.title,
        thumb=_encoded(thumbnail(row.content, width=VIEW_SIZE[0], height=VIEW_SIZE[1])),
        view=row.view or "",
        page=_web(row.description_url),
        licence=licence.short_name,
        licence_page=_web(licence.url),
        attribution=licence.attribution or licence.artist or licence.credit,
        change=row.transformation,
        width=row.width,
        height=row.height,
    )


def _pair(row: Duplicate, pictures: dict[str, Shown]) -> PairShown:
    def shown(image_id: str, subject_id: str) -> Shown:
        return pictures.get(image_id) or Shown(image_id=image_id, subject_id=subject_id, title="", thumb="")

    return PairShown(
        left=shown(row.left_id, row.left_subject),
        right=shown(row.right_id, row.right_subject),
        distance=row.distance,
        exact=row.exact,
        kept=row.kept,
    )


def _fact(
    fact: Fact,
    questions: Sequence[Question],
    knowledge: Sequence[Knowledge],
    evidence: Sequence[Evidence],
    everywhere: _Everywhere,
    left_out: Sequence[DropShown],
) -> FactShown:
    votes = everywhere.votes.get(fact.sample_id, [])
    return FactShown(
        fact_id=fact.fact_id,
        sample_id=fact.sample_id,
        property_id=fact.property_id,
        property_label=fact.property_label,
        answer_type=fact.answer_type,
        sensitivity=fact.sensitivity,
        gated=fact.gated,
        topic=fact.topic,
        answer=fact.answer,
        accepted=tuple(dict.fromkeys(answer.text for answer in fact.accepted if answer.text)),
        withheld=fact.withheld,
        statement_id=fact.statement_id,
        references=fact.references,
        cited=fact.cited,
        legal_basis_hint=fact.legal_basis_hint,
        forms=tuple(
            FormShown(
                task=row.task,
                modality=row.modality,
                text=row.text,
                paraphrases=row.paraphrases,
                options=row.options,
                label=row.answer_label or "",
            )
            for row in sorted(questions, key=lambda row: (TASKS.index(row.task), MODALITIES.index(row.modality)))
        ),
        knowing=tuple(_knowing(row, evidence) for row in sorted(knowledge, key=lambda row: row.modality)),
        roles=tuple(everywhere.roles.get(fact.sample_id, [])),
        votes_forget=sum(votes),
        votes=len(votes),
        left_out=tuple(left_out),
    )


def _knowing(row: Knowledge, evidence: Sequence[Evidence]) -> KnowingShown:
    return KnowingShown(
        modality=row.modality,
        verdict=row.verdict,
        agreeing=row.agreeing,
        asked=row.asked,
        control_matches=row.control_matches,
        controls=row.controls,
        asks=tuple(
            AskShown(
                condition=each.condition,
                prompt=each.prompt,
                picture=each.image_id,
                reply=each.reply,
                error=each.error,
                matched=each.matched,
            )
            for each in evidence
            if each.modality == row.modality
        ),
    )
