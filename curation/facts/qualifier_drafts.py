"""Drafts of questions about a qualifier of a statement: when an office was taken up, which work was honoured."""

from collections.abc import Iterator, Mapping, Sequence

from curation.facts.accepted_answers import Reading, Unread, accepted_forms, read_value
from curation.facts.fact_candidates import PLACES, Draft, Unasked, fact_drop, in_order, read_share_of
from curation.facts.properties import Property, PropertyTable, QualifierProperty
from curation.facts.qualifier_roles import load_qualifiers
from curation.facts.spells import MOST_SPELLS, by_value, goes_on
from curation.facts.statements import Candidate, qualifiers_of, third_party_problem
from curation.facts.value_kinds import reached
from schemas.matching.dates import date_text
from schemas.records.build_rows import Drop, Subject
from schemas.records.entities import Entity, ItemValue, Statement, TimeValue, Value


def qualifier_drafts(
    subject: Subject,
    entity: Entity,
    eligible: Mapping[str, Sequence[Candidate]],
    unasked: Mapping[str, Unasked],
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
        for candidate in in_order(eligible.get(row.base, ()), base):
            groups.setdefault(candidate.reading.value_id, []).append(candidate)
        number = 0
        same = by_value(entity, row.base) if groups else {}
        reads = [_read_group(group, same, row, values, table, third_party_sitelinks) for group in groups.values()]
        refused = _refused_row(
            row, base, reads, list(eligible.get(row.base, ())), unasked.get(row.base, Unasked()), table
        )
        for group, own, why in zip(groups.values(), reads, refused, strict=True):
            read = own if isinstance(own, Unread) or not own else why or own
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


def _refused_row(
    row: QualifierProperty,
    base: Property,
    reads: Sequence[list[tuple[Candidate, Reading]] | Unread],
    eligible: Sequence[Candidate],
    unasked: Unasked,
    table: PropertyTable,
) -> list[Unread | None]:
    """Why what was read is not asked, given what the row's other values say: for each of `reads`, or None."""
    if base.answer in PLACES and read_share_of(eligible, unasked) < table.least_read:
        # A place that could not be read may be another address in the same town.
        return [Unread(reason="siblings_unread", detail=f"{unasked.unread} places could not be read")] * len(reads)
    said = [{each.value_id for _, each in read} if not isinstance(read, Unread) else set[str]() for read in reads]
    twice = [
        row.once and any(own & other for at, other in enumerate(said) if at != place) for place, own in enumerate(said)
    ]
    return [
        Unread(reason="siblings_differ", detail="the same is said of another value") if each else None for each in twice
    ]


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
    same: Mapping[Value | None, Sequence[Statement]],
    row: QualifierProperty,
    values: Mapping[str, Entity],
    table: PropertyTable,
    third_party_sitelinks: int,
) -> list[tuple[Candidate, Reading]] | Unread:
    """What the statements with one value say by their qualifier; [] where none has it, or why it cannot be asked.

    `same` are the statements of the base property by their value.

    A statement with the same value that lacks the qualifier, that is in doubt or whose qualifier cannot be read makes
    the question one that has more right answers than we know.
    """
    if not any(qualifiers_of(each.statement, row.qualifier) for each in group):
        return []
    of_values = dict.fromkeys(each.statement.value for each in group)
    stated = list({other.statement_id: other for value in of_values for other in same.get(value, ())}.values())
    if len(stated) > MOST_SPELLS:
        return Unread(reason="siblings_differ", detail=f"{len(stated)} statements with the value")
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
