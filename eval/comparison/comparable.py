"""What may not stand in one report: evaluations that were not asked the same questions in the same way."""

from collections.abc import Sequence

from schemas.errors import BadInput
from schemas.records.evaluation import EvaluationRecord, Prediction
from schemas.storage.artifacts import digest

ASKED = ("tasks", "modalities", "prompts", "max_new_tokens", "thinking", "target")
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


def on_common_tasks(
    found: Sequence[tuple[EvaluationRecord, Sequence[Prediction]]],
) -> tuple[list[tuple[EvaluationRecord, Sequence[Prediction]]], list[str]]:
    """Evaluations without attack cut to the tasks that all were asked alike, and a sentence for each task left out.

    As they are where that is all of them, or where records do not say it task by task (`check_evaluations` refuses
    these then). Raises BadInput where no task is common, or one was asked of other questions.
    """
    records = [record for record, _ in found]
    asked = [record.dataset_by_task for record in records]
    if len({record.dataset for record in records}) < 2 or not all(asked):
        return list(found), []
    common = [task for task in asked[0] if all(task in each for each in asked)]
    for record in records[1:]:
        _check_common(records[0], record, common)
    gone = sorted({task for each in asked for task in each} - set(common))
    said = []
    for task in gone:
        lacking = sorted({record.label or record.name for record in records if task not in record.dataset_by_task})
        said.append(f"Not shown: {task}, which {', '.join(lacking[:4])} {'were' if lacking[1:] else 'was'} not asked.")
    return [_cut(record, rows, common) for record, rows in found], said


def _check_common(one: EvaluationRecord, other: EvaluationRecord, tasks: Sequence[str]) -> None:
    """Raise BadInput unless both were asked the same questions of these tasks, in one way."""
    _same(one, other, ASKED[1:])
    if not tasks:
        _differ(one, other, "tasks", *(", ".join(each.dataset_by_task) for each in (one, other)))
    for task in tasks:
        if one.dataset_by_task[task] != other.dataset_by_task[task]:
            _differ(one, other, "dataset", one.dataset[:12], other.dataset[:12])


def _cut(
    record: EvaluationRecord, rows: Sequence[Prediction], tasks: Sequence[str]
) -> tuple[EvaluationRecord, Sequence[Prediction]]:
    """The evaluation as if it had been asked only these tasks. Counts of failures stay those of all that it asked."""
    kept = {
        "tasks": tuple(task for task in record.tasks if task in tasks),
        "metrics": tuple(row for row in record.metrics if row.task in (*tasks, "")),
    }
    by_task = {task: record.dataset_by_task[task] for task in sorted(tasks)}
    cut = record.model_copy(update=kept | {"dataset": digest([*by_task.values()]), "dataset_by_task": by_task})
    return cut, [row for row in rows if row.task in tasks]


def check_attacked(found: Sequence[EvaluationRecord], plain: Sequence[EvaluationRecord]) -> None:
    """Raise BadInput if evaluations under one attack differ in what was asked, or from those without it in how."""
    first: dict[str, EvaluationRecord] = {}
    for record in found:
        before = first.setdefault(str(record.attack), record)
        if before.dataset_by_task and record.dataset_by_task:
            _check_common(before, record, [task for task in before.dataset_by_task if task in record.dataset_by_task])
        else:
            _same(before, record, (*ASKED, "dataset"))
        if plain:
            _same(plain[0], record, ("prompts", "max_new_tokens", "thinking"))


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
