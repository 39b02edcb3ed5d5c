"""Which person a name means: a clear winner is taken, anything else is left to the maintainer."""

from collections.abc import Mapping, Sequence

from curation.subjects.roster import Resolution
from curation.subjects.selection import not_a_subject
from schemas.protocols.source import PersonMatch
from schemas.records.entities import Entity

CLEAR_TIMES = 3
"""A winner has at least so many times the sitelinks of anybody else of that name."""
LISTED = 5


def resolve_name(
    name: str, matches: Sequence[PersonMatch], entities: Mapping[str, Entity], *, least_sitelinks: int
) -> Resolution:
    """The person whom a name means, by the search's matches and their entities.

    Matches that are only near are named where nobody bears the name.
    A candidate is a human with an English label. One is taken who states an occupation, has at least
    `least_sitelinks` and three times as many sitelinks as any other candidate: whether the name is the label or an
    alias does not count, since the best known person may be filed under another name. Where sitelinks do not decide,
    the only one whose label it is wins over bearers of it as an alias, if none of those is better known.
    """
    people: dict[str, Entity] = {}
    by_label: set[str] = set()
    near = [match for match in matches if match.near]
    exact = [match for match in matches if not match.near]
    for match in exact:
        entity = entities.get(match.qid)
        if entity is not None and not_a_subject(entity) is None:
            people.setdefault(entity.qid, entity)
            if not match.matched_alias:
                by_label.add(entity.qid)
    ranked = sorted(people.values(), key=lambda entity: (-entity.sitelinks, int(entity.qid[1:])))
    if not ranked:
        instead = f"; near: {_offered(near)}" if near else ""
        return _doubt(name, "name_not_found", f"{len(exact)} search results, no person among them{instead}")
    best = ranked[0]
    clear = len(ranked) == 1 or best.sitelinks >= CLEAR_TIMES * max(ranked[1].sitelinks, 1)
    if not clear and by_label == {best.qid}:
        clear = True
    if not clear:
        return _doubt(name, "name_ambiguous", described(ranked))
    if best.sitelinks < least_sitelinks or not best.items("P106"):
        return _doubt(name, "name_doubtful", described(ranked))
    how = "label" if best.qid in by_label else "alias"
    return Resolution(asked=name, qid=best.qid, label=best.label, reason="", note=f"by {how}: {described(ranked)}")


def described(ranked: Sequence[Entity]) -> str:
    """Candidates, best known first, as a maintainer can tell them apart."""
    shown = [
        f"{entity.qid} {entity.label} ({entity.description or 'no description'}; {entity.sitelinks} sitelinks)"
        for entity in ranked[:LISTED]
    ]
    more = [f"and {len(ranked) - LISTED} more"] if len(ranked) > LISTED else []
    return "; ".join([*shown, *more])


def _offered(near: Sequence[PersonMatch]) -> str:
    """What the search offers instead; whether they are people has not been looked up."""
    return "; ".join(f"{one.qid} {one.label} ({one.description or 'no description'})" for one in near[:LISTED])


def _doubt(name: str, reason: str, note: str) -> Resolution:
    return Resolution(asked=name, qid="", label="", reason=reason, note=note)
