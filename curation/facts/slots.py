"""The numbered candidate slots of a subject, fifty of them, some kept for sensitive facts."""

from collections.abc import Collection, Iterator, Sequence

from schemas.vocabulary import Sensitivity

GENERAL, SENSITIVE, REST = range(1, 25), range(25, 37), range(37, 51)
"""As in the published data: public facts, the classes that the recipe calls sensitive, everything else."""


def assign_slots(classes: Sequence[Sensitivity], sensitive: Collection[Sensitivity]) -> Iterator[int | None]:
    """A slot for each fact of a subject in turn, by its class; None where the slots of its kind are used up."""
    general, marked, rest = iter(GENERAL), iter(SENSITIVE), iter(REST)
    for each in classes:
        yield next(marked if each in sensitive else general if each == "public" else rest, None)
