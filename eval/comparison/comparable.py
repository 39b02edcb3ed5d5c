"""What may not stand in one report: evaluations that were not asked the same questions in the same way."""

from collections.abc import Sequence

from schemas.errors import BadInput
from schemas.records.evaluation import EvaluationRecord, Prediction

ASKED = ("tasks", "modalities", "prompts", "max_new_tokens", "target")
"""Keys of a record that must agree, and that say more than the digest of the questions, which follows from some."""


def check_evaluations(found: Sequence[tuple[EvaluationRecord, Sequence[Prediction]]]) -> None:
    """Raise BadInput if two evaluations without attack, [record, rows], cannot be compared; it names the key."""
    untouched = {record.model: record for record, _ in found if not record.run and not record.label}
    if len(untouched) > 1:
        one, other = list(untouched.values())[:2]
        raise BadInput(
            f"evaluations of {one.name} and {other.name}",
            "differ in model, and neither is a run of ppubench unlearn",
            "report one untouched model; others belong beside it if ppubench evaluate gave them a --label",
        )
    of_run: dict[str, EvaluationRecord] = {}
    for record, _ in found:
        if record.run and (first := of_run.setdefault(record.run, record)).label != record.label:
            raise BadInput(
                f"evaluations {first.folder} and {record.folder}",
                f"are of one run, once with the label {first.label!r} and once with {record.label!r}",
                "report one of them",
            )
    for record, rows in found[1:]:
        first, first_rows = found[0]
        # General questions and those about names are no tasks of a record, but change the digest of the questions.
        _same(first, record, ASKED)
        if first.dataset != record.dataset:
            extras = [_tasks(each) for each in (first_rows, rows)]
            if extras[0] != extras[1]:
                _differ(first, record, "tasks", *extras)
        _same(first, record, ("dataset",))


def check_attacked(found: Sequence[EvaluationRecord], plain: Sequence[EvaluationRecord]) -> None:
    """Raise BadInput if evaluations under one attack differ in what was asked, or from those without it in how."""
    first: dict[str, EvaluationRecord] = {}
    for record in found:
        _same(first.setdefault(str(record.attack), record), record, (*ASKED, "dataset"))
        if plain:
            _same(plain[0], record, ("prompts", "max_new_tokens"))


def _same(one: EvaluationRecord, other: EvaluationRecord, keys: Sequence[str]) -> None:
    for key in keys:
        values = [_words(getattr(each, key)) for each in (one, other)]
        if values[0] != values[1]:
            _differ(one, other, key, *values)


def _differ(one: EvaluationRecord, other: EvaluationRecord, key: str, left: str, right: str) -> None:
    raise BadInput(
        f"evaluations {one.folder} and {other.folder}",
        f"differ in {key}: {left or 'none'} and {right or 'none'}",
        "compare evaluations of one dataset, asked in one way",
    )


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)[:12]


def _tasks(rows: Sequence[Prediction]) -> str:
    return ", ".join(sorted({row.task for row in rows}))
