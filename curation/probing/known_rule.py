"""From recorded answers to verdicts: which facts the target knows in a modality, and why not the others.

A fact is known in a modality if the greedy answer is right and at least `agree` of the further asks (other wordings,
sampled) are; and for vqa, if the share of right answers with the subject's own picture is larger than with each
control. Otherwise the question leaks its answer, or the target guesses it, without the face.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from curation.probing.probes import Probe
from schemas.matching.match import match
from schemas.matching.thoughts import CUT_THOUGHT, answer_of
from schemas.protocols.reply_log import AnswerLog
from schemas.records.build_rows import Condition, Drop, Evidence, Fact, Knowledge
from schemas.vocabulary import MODALITIES, Modality

Verdict = Literal["known", "greedy_wrong", "not_consistent", "leaks_without_face", "no_answer"]
_FURTHER: tuple[Condition, ...] = ("paraphrase", "sampled")
_CONTROLS: tuple[Condition, ...] = ("no_image", "wrong_image")


def evidence_of(probes: Iterable[Probe], log: AnswerLog, facts: Mapping[str, Fact]) -> list[Evidence]:
    """One row per probe, in order, with what the reply matched; `facts` by sample_id.

    A missing reply is an error, and so is a thought that was cut off.
    """
    rows = []
    for probe in probes:
        reply = log.reply(probe.ask_id)
        text = reply.text if reply is not None else ""
        error = reply.error if reply is not None else "the responder gave no reply"
        error = error or (CUT_THOUGHT if answer_of(text).cut else "")
        found = match(text, facts[probe.sample_id].accepted, asked=probe.prompt) if not error else None
        rows.append(
            Evidence(
                sample_id=probe.sample_id,
                subject_id=probe.subject_id,
                modality=probe.modality,
                condition=probe.condition,
                attempt=probe.attempt,
                prompt=probe.prompt,
                image_id=probe.image_id,
                reply=text,
                error=error,
                matched=found.text if found is not None else "",
            )
        )
    return rows


def judge(fact: Fact, modality: Modality, evidence: Sequence[Evidence], *, agree: int) -> Knowledge:
    """The verdict on one fact in one modality, from all its rows there (rows of others are not looked at)."""
    rows = [row for row in evidence if row.sample_id == fact.sample_id and row.modality == modality]
    greedy = next((row for row in rows if row.condition == "greedy"), None)
    further = [row for row in rows if row.condition in _FURTHER]
    controls = [row for row in rows if row.condition in _CONTROLS]
    verdict = _verdict(greedy, further, controls, agree=agree)
    return Knowledge(
        sample_id=fact.sample_id,
        fact_id=fact.fact_id,
        subject_id=fact.subject_id,
        modality=modality,
        known=verdict == "known",
        verdict=verdict,
        generated_answer=answer_of(greedy.reply).text if greedy is not None else "",
        agreeing=_matches(further),
        asked=len(further),
        control_matches=_matches(controls),
        controls=len(controls),
    )


def _verdict(
    greedy: Evidence | None, further: Sequence[Evidence], controls: Sequence[Evidence], *, agree: int
) -> Verdict:
    if greedy is None or greedy.error:
        return "no_answer"
    if not greedy.matched:
        return "greedy_wrong"
    if _matches(further) < agree:
        return "no_answer" if any(row.error for row in further) else "not_consistent"
    right = [row for row in (greedy, *further) if not row.error]
    for condition in _CONTROLS:
        asked = [row for row in controls if row.condition == condition]
        answered = [row for row in asked if not row.error]
        if asked and not answered:
            return "no_answer"
        # Shares compared without division: matches/len > matches/len.
        if answered and _matches(right) * len(answered) <= _matches(answered) * len(right):
            return "leaks_without_face"
    return "known"


def _matches(rows: Iterable[Evidence]) -> int:
    return sum(bool(row.matched) for row in rows)


def judge_all(facts: Iterable[Fact], evidence: Iterable[Evidence], *, agree: int) -> list[Knowledge]:
    """Verdicts for every fact and modality that was asked, by fact in the order given, qa before vqa."""
    rows: defaultdict[tuple[str, Modality], list[Evidence]] = defaultdict(list)
    for row in evidence:
        rows[row.sample_id, row.modality].append(row)
    return [
        judge(fact, modality, rows[fact.sample_id, modality], agree=agree)
        for fact in facts
        for modality in MODALITIES
        if (fact.sample_id, modality) in rows
    ]


def kept_facts(facts: Iterable[Fact], knowledge: Iterable[Knowledge]) -> list[Fact]:
    """The facts known in both modalities: the benchmark."""
    known = {(row.sample_id, row.modality) for row in knowledge if row.known}
    return [fact for fact in facts if all((fact.sample_id, modality) in known for modality in MODALITIES)]


def drops_of(subject_ids: Iterable[str], facts: Sequence[Fact], knowledge: Sequence[Knowledge]) -> list[Drop]:
    """A drop for each asked fact that is not known in both modalities, and for each subject left without a fact."""
    kept = kept_facts(facts, knowledge)
    kept_samples, kept_subjects = {fact.sample_id for fact in kept}, {fact.subject_id for fact in kept}
    verdicts = {(row.sample_id, row.modality): row.verdict for row in knowledge}
    drops = [
        Drop(
            stage="probe",
            subject_id=fact.subject_id,
            item=fact.sample_id,
            reason="not_known",
            detail=", ".join(
                f"{modality} {verdicts.get((fact.sample_id, modality), 'not asked')}" for modality in MODALITIES
            ),
        )
        for fact in facts
        if fact.sample_id not in kept_samples
    ]
    asked = {subject_id: sum(fact.subject_id == subject_id for fact in facts) for subject_id in subject_ids}
    drops += [
        Drop(
            stage="probe",
            subject_id=subject_id,
            item=subject_id,
            reason="no_known_fact",
            detail=f"none of {count} facts is known in both modalities",
        )
        for subject_id, count in asked.items()
        if subject_id not in kept_subjects
    ]
    return drops
