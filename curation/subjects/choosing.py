"""Whom a selection takes: ranked by sitelinks and pageviews, and balanced over occupation groups."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from schemas.protocols.source import PeopleFilter
from schemas.records.build_rows import Subject


def as_wanted(subject: Subject, wanted: PeopleFilter) -> str | None:
    """Why somebody whom the source selected is not who was asked for, by the statements at hand, or None."""
    if wanted.living != "any" and subject.living != (wanted.living == "living"):
        return "counts as living" if subject.living else "counts as dead"
    born = subject.birth_year
    for bound, outside in ((wanted.born_from, -1), (wanted.born_to, 1)):
        if bound is not None and (born is None or (born - bound) * outside > 0):
            return "no year of birth is stated" if born is None else f"born {born}"
    return None


def ranked(subjects: Sequence[Subject], pageviews: Mapping[str, int] | None) -> list[Subject]:
    """Best known first: by the sum of the places in sitelinks and in pageviews (by QID), or by sitelinks alone.

    People with the same count share a place; ties go by sitelinks, then by QID number.
    """
    links = _places({subject.qid: subject.sitelinks for subject in subjects})
    views = _places(pageviews) if pageviews is not None else {}
    return sorted(
        subjects,
        key=lambda one: (links[one.qid] + views.get(one.qid, 0), -one.sitelinks, int(one.qid[1:])),
    )


def _places(counts: Mapping[str, int]) -> dict[str, int]:
    order = {count: place for place, count in enumerate(sorted(set(counts.values()), reverse=True))}
    return {qid: order[count] for qid, count in counts.items()}


def balanced(subjects: Sequence[Subject], *, limit: int) -> list[Subject]:
    """At most `limit` subjects, in their order, as evenly over the occupation groups as the groups' sizes allow.

    No group has two more than another that has somebody left.
    """
    groups: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        groups[subject.occupation_group].append(subject)
    # Whoever comes first in a group is taken before anybody's second; in a round, the better known come first.
    place = {subject.qid: number for number, subject in enumerate(subjects)}
    rounds = {member.qid: number for members in groups.values() for number, member in enumerate(members)}
    taken = sorted(subjects, key=lambda subject: (rounds[subject.qid], place[subject.qid]))[:limit]
    return sorted(taken, key=lambda subject: place[subject.qid])
