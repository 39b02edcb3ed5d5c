"""From a person's statements to facts: one per property, and some per qualifier, with every statement accounted for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from curation import sample_names
from curation.answers import Reading, Unread, read_value
from curation.drafts import Draft, fact_drop, main_drafts, qualifier_drafts
from curation.properties import Property, PropertyTable
from curation.slots import assign_slots
from curation.statements import Candidate, Gated, judge, policy_reason, rank_reason
from curation.values import needed_values
from schemas.answers import contains
from schemas.entities import Entity, Statement
from schemas.records import AcceptedAnswer, Drop, Fact, Subject
from schemas.words import Sensitivity

__all__ = ["facts_of", "is_extra", "legal_basis_hint", "needed_values"]

_WITHHELD_REASONS = ("rank_outranked", "rank_deprecated", "value_ended", "nature_doubtful")


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

    `sample_name` begins the sample ids (curation.sample_names makes it unique over a build); "" spells the name alone.
    Each statement ends as the statement of one main fact or as one drop; drops of qualifier questions come on top
    (`is_extra`).
    """
    sorted_out = _Sorted()
    for statement in entity.statements:
        row = table.by_id.get(statement.property_id)
        reason = policy_reason(row, gated=gated, exclude=exclude)
        if row is None or reason:
            sorted_out.drops.append(_statement_drop(subject, statement, reason or "property_unknown", ""))
            continue
        judged = judge(
            statement, row, entity, values=values, table=table, gated=gated, third_party_sitelinks=third_party_sitelinks
        )
        _sort_in(sorted_out, statement, row, judged, subject=subject, entity=entity, values=values, table=table)
    drafts = main_drafts(subject, sorted_out.candidates, sorted_out.withheld, values, table)
    extra, extra_drops = qualifier_drafts(
        subject, sorted_out.eligible, values, table, third_party_sitelinks=third_party_sitelinks, exclude=exclude
    )
    facts, slot_drops = _number(
        subject, [*drafts, *extra], sensitive, gated, sample_name or sample_names.sample_name(subject)
    )
    return facts, [*sorted_out.drops, *slot_drops, *extra_drops]


def is_extra(drop: Drop) -> bool:
    """Whether a drop row is about a qualifier question, and so does not account for a statement."""
    return "/" in drop.item.split(" ")[0]


@dataclass
class _Sorted:
    """Statements of a subject sorted out, by property: asked for themselves, for their qualifiers, or not at all."""

    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    eligible: dict[str, list[Candidate]] = field(default_factory=dict)
    withheld: dict[str, list[str]] = field(default_factory=dict)
    drops: list[Drop] = field(default_factory=list)


def _statement_drop(subject: Subject, statement: Statement, reason: str, detail: str) -> Drop:
    return fact_drop(subject, statement.statement_id, reason, f"{statement.property_id} {detail}".strip())


def _sort_in(
    into: _Sorted,
    statement: Statement,
    row: Property,
    judged: Candidate | Unread,
    *,
    subject: Subject,
    entity: Entity,
    values: Mapping[str, Entity],
    table: PropertyTable,
) -> None:
    reason = rank_reason(statement, entity.of(row.id))
    if isinstance(judged, Candidate):
        if reason != "rank_deprecated":
            into.eligible.setdefault(row.id, []).append(judged)
        if reason is None and row.present and subject.living and judged.ended:
            reason = "value_ended"
        if reason is None:
            into.candidates.setdefault(row.id, []).append(judged)
            return
        detail = judged.reading.answer
    else:
        reason, detail = reason or judged.reason, judged.detail
    into.drops.append(_statement_drop(subject, statement, reason, detail))
    if reason in _WITHHELD_REASONS:
        into.withheld.setdefault(row.id, []).extend(_names(statement, row, judged, values, table))


def _names(
    statement: Statement, row: Property, judged: Candidate | Unread, values: Mapping[str, Entity], table: PropertyTable
) -> list[str]:
    """What a value that is not accepted is called, so that it does not become a false option."""
    if row.person and isinstance(judged, Unread):
        return []
    reading: Reading | Unread = (
        judged.reading
        if isinstance(judged, Candidate)
        else read_value(statement.value, kind=row.value, answer_type=row.answer, values=values, table=table)
    )
    return [answer.text for answer in reading.accepted] if isinstance(reading, Reading) else []


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
