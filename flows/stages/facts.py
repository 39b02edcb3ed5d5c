"""Stage facts: what is stated about each subject, fetched, and made into facts or drops."""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain

from curation.facts.facts import facts_of, unknown_qualifiers
from curation.facts.linked_entities import further_places, further_values, needed_values
from curation.facts.properties import PropertyTable, load_properties
from curation.subjects.sample_names import sample_names
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources
from schemas.errors import Unfinished
from schemas.protocols.source import BrokenEntity, Source
from schemas.records.build_rows import Drop, Fact, Subject, UnknownQualifier
from schemas.records.entities import Entity, MissingEntity

TOLERATED_FAILURES = 0.2
"""Share of failed requests above which a stage stops instead of writing the failures down as facts."""

PLACES_UP = 2
"""Times that what a building stands in is looked up further: from its quarter to the district, and to the town."""


def facts(run: StageRun, resources: Resources) -> None:
    """Statements to facts by the property table; each statement that does not become one is a drop row."""
    table, config = load_properties(), run.recipe.facts
    standing = run.read_earlier("select", "subjects", Subject)
    names = sample_names(chain(standing, run.read("select", "subjects", Subject)))

    def work(shard: int) -> Tables:
        source = resources.source()
        subjects = {subject.qid: subject for subject in run.read("select", "subjects", Subject, shard)}
        kept: list[Fact] = []
        drops: list[Drop] = []
        people: list[Entity] = []
        for answer in source.entities(list(subjects)):
            if isinstance(answer, Entity):
                people.append(answer)
            else:
                drops.append(_lost(subjects[answer.requested_id], answer))
        require_most(len(drops), len(subjects), "subjects could not be read again", least=3)
        values = _values_of(people, table, source)
        for person in people:
            subject = subjects[person.requested_id]
            found, left = facts_of(
                subject,
                person,
                values,
                table,
                gated=config.gated,
                sensitive=config.sensitive,
                exclude=config.exclude,
                third_party_sitelinks=config.third_party_sitelinks,
                sample_name=names[subject.subject_id],
            )
            kept += found
            drops += left
            if not found:
                detail = f"{len(person.statements)} statements, none of them a fact"
                drops.append(
                    Drop(
                        stage="facts", subject_id=subject.subject_id, item=subject.qid, reason="no_facts", detail=detail
                    )
                )
        run.took[shard] = sum(len(person.statements) for person in people)
        unknown = _unknown_qualifiers(people, table)
        made = {"facts": Rows(Fact, kept), "drops": Rows(Drop, drops)}
        return made | ({"unknown_qualifiers": Rows(UnknownQualifier, unknown)} if unknown else {})

    run.map("facts", run.shards(), work, parallel=resources.parallel_fetches, stop=resources.stop_asking)


def _unknown_qualifiers(people: Sequence[Entity], table: PropertyTable) -> list[UnknownQualifier]:
    """The qualifiers without a rule, and on how many statements of these people they stand."""
    found = Counter(each for person in people for each in unknown_qualifiers(person, table))
    return [
        UnknownQualifier(property_id=base, qualifier_id=each, statements=count)
        for (base, each), count in sorted(found.items())
    ]


def _lost(subject: Subject, answer: MissingEntity | BrokenEntity) -> Drop:
    """The drop row of a subject that the source had at selection and has no longer."""
    broken = isinstance(answer, BrokenEntity)
    return Drop(
        stage="facts",
        subject_id=subject.subject_id,
        item=answer.requested_id,
        reason="malformed_entity" if broken else "entity_missing",
        detail=answer.problem if isinstance(answer, BrokenEntity) else "",
    )


def require_most(failed: int, asked: int, what: str, *, least: int) -> None:
    """Raise Unfinished if more than `least` and more than a fifth of what was asked for failed: that is an outage."""
    if failed > least and failed > asked * TOLERATED_FAILURES:
        raise Unfinished(f"{failed} of {asked} {what}: the source seems to be out of order")


def _values_of(people: Sequence[Entity], table: PropertyTable, source: Source) -> dict[str, Entity]:
    """Every entity that what is stated of these people leads to: values, what they are of, and places around them."""
    values = _read(source, {qid for person in people for qid in needed_values(person, table)})
    values |= _read(source, further_values(values, table))
    for _ in range(PLACES_UP):
        if places := further_places(people, values, table):
            values |= _read(source, places)
    return values


def _read(source: Source, qids: Collection[str]) -> dict[str, Entity]:
    qids = sorted(qids)
    return {value.requested_id: value for value in source.entities(qids) if isinstance(value, Entity)}
