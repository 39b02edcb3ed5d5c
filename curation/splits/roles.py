"""Who forgets what: the stratified ranking of the complete setting, and roles of known facts in all three settings."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from math import floor

from schemas.errors import BadInput
from schemas.records.build_rows import Assignment, Drop, Fact, Knowledge, Repair, Subject, SubjectRank, Vote
from schemas.storage.tables import Record
from schemas.vocabulary import Role, Sensitivity, Setting

LEAST_KNOWN = 2
"""Fewest known facts with which a subject can have both forget and retain facts."""


class PersonalizedRoles(Record):
    """Roles of the personalized setting, and the facts whose majority had to be overruled."""

    assignments: tuple[Assignment, ...]
    repairs: tuple[Repair, ...]


def known_facts(facts: Iterable[Fact], knowledge: Iterable[Knowledge]) -> list[Fact]:
    """The facts that the target knows in both modalities, by subject and slot: the samples of the benchmark."""
    modalities = Counter(verdict.sample_id for verdict in knowledge if verdict.known)
    return sorted((fact for fact in facts if modalities[fact.sample_id] == 2), key=_place)


def rank_subjects(subjects: Iterable[Subject], *, seed: int, earlier: Sequence[SubjectRank] = ()) -> list[SubjectRank]:
    """Rank the subjects for the complete setting; rank 1 is forgotten first.

    Subjects with a carried `complete_rank` keep that number and come first; the others follow, ordered so that in every
    prefix each occupation group has its share to within one person. Within a group the order is drawn from the seed.
    `earlier` holds the ranks of earlier batches: their numbers stay taken, and the new ones continue after them.
    """
    taken = {row.rank: row.subject_id for row in earlier}
    ranks: list[SubjectRank] = []
    groups: dict[str, list[str]] = {}
    for subject in sorted(subjects, key=lambda subject: subject.subject_id):
        rank = subject.complete_rank
        if rank is None:
            groups.setdefault(subject.occupation_group, []).append(subject.subject_id)
            continue
        if rank < 1 or rank in taken:
            other = f" as subject {taken[rank]} has" if rank in taken else ""
            raise BadInput(
                f"subject {subject.subject_id}",
                f"has complete_rank {rank}{other}",
                "give each subject its own rank >= 1",
            )
        taken[rank] = subject.subject_id
        ranks.append(SubjectRank(subject_id=subject.subject_id, occupation_group=subject.occupation_group, rank=rank))
    for group, members in groups.items():
        random.Random(f"{seed}:rank:{group}").shuffle(members)
    first = max(taken, default=0) + 1
    for rank, group in enumerate(_even_order({name: len(members) for name, members in groups.items()}), start=first):
        ranks.append(SubjectRank(subject_id=groups[group].pop(), occupation_group=group, rank=rank))
    return sorted(ranks, key=lambda row: row.rank)


def _even_order(sizes: Mapping[str, int]) -> list[str]:
    """An order of group names, each as often as its size, whose every prefix is within one of proportional.

    R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980): of the groups that may have the next
    place without running ahead, the one that would fall behind soonest has it.
    """
    total = sum(sizes.values())
    if len(sizes) <= 1:
        return list(sizes) * total
    margin = 2 * len(sizes) - 2
    given = dict.fromkeys(sorted(sizes), 0)
    order: list[str] = []
    for place in range(1, total + 1):
        may = [name for name in given if margin * (sizes[name] * place - given[name] * total) >= total]
        soonest = min(may, key=lambda name: (Fraction(margin - 1 + margin * given[name], sizes[name]), name))
        given[soonest] += 1
        order.append(soonest)
    return order


def forget_counts(
    subjects: int,
    *,
    ratios: Sequence[int],
    earlier_subjects: int = 0,
    earlier_forgotten: Mapping[int, int] | None = None,
) -> dict[int, int]:
    """How many of `subjects` new subjects are forgotten at each ratio (percent).

    Of the first n subjects n * r / 100 are forgotten, halves up, at least 1, and at most n - 1 where n > 1. Earlier
    batches keep what they have, so that new subjects make up the difference to the share over all subjects; where that
    would not rise with the ratio, both give way. So the sets nest. With the published ratios every set stays within one
    subject of its share, whatever batches come; with ratios close together, nested sets cannot all follow their shares
    from batch to batch, and one may be further off (by 1.8 subjects at most in trials with random ratios).
    """
    total, before = subjects + earlier_subjects, earlier_forgotten or {}
    rising = sorted(ratios)
    wanted = [Fraction(total * ratio, 100) - before.get(ratio, 0) for ratio in rising]
    counts: dict[int, int] = {}
    for place, ratio in enumerate(rising):
        middle = (max(wanted[: place + 1]) + min(wanted[place:])) / 2
        forgotten = before.get(ratio, 0)
        most = min(subjects, max(1, total - 1) - forgotten)
        least = 0 if earlier_subjects else 1
        counts[ratio] = max(least, min(most, floor(middle + Fraction(1, 2))))
    return counts


def forgotten_subjects(
    ranks: Sequence[SubjectRank],
    *,
    ratios: Sequence[int],
    earlier_subjects: int = 0,
    earlier_forgotten: Mapping[int, int] | None = None,
) -> dict[int, frozenset[str]]:
    """The subject ids forgotten at each ratio: a prefix of the ranking (of the batch), so 5 < 10 < 15 < 30 nest."""
    order = [row.subject_id for row in sorted(ranks, key=lambda row: row.rank)]
    counts = forget_counts(
        len(order), ratios=ratios, earlier_subjects=earlier_subjects, earlier_forgotten=earlier_forgotten
    )
    return {ratio: frozenset(order[:count]) for ratio, count in counts.items()}


def complete_roles(facts: Iterable[Fact], forgotten: Mapping[int, Collection[str]]) -> list[Assignment]:
    """A role for every known fact at every ratio: all facts of a forgotten subject are forget, all others retain."""
    ordered = sorted(facts, key=_place)
    return [
        _assignment(fact, "complete", "forget" if fact.subject_id in forgotten[ratio] else "retain", ratio=ratio)
        for ratio in sorted(forgotten)
        for fact in ordered
    ]


def enough_known(facts: Iterable[Fact]) -> tuple[list[Fact], list[Drop]]:
    """The known facts of subjects that can be split within, and a drop row for each subject that cannot.

    A subject with one known fact stays in the complete setting but has no role in selective and personalized.
    """
    kept: list[Fact] = []
    drops: list[Drop] = []
    for subject_id, group in groupby(sorted(facts, key=_place), key=lambda fact: fact.subject_id):
        own = list(group)
        if len(own) >= LEAST_KNOWN:
            kept += own
            continue
        detail = f"{len(own)} known; selective and personalized need {LEAST_KNOWN}"
        drops.append(
            Drop(stage="split", subject_id=subject_id, item=own[0].sample_id, reason="too_few_known", detail=detail)
        )
    return kept, drops


def selective_roles(facts: Iterable[Fact], *, sensitive: Collection[Sensitivity]) -> list[Assignment]:
    """Every fact of a sensitive class is forget, the rest retain.

    A subject may so have only forget or only retain facts. The published split has both for every subject; here the
    rule stays strict, since moving a fact would make `sensitive` mean something else for that subject.
    """
    return [
        _assignment(fact, "selective", "forget" if fact.sensitivity in sensitive else "retain")
        for fact in sorted(facts, key=_place)
    ]


def personalized_roles(facts: Iterable[Fact], votes: Iterable[Vote]) -> PersonalizedRoles:
    """The majority of a fact's votes is its role; then each subject is made to have at least one of either role.

    Repair rule: a subject without a forget fact gives up the one with the largest share of forget votes (lowest slot
    among equals); one without a retain fact keeps the one with the smallest share (highest slot among equals).
    Raises BadInput for a fact without votes, with a tie, or for a subject with fewer than two facts.
    """
    ballots: dict[str, list[bool]] = {}
    for vote in votes:
        ballots.setdefault(vote.sample_id, []).append(vote.forget)
    assignments: list[Assignment] = []
    repairs: list[Repair] = []
    for subject_id, group in groupby(sorted(facts, key=_place), key=lambda fact: fact.subject_id):
        own = list(group)
        if len(own) < LEAST_KNOWN:
            raise BadInput(f"subject {subject_id}", f"has {len(own)} known fact", "leave it out with enough_known")
        shares = {fact.sample_id: _forget_share(fact, ballots.get(fact.sample_id, [])) for fact in own}
        roles: dict[str, Role] = {name: "forget" if share > 0.5 else "retain" for name, share in shares.items()}
        overruled = _repair(own, shares, roles)
        if overruled is not None:
            ballot = ballots[overruled.sample_id]
            repairs.append(
                Repair(
                    sample_id=overruled.sample_id,
                    subject_id=subject_id,
                    role=roles[overruled.sample_id],
                    votes_forget=sum(ballot),
                    votes=len(ballot),
                )
            )
        assignments += [_assignment(fact, "personalized", roles[fact.sample_id]) for fact in own]
    return PersonalizedRoles(assignments=tuple(assignments), repairs=tuple(repairs))


def _repair(facts: Sequence[Fact], shares: Mapping[str, float], roles: dict[str, Role]) -> Fact | None:
    """Change one role of one subject in place if all are the same; the fact whose role was changed."""
    if "forget" not in roles.values():
        chosen = max(facts, key=lambda fact: (shares[fact.sample_id], -fact.slot))
        roles[chosen.sample_id] = "forget"
    elif "retain" not in roles.values():
        chosen = min(facts, key=lambda fact: (shares[fact.sample_id], -fact.slot))
        roles[chosen.sample_id] = "retain"
    else:
        return None
    return chosen


def _forget_share(fact: Fact, ballot: Sequence[bool]) -> float:
    if len(ballot) % 2 == 0:
        raise BadInput(f"sample {fact.sample_id}", f"has {len(ballot)} votes", "let an odd number of raters vote on it")
    return sum(ballot) / len(ballot)


def _assignment(fact: Fact, setting: Setting, role: Role, *, ratio: int | None = None) -> Assignment:
    return Assignment(sample_id=fact.sample_id, subject_id=fact.subject_id, setting=setting, ratio=ratio, role=role)


def _place(fact: Fact) -> tuple[int, int]:
    return int(fact.subject_id), fact.slot
