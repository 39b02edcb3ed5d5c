"""The stage select: who becomes a subject."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from curation.subjects.namesakes import left_out, tell_apart
from curation.subjects.roster import Resolution, RosterLine
from curation.subjects.selection import as_wanted, balanced, drop_of, not_a_subject, private_reason, ranked, subject_of
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources
from flows.stages.facts import require_most
from flows.stages.roster_names import BLOCK, Asked, blocks, lines_of, named, resolved, told
from schemas.errors import BadInput
from schemas.protocols.source import BrokenEntity, PeopleFilter, Source
from schemas.recipes.source_recipe import SelectConfig
from schemas.records.build_rows import Drop, Subject
from schemas.records.entities import Entity, MissingEntity

log = logging.getLogger(__name__)

T = TypeVar("T")
POOL_TIMES = 3
"""Candidates for each subject where pageviews or balance choose among them."""


def select(run: StageRun, resources: Resources) -> None:
    """Subjects in order of their ids, cut into shards of `recipe.shard`; everyone refused is a drop row.

    In a later batch the ids go on where the earlier ones end, and nobody becomes a subject twice.
    """
    config, source = run.recipe.select, resources.source()
    earlier = list(run.read_earlier("select", "subjects", Subject))
    standing = {subject.qid: subject.subject_id for subject in earlier}
    asked = Asked()
    if config.subjects or config.roster:
        asked = named(run, source)
        qids = [qid for _, qid in asked.lines]
    else:
        qids = _selected(config, source)
    entities, refused = _people(qids, source, standing)
    if config.subjects or config.roster:
        _note_moves(entities, asked)
    private = {one.qid: why for one in entities if (why := private_reason(one, year=config.year)) is not None}
    refused += [drop_of(qid, *why) for qid, why in private.items()]
    found = list(_subjects([one for one in entities if one.qid not in private], source, year=config.year))
    if not config.subjects and not config.roster:
        found, left = _chosen(found, entities, config, source)
        refused += left
        if len(qids) > config.limit:
            run.notes["candidates"] = len(qids)
    unclear = left_out(_numbered(found, asked.lines, entities, standing), earlier)
    found = [one for one in found if one.qid not in {drop.item for drop in unclear}]
    subjects = tell_apart(_numbered(found, asked.lines, entities, standing), earlier)
    refused += unclear
    drops = asked.drops + refused
    if not subjects:
        reasons = ", ".join(sorted({drop.reason for drop in drops})) or "the source selected nobody"
        raise BadInput(
            "[select]", f"nobody is left of {len(qids)} asked for ({reasons})", "name others, or ask for less"
        )
    asked_for = len(qids) + len(asked.drops)
    shards = list(blocks(subjects, run.recipe.shard))

    def write(number: int) -> Tables:
        run.took[number] = asked_for if number == 0 else 0
        tables = {"subjects": Rows(Subject, shards[number])}
        if number == 0:
            tables["drops"] = Rows(Drop, drops)
            if asked.resolutions:
                tables["resolutions"] = Rows(Resolution, asked.resolutions)
        return tables

    run.map("subjects", range(len(shards)), write)


def find_people(asked: Sequence[str], source: Source) -> tuple[list[Entity], list[Drop]]:
    """The people that names and QIDs mean, redirects followed, each once; and a drop for everything else."""
    found = resolved(lines_of(asked), source, {}, least_sitelinks=1, progress=lambda done: None)
    people, refused = _people([qid for _, qid in found.lines], source, {})
    return people, found.drops + refused


def _selected(config: SelectConfig, source: Source) -> list[str]:
    """QIDs of the source's own selection: more than the limit where something else chooses among them."""
    wanted = _filter_of(config)
    pool = config.limit * (POOL_TIMES if config.balance or config.rank_by != "sitelinks" else 1)
    return source.people(limit=pool, min_sitelinks=config.min_sitelinks, wanted=wanted)


def _filter_of(config: SelectConfig) -> PeopleFilter:
    return PeopleFilter(
        occupations=config.occupations,
        countries=config.countries,
        born_from=config.born[0] if config.born else None,
        born_to=config.born[1] if config.born else None,
        living=config.living,
    )


def _chosen(
    subjects: Sequence[Subject], entities: Sequence[Entity], config: SelectConfig, source: Source
) -> tuple[list[Subject], list[Drop]]:
    """The subjects that the recipe's selection wants, best known first, and a drop for everyone who is not as asked."""
    wanted, drops, fitting = _filter_of(config), list[Drop](), list[Subject]()
    for subject in subjects:
        problem = as_wanted(subject, wanted)
        if problem is None:
            fitting.append(subject)
        else:
            drops.append(drop_of(subject.qid, "not_as_selected", problem))
    if config.rank_by == "sitelinks_and_pageviews":
        titles = {entity.qid: entity.wikipedia_title for entity in entities}
        views = {
            subject.qid: source.pageviews(title, year=config.year - 1) if (title := titles[subject.qid]) else 0
            for subject in fitting
        }
        fitting = ranked(fitting, views)
    return (balanced(fitting, limit=config.limit) if config.balance else fitting[: config.limit]), drops


def _people(asked: Sequence[str], source: Source, standing: Mapping[str, str]) -> tuple[list[Entity], list[Drop]]:
    """The people among the entities asked for; `standing` are the ids of subjects of earlier batches by QID."""
    people: dict[str, Entity] = {}
    drops: list[Drop] = []
    for answer in source.entities(asked):
        if isinstance(answer, MissingEntity):
            drops.append(drop_of(answer.requested_id, "entity_missing", ""))
        elif isinstance(answer, BrokenEntity):
            drops.append(drop_of(answer.requested_id, "malformed_entity", answer.problem))
        elif answer.qid in people:
            drops.append(drop_of(answer.requested_id, "duplicate_subject", f"{answer.qid} stands already"))
        elif answer.qid in standing:
            detail = f"subject {standing[answer.qid]} stands already"
            drops.append(drop_of(answer.requested_id, "duplicate_subject", detail))
        elif (problem := not_a_subject(answer)) is not None:
            drops.append(drop_of(answer.requested_id, *problem))
        else:
            people[answer.qid] = told(answer)
    broken = sum(drop.reason == "malformed_entity" for drop in drops)
    require_most(broken, len(asked), "entities could not be read", least=3)
    return list(people.values()), drops


def _note_moves(entities: Sequence[Entity], asked: Asked) -> None:
    """Say where a QID leads elsewhere, and where the roster's name is not the entity's."""
    lines = {qid: line for line, qid in asked.lines}
    for entity in entities:
        line = lines[entity.requested_id]
        if entity.qid != entity.requested_id:
            log.warning("select: %s was merged into %s (%s)", entity.requested_id, entity.qid, entity.label)
        if line.qid and line.name and line.name not in (entity.label, *entity.aliases):
            log.warning("select: the roster calls %s %r, Wikidata calls it %r", line.qid, line.name, entity.label)


def _subjects(entities: Sequence[Entity], source: Source, *, year: int) -> Iterable[Subject]:
    """Subject rows, not yet numbered."""
    for block in blocks(entities, BLOCK):
        labels = _labels(source, (qid for entity in block for qid in entity.items("P106")))
        for entity in block:
            names = [labels[qid] for qid in entity.items("P106") if qid in labels]
            yield subject_of(entity, names, subject_id="000", year=year)


def _numbered(
    subjects: Sequence[Subject],
    lines: Sequence[tuple[RosterLine, str]],
    entities: Sequence[Entity],
    standing: Mapping[str, str],
) -> list[Subject]:
    """The subjects with their ids, in order of these.

    Who has an id in the roster keeps it, and the roster's spelling of the name, of which sample ids are made; all
    others are numbered on from the largest id there is.
    """
    asked_as = {entity.qid: entity.requested_id for entity in entities}
    line_of = {qid: line for line, qid in reversed(lines)}
    published = {
        subject.qid: line for subject in subjects if (line := line_of.get(asked_as[subject.qid])) and line.subject_id
    }
    last = max(
        (int(number) for number in (*standing.values(), *(line.subject_id for line in published.values()))), default=0
    )
    numbered: list[Subject] = []
    for subject in subjects:
        line = line_of.get(asked_as[subject.qid])
        if line is None or not line.subject_id:
            last += 1
            update: dict[str, object] = {"subject_id": f"{last:03d}"}
        else:
            update = {"subject_id": line.subject_id}
            if line.name and line.name != subject.name:
                aliases = dict.fromkeys((subject.name, *subject.aliases))
                update |= {"name": line.name, "aliases": tuple(name for name in aliases if name != line.name)}
        if line is not None:
            update["complete_rank"] = line.complete_rank
        numbered.append(subject.model_copy(update=update))
    return sorted(numbered, key=lambda subject: int(subject.subject_id))


def _labels(source: Source, qids: Iterable[str]) -> dict[str, str]:
    found = source.entities(sorted(set(qids)))
    return {entity.requested_id: entity.label for entity in found if isinstance(entity, Entity) and entity.label}
