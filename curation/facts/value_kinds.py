"""What kind of thing a value is, and what it reaches by its classes and by what it is part of."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from schemas.errors import BadInput
from schemas.records.entities import Entity
from schemas.storage.tables import Record

TABLE = Path(__file__).with_name("value_kinds.toml")

UPWARDS = ("P31", "P279", "P361", "P131", "P17", "P749")
"""Instance of, subclass of, part of, located in, country, parent organisation: what is true of one is of the other."""
_DEPTH = 8


class ValueKind(Record):
    """One row of the table."""

    answer: str
    kind: str
    classes: tuple[Annotated[str, Field(pattern=r"^Q[1-9]\d*$")], ...]
    words: str = ""


class ValueKinds(Record):
    """The whole table."""

    rows: Annotated[tuple[ValueKind, ...], Field(alias="kind")]
    sorts: dict[str, frozenset[Annotated[str, Field(pattern=r"^Q[1-9]\d*$")]]]
    """Classes of each sort of thing."""
    takes: dict[str, tuple[str, ...]]
    """The sorts that an answer type takes; it takes everything where it is not named."""

    @cached_property
    def by_answer(self) -> dict[str, list[tuple[str, frozenset[str], re.Pattern[str] | None]]]:
        """The rows of each answer type, in order: kind, classes, and the pattern for labels."""
        found: dict[str, list[tuple[str, frozenset[str], re.Pattern[str] | None]]] = {}
        for row in self.rows:
            pattern = re.compile(row.words) if row.words else None
            found.setdefault(row.answer, []).append((row.kind, frozenset(row.classes), pattern))
        return found

    @model_validator(mode="after")
    def _known(self) -> "ValueKinds":
        unknown = sorted({each for sorts in self.takes.values() for each in sorts} - self.sorts.keys())
        if unknown:
            raise ValueError(f"takes the sort {unknown[0]!r}, which has no classes")
        return self

    def refuses(self, answer: str, classes: Set[str]) -> bool:
        """Whether something of these classes is of a known sort, and of none that the answer type takes."""
        found = {sort for sort, wanted in self.sorts.items() if classes & wanted}
        return answer in self.takes and bool(found) and not found & set(self.takes[answer])


@lru_cache(maxsize=4)
def load_kinds(path: Path = TABLE) -> ValueKinds:
    """The checked table; raises BadInput naming the file and what is wrong."""
    try:
        table = ValueKinds.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        _ = table.by_answer
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "restore curation/facts/value_kinds.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, re.error) as error:
        raise BadInput(str(path), f"cannot be read ({error})", "mend the line named") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{path}, {'.'.join(map(str, first['loc']))}", first["msg"], "mend the row") from error
    return table


def kind_of(answer: str, value: Entity | None, values: Mapping[str, Entity]) -> str:
    """The kind of a value among those of its answer type; "" where no row fits, or its entity is not at hand."""
    table = load_kinds()
    rows = table.by_answer.get(answer, ())
    if value is None or not (rows or answer in table.takes):
        return ""
    own = value.items("P31")
    if table.refuses(answer, reached([value.qid, *own], values, up=("P279",)) if own else {value.qid}):
        return "wrong"
    # A breed or an office is a class itself: then its superclasses say what it is.
    classes = reached([*own, *value.items("P279")], values, up=("P279",))
    for kind, wanted, _ in rows:
        if classes & wanted:
            return kind
    if own:
        return ""
    return next((kind for kind, _, words in rows if words is not None and words.search(value.label)), "")


def reached(qids: Iterable[str], values: Mapping[str, Entity], *, up: Sequence[str] = UPWARDS) -> set[str]:
    """These items, and whatever one gets to from them, as far as entities are at hand; cycles end by themselves."""
    found: set[str] = set()
    layer = set(qids)
    for _ in range(_DEPTH):
        found |= layer
        layer = {to for qid in layer if qid in values for each in up for to in values[qid].items(each)} - found
        if not layer:
            break
    return found


def place_named(building: Entity, values: Mapping[str, Entity]) -> Entity | None:
    """The nearest place around a building, or a part of a town, that people name: the town itself."""
    seen: set[str] = set()
    layer = list(building.items("P131"))
    while layer:
        seen.update(layer)
        for qid in layer:
            place = values.get(qid)
            if place is not None and place.label and kind_of("place", place, values) not in ("building", "part"):
                return place
        layer = [to for qid in layer if qid in values for to in values[qid].items("P131") if to not in seen]
    return None
