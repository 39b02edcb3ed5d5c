"""Which other entities the facts of an entity are read from, and what the places among them lie in."""

from collections.abc import Iterable, Mapping

from curation.facts.accepted_answers import Reading
from curation.facts.properties import PropertyTable
from curation.facts.value_kinds import kind_of, reached
from schemas.records.entities import Entity, ItemValue, QuantityValue, Statement, Value

CONTAINERS = ("P131", "P17")
"""Located in the administrative entity, country."""

_CONTAINER_DEPTH = 4


def needed_values(entity: Entity, table: PropertyTable) -> set[str]:
    """QIDs of the items that the facts of this entity are read from: values, and items in qualifiers that are asked.

    Nothing of an excluded property is named, so nothing of it is ever fetched.
    """
    wanted: set[str] = set()
    qualifiers: dict[str, set[str]] = {}
    for row in table.qualifiers:
        qualifiers.setdefault(row.base, set()).add(row.qualifier)
    for statement in entity.statements:
        row_of = table.by_id.get(statement.property_id)
        if row_of is None or row_of.policy == "exclude":
            continue
        found: list[Value | None] = [statement.value]
        asked = qualifiers.get(row_of.id, set()) | {row_of.needs}
        found += [each.value for each in statement.qualifiers if each.property_id in asked]
        wanted |= {value.qid for value in found if isinstance(value, ItemValue)}
        wanted |= {value.unit for value in found if isinstance(value, QuantityValue) and value.unit}
    return wanted


def further_values(values: Mapping[str, Entity], table: PropertyTable) -> set[str]:
    """QIDs of a second, optional round: classes of the values, and what places lie in; those at hand are left out."""
    wanted = {qid for value in values.values() for each in ("P31", "P279", *CONTAINERS) for qid in value.items(each)}
    return wanted - set(values) - set(table.class_of)


def further_places(people: Iterable[Entity], values: Mapping[str, Entity], table: PropertyTable) -> set[str]:
    """QIDs of what the surroundings of a person's places lie in, where nobody would name the place itself.

    A hospital stands in a district, and the district lies in the town that people name. Those at hand are left out.
    """
    rows = {row.id for row in table.properties if row.answer == "place" and row.policy != "exclude"}
    qualified = {(row.base, row.qualifier) for row in table.qualifiers if row.answer == "place"}
    stated: set[str] = set()
    for person in people:
        for statement in person.statements:
            found = [statement.value] if statement.property_id in rows else []
            found += [q.value for q in statement.qualifiers if (statement.property_id, q.property_id) in qualified]
            stated |= {value.qid for value in found if isinstance(value, ItemValue)}
    small = [qid for qid in stated if kind_of("place", values.get(qid), values) in ("building", "part")]
    around = reached(small, values, up=("P131",)) - set(small)
    wanted = {up for qid in around if qid in values for up in values[qid].items("P131")} | around
    return wanted - set(values)


def contains_place(place: Reading, others: Iterable[Statement], values: Mapping[str, Entity]) -> bool:
    """Whether a place contains each of the places that other statements name, or is a town beside parts of towns."""
    named = [each.value.qid for each in others if isinstance(each.value, ItemValue)]
    return bool(named) and all(
        qid != place.value_id
        and (place.value_id in reached([qid], values, up=CONTAINERS[:1]) or (_is_part(qid, values) and not place.kind))
        for qid in named
    )


def _is_part(qid: str, values: Mapping[str, Entity]) -> bool:
    return kind_of("place", values.get(qid), values) == "part"


def containers(places: Iterable[str], values: Mapping[str, Entity]) -> list[str]:
    """Labels and aliases of the places that these places (QIDs) lie in, as far as their entities are at hand."""
    names: list[str] = []
    layer = list(places)
    for _ in range(_CONTAINER_DEPTH):
        layer = [qid for place in layer if place in values for each in CONTAINERS for qid in values[place].items(each)]
        for qid in dict.fromkeys(layer):
            if qid in values:
                names += [values[qid].label, *values[qid].aliases]
    return list(dict.fromkeys(names))
