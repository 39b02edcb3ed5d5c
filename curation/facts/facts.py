"""From a person's statements to facts: one per property, and some per qualifier, with every statement accounted for."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from curation.facts.accepted_answers import Reading, Unread, read_value
from curation.facts.careers import WORKING, has_retired, impossible_date
from curation.facts.fact_candidates import PLACES, Draft, Unasked, fact_drop, main_drafts
from curation.facts.linked_entities import contains_place
from curation.facts.properties import Property, PropertyTable
from curation.facts.qualifier_drafts import qualifier_drafts
from curation.facts.qualifier_roles import load_qualifiers
from curation.facts.statements import (
    Candidate,
    Gated,
    judge,
    latest_starts,
    policy_reason,
    rank_reason,
    stays_true,
    superseded,
)
from curation.subjects import sample_names
from schemas.matching.match import contains, form_digest
from schemas.records.build_rows import AcceptedAnswer, Drop, Fact, Subject
from schemas.records.entities import Entity, ItemValue, Statement
from schemas.vocabulary import Sensitivity

GENERAL, SENSITIVE, REST = range(1, 25), range(25, 37), range(37, 51)
"""As in the published data: public facts, the classes that the recipe calls sensitive, everything else."""


def assign_slots(classes: Sequence[Sensitivity], sensitive: Collection[Sensitivity]) -> Iterator[int | None]:
    """A slot for each fact of a subject in turn, by its class; None where the slots of its kind are used up."""
    general, marked, rest = iter(GENERAL), iter(SENSITIVE), iter(REST)
    for each in classes:
        yield next(marked if each in sensitive else general if each == "public" else rest, None)


__all__ = ["facts_of", "is_extra", "legal_basis_hint", "unknown_qualifiers"]

_HIDDEN_REASONS = ("gate_uncited", "value_sensitive", "third_party")
"""Values that are named nowhere, so that only digests keep them from becoming false options."""

_UNREAD_REASONS = ("value_missing", "value_unlabelled")
"""Values that somebody may answer with, and we do not know the words."""


def facts_of(
    subject: Subject,
    entity: Entity,
    values: Mapping[str, Entity],
    table: PropertyTable,
    *,
    gated: Gated,
    sensitive: Sequence[Sensitivity],
    exclude: Sequence[str],
    third_party_sitelinks: int,
    sample_name: str = "",
) -> tuple[list[Fact], list[Drop]]:
    """The facts of a subject by slot, and a row for every statement that is not the statement of a fact.

    `sample_name` begins the sample ids (curation.subjects.sample_names makes it unique over a build); "" spells the
    name alone. Each statement ends as the statement of one main fact or as one drop; drops of qualifier questions come
    on top (`is_extra`).
    """
    sorted_out = _Sorted()
    judgements: list[tuple[Statement, Property, Candidate | Unread]] = []
    latest = {row.id: latest_starts(entity, row.id) for row in table.properties if row.one_at_a_time}
    retired = has_retired(entity, latest_year=table.latest_year)
    for statement in entity.statements:
        row = table.by_id.get(statement.property_id)
        reason = policy_reason(row, gated=gated, exclude=exclude)
        if row is None or reason:
            sorted_out.drops.append(_statement_drop(subject, statement, reason or "property_unknown", ""))
            continue
        judged = judge(
            statement, row, entity, values=values, table=table, gated=gated, third_party_sitelinks=third_party_sitelinks
        )
        over = (row.one_at_a_time and superseded(statement, latest[row.id])) or (retired and row.id in WORKING)
        if isinstance(judged, Candidate) and over:
            judged = judged.model_copy(update={"ended": True})
        judgements.append((statement, row, judged))
    _sort_all(sorted_out, judgements, subject=subject, entity=entity, values=values, table=table)
    unasked = {property_id: each.record() for property_id, each in sorted_out.unasked.items()}
    drafts, main_drops = main_drafts(
        subject, sorted_out.candidates, unasked, values, table, one_dataset=gated == "open"
    )
    extra, extra_drops = qualifier_drafts(
        subject, entity, sorted_out.eligible, unasked, values, table,
        third_party_sitelinks=third_party_sitelinks, exclude=exclude,
    )  # fmt: skip
    possible, date_drops = _possible(subject, [*drafts, *extra], entity, table)
    facts, slot_drops = _number(subject, possible, sensitive, gated, sample_name or sample_names.sample_name(subject))
    return facts, [*sorted_out.drops, *main_drops, *slot_drops, *date_drops, *extra_drops]


def unknown_qualifiers(entity: Entity, table: PropertyTable) -> list[tuple[str, str]]:
    """(property, qualifier) for each statement of an asked property and qualifier of it that no rule knows."""
    roles = load_qualifiers()
    asked = {row.id for row in table.properties if row.policy != "exclude"}
    return [
        (statement.property_id, each)
        for statement in entity.statements
        if statement.property_id in asked
        for each in roles.unknown(statement)
    ]


def is_extra(drop: Drop) -> bool:
    """Whether a drop row is about a qualifier question, and so does not account for a statement."""
    return "/" in drop.item.split(" ")[0]


@dataclass
class _Sorted:
    """Statements of a subject sorted out, by property: asked for themselves, for their qualifiers, or not at all."""

    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    eligible: dict[str, list[Candidate]] = field(default_factory=dict)
    unasked: dict[str, "_Unasked"] = field(default_factory=dict)
    drops: list[Drop] = field(default_factory=list)


@dataclass
class _Unasked:
    """What is stated of one property and not asked for, as it is found."""

    names: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    value_ids: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)

    def record(self) -> Unasked:
        return Unasked(
            names=tuple(dict.fromkeys(self.names)),
            hidden=tuple(sorted(self.hidden)),
            value_ids=tuple(dict.fromkeys(self.value_ids)),
            unread=len(self.unread),
        )


def _statement_drop(subject: Subject, statement: Statement, reason: str, detail: str) -> Drop:
    return fact_drop(subject, statement.statement_id, reason, f"{statement.property_id} {detail}".strip())


def _sort_all(
    into: _Sorted,
    judgements: Sequence[tuple[Statement, Property, Candidate | Unread]],
    *,
    subject: Subject,
    entity: Entity,
    values: Mapping[str, Entity],
    table: PropertyTable,
) -> None:
    # A value that is too fine to be named outranks no other.
    too_fine = {
        statement.statement_id
        for statement, _, judged in judgements
        if isinstance(judged, Candidate) and judged.too_fine and statement.rank == "preferred"
    }
    ranked: dict[str, list[Statement]] = {}
    for statement in entity.statements:
        if statement.rank == "preferred" and statement.statement_id not in too_fine:
            ranked.setdefault(statement.property_id, []).append(statement)
    for statement, row, judged in judgements:
        above = ranked.get(row.id, ())
        if isinstance(judged, Candidate) and row.answer in PLACES and contains_place(judged.reading, above, values):
            above = ()  # who was born in a quarter was born in its town
        _sort_in(into, statement, row, judged, above, subject)
        if into.drops and into.drops[-1].item == statement.statement_id:
            _keep_apart(into, into.drops[-1].reason, statement, row, judged, values, table)


def _sort_in(
    into: _Sorted,
    statement: Statement,
    row: Property,
    judged: Candidate | Unread,
    above: Sequence[Statement],
    subject: Subject,
) -> None:
    reason = rank_reason(statement, above)
    outranked = reason == "rank_outranked" and stays_true(row, living=subject.living)
    if outranked:
        reason = None
    if isinstance(judged, Candidate):
        if reason != "rank_deprecated":
            into.eligible.setdefault(row.id, []).append(judged)
        if reason is None and row.present and subject.living and judged.ended:
            reason = "value_ended"
        if reason is None:
            into.candidates.setdefault(row.id, []).append(judged.model_copy(update={"outranked": outranked}))
            return
        detail = judged.reading.answer
    else:
        reason, detail = reason or judged.reason, judged.detail
    into.drops.append(_statement_drop(subject, statement, reason, detail))


def _keep_apart(
    into: _Sorted,
    reason: str,
    statement: Statement,
    row: Property,
    judged: Candidate | Unread,
    values: Mapping[str, Entity],
    table: PropertyTable,
) -> None:
    """Remember a value that is stated and not asked for, so that it is no false option, and whether it was read."""
    unasked = into.unasked.setdefault(row.id, _Unasked())
    own_reason = judged.reason if isinstance(judged, Unread) else reason
    if reason in _UNREAD_REASONS and isinstance(statement.value, ItemValue):
        unasked.unread.add(statement.value.qid)
    reading = _reading(statement, row, judged, values, table)
    if reading is None:
        return
    if own_reason in _HIDDEN_REASONS:
        unasked.hidden |= {form_digest(answer.text) for answer in reading.accepted}
    else:
        unasked.names += [answer.text for answer in reading.accepted]
        unasked.value_ids += [reading.value_id] if reading.value_id else []


def _reading(
    statement: Statement, row: Property, judged: Candidate | Unread, values: Mapping[str, Entity], table: PropertyTable
) -> Reading | None:
    """What a value that is not asked for says, if it can be read."""
    if isinstance(judged, Candidate):
        return judged.reading
    read = read_value(statement.value, kind=row.value, answer_type=row.answer, values=values, table=table)
    return read if isinstance(read, Reading) else None


def _possible(
    subject: Subject, drafts: Sequence[Draft], entity: Entity, table: PropertyTable
) -> tuple[list[Draft], list[Drop]]:
    """The drafts without those whose date cannot be, by the dates of birth and death."""
    kept: list[Draft] = []
    drops: list[Drop] = []
    for draft in drafts:
        problem = impossible_date(draft.property_id, draft.accepted, entity, subject, latest_year=table.latest_year)
        if not problem:
            kept.append(draft)
            continue
        extra = "/" in draft.property_id
        for statement_id in draft.statement_ids:
            item = f"{draft.property_id} {statement_id}" if extra else statement_id
            drops.append(fact_drop(subject, item, "date_impossible", f"{draft.property_id} {problem}"))
    return kept, drops


def _number(
    subject: Subject, drafts: Sequence[Draft], sensitive: Sequence[Sensitivity], gated: Gated, name: str
) -> tuple[list[Fact], list[Drop]]:
    facts: list[Fact] = []
    drops: list[Drop] = []
    slots = assign_slots([draft.candidate.sensitivity for draft in drafts], sensitive)
    for draft, slot in zip(drafts, slots, strict=True):
        is_main = "/" not in draft.property_id
        left_out: Iterable[str] = draft.statement_ids if slot is None else draft.statement_ids[1:]
        if is_main or slot is None:
            for statement_id in left_out:
                item = statement_id if is_main else f"{draft.property_id} {statement_id}"
                reason = "no_free_slot" if slot is None else "merged"
                drops.append(fact_drop(subject, item, reason, f"{draft.property_id} {draft.reading.answer}"))
        if slot is not None:
            facts.append(_fact(subject, draft, slot, gated, name))
    return sorted(facts, key=lambda fact: fact.slot), drops


def _fact(subject: Subject, draft: Draft, slot: int, gated: Gated, name: str) -> Fact:
    statement = draft.candidate.statement
    return Fact(
        fact_id=f"{subject.subject_id}-{slot:02d}",
        sample_id=f"{name}_{slot:02d}",
        subject_id=subject.subject_id,
        slot=slot,
        property_id=draft.property_id,
        property_label=draft.property_label,
        answer_type=draft.reading.answer_type,
        sensitivity=draft.candidate.sensitivity,
        gated=draft.candidate.gate and gated == "separate",
        statement_id=statement.statement_id,
        value_id=draft.reading.value_id,
        answer=draft.reading.answer,
        accepted=_askable_forms(draft, subject),
        topic=draft.topic,
        past=draft.past,
        references=statement.references,
        cited=statement.cited,
        legal_basis_hint=legal_basis_hint(
            draft.candidate.sensitivity, living=subject.living, gate=draft.candidate.gate
        ),
        withheld=draft.withheld,
        withheld_digests=draft.hidden,
        kind=draft.reading.kind,
        true_ids=draft.true_ids,
        reached_ids=draft.reached_ids,
        read_share=draft.read_share,
    )


def legal_basis_hint(sensitivity: Sensitivity, *, living: bool, gate: bool) -> str:
    """Which article of the GDPR a maintainer should think of; a hint, no advice."""
    if not living:
        return "Recital 27: deceased" + ("; mind the relatives" if gate else "")
    if sensitivity == "criminal":
        return "Art. 10: criminal convictions"
    if gate and sensitivity not in ("location", "finance"):
        return "Art. 9(2)(e): only if the person manifestly made it public"
    return "Art. 6(1)(f): legitimate interest; Art. 89: research"


def _askable_forms(draft: Draft, subject: Subject) -> tuple[AcceptedAnswer, ...]:
    """The accepted forms without those that the subject's own name holds: repeating the question is no answer."""
    first, *rest = draft.accepted
    return (first, *(each for each in rest if each.kind != "text" or not contains(subject.name, each.text)))
