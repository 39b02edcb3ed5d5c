"""Drafts of facts, before they are numbered: statements of one property put together, and questions on qualifiers."""

from collections.abc import Iterator, Mapping, Sequence

from curation.answers import Reading, Unread, accepted_forms, read_value
from curation.properties import Property, PropertyTable, QualifierProperty
from curation.qualifier_roles import load_qualifiers
from curation.spells import goes_on, same_value
from curation.statements import Candidate, qualifiers_of, third_party_problem
from curation.value_kinds import reached
from curation.values import containers
from schemas.dates import date_text
from schemas.entities import Entity, ItemValue, Statement, TimeValue
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
    hidden: tuple[str, ...]
    """Digests (schemas.answers.form_digest) of further values that are not to be named anywhere."""
    true_ids: tuple[str, ...]
    reached_ids: tuple[str, ...]
    read_share: float
    statement_ids: tuple[str, ...]


class Unasked(Record):
    """What of a property is stated and not asked for: it is accepted by no fact, and is no false option either."""

    names: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    value_ids: tuple[str, ...] = ()
    unread: int = 0
    """Values that would be right answers, if one could read them."""


def main_drafts(
    subject: Subject,
    candidates: Mapping[str, Sequence[Candidate]],
    unasked: Mapping[str, Unasked],
    values: Mapping[str, Entity],
    table: PropertyTable,
    *,
    one_dataset: bool,
) -> tuple[list[Draft], list[Drop]]:
    """One draft per property; several where values differ in the qualifier that is asked with, in class or in gate.

    Drafts of one question in one dataset (`one_dataset`: gated facts stand beside the others) accept each other's
    answers. A property of which too few values could be read is not asked.
    """
    drafts: list[Draft] = []
    drops: list[Drop] = []
    for row in table.properties:
        found = _in_order(candidates.get(row.id, ()), row, living=subject.living)
        asked, reason = _asked(found, row, unasked.get(row.id, Unasked()), table)
        if reason:
            drops += [
                fact_drop(subject, each.statement.statement_id, reason, f"{row.id} {each.reading.answer}")
                for each in found
            ]
            continue
        groups: dict[tuple[str, Sensitivity, bool], list[Candidate]] = {}
        for each in asked:
            groups.setdefault((each.topic, each.sensitivity, each.gate), []).append(each)
        for key, group in groups.items():
            others = [each for other, rest in groups.items() if other != key for each in rest]
            alike = [each for each in others if each.topic == key[0] and (one_dataset or each.gate == key[2])]
            drafts.append(_main_draft(subject, row, group, alike, others, unasked.get(row.id, Unasked()), values))
    return drafts, drops


def _asked(
    candidates: Sequence[Candidate], row: Property, unasked: Unasked, table: PropertyTable
) -> tuple[list[Candidate], str]:
    """The candidates that are asked for, those that nobody would name last; or why none of them is."""
    named = [each for each in candidates if not each.too_fine]
    fine = [each for each in candidates if each.too_fine]
    if candidates and not named:
        return [], "value_too_fine"
    if row.value == "item" and _read_share(named, unasked) < table.least_read:
        return [], "siblings_unread"
    # A building is accepted beside the town, in the town's group.
    return [
        *named,
        *(each.model_copy(update={"sensitivity": named[0].sensitivity, "gate": named[0].gate}) for each in fine),
    ], ""


def _read_share(candidates: Sequence[Candidate], unasked: Unasked) -> float:
    """Share of the values that could be read, of all that would be right answers."""
    read = len({each.reading.value_id or each.reading.answer for each in candidates})
    return read / (read + unasked.unread) if read else 1.0


def _main_draft(
    subject: Subject,
    row: Property,
    group: Sequence[Candidate],
    alike: Sequence[Candidate],
    others: Sequence[Candidate],
    unasked: Unasked,
    values: Mapping[str, Entity],
) -> Draft:
    first = group[0]
    # A coarser date is no answer to a question for a finer one.
    fitting = [each.reading for each in (*group, *alike) if each.reading.answer_type == first.reading.answer_type]
    accepted = accepted_forms(fitting)
    known = {answer.text for answer in accepted}
    ids = [each.reading.value_id for each in (*group, *others) if each.reading.value_id]
    true_ids = tuple(dict.fromkeys([*ids, *unasked.value_ids]))
    not_false = [
        *unasked.names,
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
        hidden=unasked.hidden,
        true_ids=true_ids,
        reached_ids=tuple(sorted(reached(true_ids, values) - set(true_ids))),
        read_share=_read_share([each for each in (*group, *others) if not each.too_fine], unasked),
        statement_ids=tuple(each.statement.statement_id for each in group),
    )


def _in_order(candidates: Sequence[Candidate], row: Property, *, living: bool = False) -> list[Candidate]:
    """Source order, but the finest date first, and the best-known value first where the row says so.

    What a living person is no more comes after what they still are, where the question is put in the present.
    """
    if row.value == "time":
        fineness = {"date": 0, "month": 1, "year": 2}
        return sorted(candidates, key=lambda each: fineness[each.reading.answer_type])
    ordered = sorted(candidates, key=lambda each: -each.reading.sitelinks) if row.notable else list(candidates)
    in_present = living and any(form in row.question for form in ("[is|", "[does|", "[is {s}"))
    return sorted(ordered, key=lambda each: each.ended) if in_present else ordered


def qualifier_drafts(
    subject: Subject,
    entity: Entity,
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
        groups: dict[str, list[Candidate]] = {}
        for candidate in _in_order(eligible.get(row.base, ()), base):
            groups.setdefault(candidate.reading.value_id, []).append(candidate)
        number = 0
        for group in groups.values():
            read = _read_group(group, entity, row, values, table, third_party_sitelinks)
            having = [each for each in group if qualifiers_of(each.statement, row.qualifier)]
            if read and not isinstance(read, Unread) and number < table.qualifier_cap:
                drafts.append(_qualifier_draft(row, group, read, values))
                number += 1
                continue
            problem = read if isinstance(read, Unread) else Unread(reason="no_free_slot", detail="beyond the cap")
            drops += [
                fact_drop(subject, f"{row.id} {each.statement.statement_id}", problem.reason, problem.detail)
                for each in having
            ]
    return drafts, drops


def _qualifier_draft(
    row: QualifierProperty,
    group: Sequence[Candidate],
    read: Sequence[tuple[Candidate, Reading]],
    values: Mapping[str, Entity],
) -> Draft:
    candidate, reading = read[0]
    accepted = accepted_forms(each for _, each in read)
    known = {answer.text for answer in accepted}
    ids = tuple(dict.fromkeys(each.value_id for _, each in read if each.value_id))
    return Draft(
        property_id=row.id,
        property_label=row.label,
        candidate=candidate,
        reading=reading,
        accepted=accepted,
        topic=candidate.reading.answer,
        past=True,
        withheld=tuple(text for text in _other_years(group, row) if text not in known),
        hidden=(),
        true_ids=ids,
        reached_ids=tuple(sorted(reached(ids, values) - set(ids))),
        read_share=1.0,
        statement_ids=tuple(dict.fromkeys(each.statement.statement_id for each, _ in read)),
    )


def _other_years(group: Sequence[Candidate], row: QualifierProperty) -> list[str]:
    """Years that a spell of the same value names and that are not accepted, since another spell touches them."""
    found = (each.value for one in group for each in qualifiers_of(one.statement, row.qualifier))
    return [date_text(value.year) for value in found if isinstance(value, TimeValue) and value.year]


def _read_group(
    group: Sequence[Candidate],
    entity: Entity,
    row: QualifierProperty,
    values: Mapping[str, Entity],
    table: PropertyTable,
    third_party_sitelinks: int,
) -> list[tuple[Candidate, Reading]] | Unread:
    """What the statements with one value say by their qualifier; [] where none has it, or why it cannot be asked.

    A statement with the same value that lacks the qualifier, that is in doubt or whose qualifier cannot be read makes
    the question one that has more right answers than we know.
    """
    if not any(qualifiers_of(each.statement, row.qualifier) for each in group):
        return []
    stated = list(
        {other.statement_id: other for each in group for other in same_value(each.statement, entity)}.values()
    )
    standing = {each.statement.statement_id for each in group}
    if any(each.statement_id not in standing or not qualifiers_of(each, row.qualifier) for each in stated):
        return Unread(reason="siblings_differ", detail=f"{len(stated)} statements with the value, not all of them say")
    found: list[tuple[Candidate, Reading]] = []
    for candidate in group:
        if limit := load_qualifiers().limited(candidate.statement):
            return Unread(reason="nature_doubtful", detail=limit)
        if goes_on(candidate.statement, row.qualifier, stated):
            continue
        for read in _read_qualifier(candidate.statement, row, values, table, third_party_sitelinks):
            if isinstance(read, Unread):
                return read
            found.append((candidate, read))
    return found or Unread(reason="siblings_differ", detail="every spell goes on into another")


def _read_qualifier(
    statement: Statement,
    row: QualifierProperty,
    values: Mapping[str, Entity],
    table: PropertyTable,
    third_party_sitelinks: int,
) -> Iterator[Reading | Unread]:
    """What each qualifier of the row says."""
    for qualifier in qualifiers_of(statement, row.qualifier):
        reading = read_value(
            qualifier.value, kind=row.value, answer_type=row.answer, values=values, table=table, to_the_year=True
        )
        if isinstance(reading, Reading) and row.person and isinstance(qualifier.value, ItemValue):
            problem = third_party_problem(
                values[qualifier.value.qid],
                least_sitelinks=third_party_sitelinks,
                adult_born_by=table.adult_born_by,
                latest_year=table.latest_year,
                birth_wanted=False,
            )
            if problem:
                yield Unread(reason="third_party", detail=problem)
                continue
        yield reading


def fact_drop(subject: Subject, item: str, reason: str, detail: str) -> Drop:
    """A drop row of the facts stage."""
    return Drop(stage="facts", subject_id=subject.subject_id, item=item, reason=reason, detail=detail)
