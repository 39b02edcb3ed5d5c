"""Drafts of facts, before they are numbered: the statements of one property that answer one question, put together."""

from collections.abc import Mapping, Sequence

from curation.facts.accepted_answers import Reading, accepted_forms
from curation.facts.linked_entities import containers
from curation.facts.properties import Property, PropertyTable
from curation.facts.statements import Candidate
from curation.facts.value_kinds import reached
from schemas.records.build_rows import AcceptedAnswer, Drop, Subject
from schemas.records.entities import Entity
from schemas.storage.tables import Record
from schemas.vocabulary import Sensitivity

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
    """Digests (schemas.matching.match.form_digest) of further values that are not to be named anywhere."""
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
    asked: dict[str, list[Candidate]] = {}
    unsaid: dict[str, Unasked] = {}
    for row in table.properties:
        found = in_order(candidates.get(row.id, ()), row, living=subject.living)
        asked[row.id], reason = _asked(found, row, unasked.get(row.id, Unasked()), table)
        drops += [
            fact_drop(subject, each.statement.statement_id, reason, f"{row.id} {each.reading.answer}")
            for each in found
            if reason
        ]
        if row.value in ("item", "text"):
            left = [each.reading for each in found] if reason else []
            unsaid[row.answer] = _joined(unsaid.get(row.answer, Unasked()), unasked.get(row.id, Unasked()), left)
    for row in table.properties:
        groups: dict[tuple[str, Sensitivity, bool], list[Candidate]] = {}
        for each in asked[row.id]:
            groups.setdefault((each.topic, each.sensitivity, each.gate), []).append(each)
        for key, group in groups.items():
            others = [each for other, rest in groups.items() if other != key for each in rest]
            alike = [each for each in others if each.topic == key[0] and (one_dataset or each.gate == key[2])]
            own = unasked.get(row.id, Unasked())
            apart = unsaid[row.answer].model_copy(update={"unread": own.unread}) if row.answer in unsaid else own
            drafts.append(_main_draft(subject, row, group, alike, others, apart, values))
    return drafts, drops


def _joined(first: Unasked, second: Unasked, left: Sequence[Reading]) -> Unasked:
    """What is not asked for, of properties with one answer type: it may be true of each of them."""
    names = [answer.text for reading in left for answer in reading.accepted]
    ids = [reading.value_id for reading in left if reading.value_id]
    return Unasked(
        names=tuple(dict.fromkeys((*first.names, *second.names, *names))),
        hidden=tuple(sorted({*first.hidden, *second.hidden})),
        value_ids=tuple(dict.fromkeys((*first.value_ids, *second.value_ids, *ids))),
    )


def _asked(
    candidates: Sequence[Candidate], row: Property, unasked: Unasked, table: PropertyTable
) -> tuple[list[Candidate], str]:
    """The candidates that are asked for, those that nobody would name last; or why none of them is."""
    named = [each for each in candidates if not each.too_fine]
    fine = [each for each in candidates if each.too_fine]
    if candidates and not named:
        return [], "value_too_fine"
    if row.value == "item" and read_share_of(named, unasked) < table.least_read:
        return [], "siblings_unread"
    # A building is accepted beside the town, in the town's group.
    return [
        *named,
        *(each.model_copy(update={"sensitivity": named[0].sensitivity, "gate": named[0].gate}) for each in fine),
    ], ""


def read_share_of(candidates: Sequence[Candidate], unasked: Unasked) -> float:
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
        read_share=read_share_of([each for each in (*group, *others) if not each.too_fine], unasked),
        statement_ids=tuple(each.statement.statement_id for each in group),
    )


def in_order(candidates: Sequence[Candidate], row: Property, *, living: bool = False) -> list[Candidate]:
    """Source order, but the finest date first, and the best-known value first where the row says so.

    Whatever is outranked comes last.

    What a living person is no more comes after what they still are, where the question is put in the present.
    """
    if row.value == "time":
        fineness = {"date": 0, "month": 1, "year": 2}
        return sorted(candidates, key=lambda each: (each.outranked, fineness[each.reading.answer_type]))
    ordered = sorted(candidates, key=lambda each: -each.reading.sitelinks) if row.notable else list(candidates)
    in_present = living and any(form in row.question for form in ("[is|", "[does|", "[is {s}"))
    return sorted(ordered, key=lambda each: (each.outranked, in_present and each.ended))


def fact_drop(subject: Subject, item: str, reason: str, detail: str) -> Drop:
    """A drop row of the facts stage."""
    return Drop(stage="facts", subject_id=subject.subject_id, item=item, reason=reason, detail=detail)
