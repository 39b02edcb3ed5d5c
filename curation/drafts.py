"""Drafts of facts, before they are numbered: statements of one property put together, and questions on qualifiers."""

from collections.abc import Mapping, Sequence

from curation.answers import Reading, Unread, accepted_forms, read_value
from curation.properties import Property, PropertyTable, QualifierProperty
from curation.statements import Candidate, first_qualifier, third_party_problem
from curation.values import containers
from schemas.entities import Entity
from schemas.records import AcceptedAnswer, Drop, Subject
from schemas.tables import Record
from schemas.words import Sensitivity

PLACES = ("place", "country", "burial place", "place of detention")
"""Answer types for which a place that contains the answer is no false option."""


class Draft(Record):
    """A fact before it has a slot. `statement_ids` are all statements that it stands for, the asked one first."""

    property_id: str
    property_label: str
    candidate: Candidate
    reading: Reading
    accepted: tuple[AcceptedAnswer, ...]
    topic: str
    past: bool
    withheld: tuple[str, ...]
    statement_ids: tuple[str, ...]


def main_drafts(
    subject: Subject,
    candidates: Mapping[str, Sequence[Candidate]],
    withheld: Mapping[str, Sequence[str]],
    values: Mapping[str, Entity],
    table: PropertyTable,
) -> list[Draft]:
    """One draft per property; several where values differ in the qualifier that is asked with, in class or in gate."""
    drafts = []
    for row in table.properties:
        groups: dict[tuple[str, Sensitivity, bool], list[Candidate]] = {}
        for each in _in_order(candidates.get(row.id, ()), row):
            groups.setdefault((each.topic, each.sensitivity, each.gate), []).append(each)
        for group in groups.values():
            others = [each for rest in groups.values() if rest is not group for each in rest]
            drafts.append(_main_draft(subject, row, group, others, withheld.get(row.id, ()), values))
    return drafts


def _main_draft(
    subject: Subject,
    row: Property,
    group: Sequence[Candidate],
    others: Sequence[Candidate],
    withheld: Sequence[str],
    values: Mapping[str, Entity],
) -> Draft:
    first = group[0]
    # A coarser date is no answer to a question for a finer one.
    alike = [each.reading for each in group if each.reading.answer_type == first.reading.answer_type]
    accepted = accepted_forms(alike)
    known = {answer.text for answer in accepted}
    not_false = [
        *withheld,
        *(answer.text for each in others for answer in each.reading.accepted),
        *(containers((each.reading.value_id for each in group), values) if row.answer in PLACES else ()),
    ]
    return Draft(
        property_id=row.id,
        property_label=row.label,
        candidate=first,
        reading=first.reading,
        accepted=accepted,
        topic=first.topic,
        past=not subject.living or all(each.ended for each in group),
        withheld=tuple(dict.fromkeys(text for text in not_false if text not in known)),
        statement_ids=tuple(each.statement.statement_id for each in group),
    )


def _in_order(candidates: Sequence[Candidate], row: Property) -> list[Candidate]:
    """Source order, but the finest date first, and the best-known value first where the row says so."""
    if row.value == "time":
        fineness = {"date": 0, "month": 1, "year": 2}
        return sorted(candidates, key=lambda each: fineness[each.reading.answer_type])
    if row.notable:
        return sorted(candidates, key=lambda each: -each.reading.sitelinks)
    return list(candidates)


def qualifier_drafts(
    subject: Subject,
    eligible: Mapping[str, Sequence[Candidate]],
    values: Mapping[str, Entity],
    table: PropertyTable,
    *,
    third_party_sitelinks: int,
    exclude: Sequence[str],
) -> tuple[list[Draft], list[Drop]]:
    """Drafts of qualifier questions: one per value of the base property, at most `qualifier_cap` a row."""
    drafts: list[Draft] = []
    drops: list[Drop] = []
    for row in table.qualifiers:
        if row.id in exclude:
            continue
        base = table.by_id[row.base]
        groups: dict[str, list[tuple[Candidate, Reading]]] = {}
        for candidate in _in_order(eligible.get(row.base, ()), base):
            read = _read_qualifier(candidate, row, values, table, third_party_sitelinks)
            if isinstance(read, Reading):
                groups.setdefault(candidate.reading.value_id, []).append((candidate, read))
            elif read is not None:
                drops.append(
                    fact_drop(subject, f"{row.id} {candidate.statement.statement_id}", read.reason, read.detail)
                )
        for number, group in enumerate(groups.values()):
            if number < table.qualifier_cap:
                drafts.append(_qualifier_draft(row, group))
            else:
                drops += [
                    fact_drop(subject, f"{row.id} {each.statement.statement_id}", "no_free_slot", "beyond the cap")
                    for each, _ in group
                ]
    return drafts, drops


def _qualifier_draft(row: QualifierProperty, group: Sequence[tuple[Candidate, Reading]]) -> Draft:
    candidate, reading = group[0]
    return Draft(
        property_id=row.id,
        property_label=row.label,
        candidate=candidate,
        reading=reading,
        accepted=accepted_forms(read for _, read in group),
        topic=candidate.reading.answer,
        past=True,
        withheld=(),
        statement_ids=tuple(each.statement.statement_id for each, _ in group),
    )


def _read_qualifier(
    candidate: Candidate,
    row: QualifierProperty,
    values: Mapping[str, Entity],
    table: PropertyTable,
    third_party_sitelinks: int,
) -> Reading | Unread | None:
    """What the qualifier says; None where the statement does not have it."""
    qualifier = first_qualifier(candidate.statement, row.qualifier)
    if qualifier is None:
        return None
    reading = read_value(
        qualifier.value, kind=row.value, answer_type=row.answer, values=values, table=table, to_the_year=True
    )
    if isinstance(reading, Reading) and row.person:
        problem = third_party_problem(
            values[reading.value_id],
            least_sitelinks=third_party_sitelinks,
            adult_born_by=table.adult_born_by,
            birth_wanted=False,
        )
        if problem:
            return Unread(reason="third_party", detail=problem)
    return reading


def fact_drop(subject: Subject, item: str, reason: str, detail: str) -> Drop:
    """A drop row of the facts stage."""
    return Drop(stage="facts", subject_id=subject.subject_id, item=item, reason=reason, detail=detail)
