"""What a report says, worked out from curves and evaluations before anything is drawn."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from eval.audit.rows import Audited
from eval.comparison.arm_labels import TARGET, arm_names
from eval.comparison.attack_recovery import Attacked, AttackRow, asked_model, attack_rows
from eval.comparison.comparable import check_attacked, check_evaluations, on_common_tasks
from eval.comparison.curves import check_comparable, choosing_score, matched_rows
from eval.comparison.paired import PairRow, pair_rows
from eval.comparison.ranking import Arm, DuelRow, duel_rows, rank_arms
from eval.metrics.failures import answered, why_not_compared
from schemas.records.evaluation import EvaluationRecord, Prediction
from schemas.records.study import ArmRow, ComparedMetric, Curve, MatchedRow, UnitRecord
from schemas.vocabulary import MODALITIES, SETTINGS, Modality, Role, Setting, Task

SAMPLES: Mapping[Role, int] = {"forget": 6, "retain": 3}
"""Sample answers shown under each setting."""


@dataclass(frozen=True)
class Evaluated:
    """One evaluation without attack, with its answers."""

    record: EvaluationRecord
    rows: Sequence[Prediction]


@dataclass(frozen=True)
class Findings:
    """All that a report is made from."""

    title: str
    curves: Sequence[Curve]
    evaluated: Sequence[Evaluated]
    attacked: Sequence[Attacked]
    failed: Sequence[UnitRecord] = ()
    planned: int = 0
    """Units of the studies."""
    missing: int = 0
    """Of these, the ones that were not come to: the study was interrupted."""
    metric: ComparedMetric = "accuracy"
    task: Task = "generation"
    matched: Sequence[float] = (0.5, 0.25)
    wanted_pairs: Sequence[tuple[str, str]] = ()
    """Methods that the study asks to be compared two by two."""
    audits: Sequence[Audited] = ()
    """Runs whose forgotten facts were looked for on all routes."""


@dataclass(frozen=True)
class Reply:
    """What one arm answered."""

    label: str
    text: str
    outcome: str


@dataclass(frozen=True)
class SampleAnswer:
    """One question with the answers before and after unlearning."""

    role: Role
    modality: str
    question: str
    answer: str
    replies: tuple[Reply, ...]


@dataclass(frozen=True)
class Condition:
    """What was found under one setting (and ratio). `labels` are its arms, the target not among them."""

    setting: Setting
    ratio: int | None
    labels: tuple[str, ...]
    ranking: tuple[ArmRow, ...]
    matched: tuple[MatchedRow, ...]
    curves: tuple[tuple[str, Curve], ...]
    evaluated: tuple[tuple[str, Evaluated], ...]
    """By label; the target's come first, under TARGET."""
    attacked: tuple[tuple[str, Attacked], ...]
    samples: tuple[SampleAnswer, ...] = field(default=())
    metric: ComparedMetric = "accuracy"
    task: Task = "generation"
    controls: tuple[str, ...] = ()
    """Arms that are shown and not ranked: without steering and guards, or told what is forgotten."""
    chosen: tuple[str, ...] = ()
    """Of `labels` the arms that stand for their methods: those that did best by their runs' own probes."""
    not_compared: tuple[str, ...] = ()
    """Why an arm is not ranked, a sentence each."""
    left_out: tuple[str, ...] = ()
    """Tasks that not all were asked, a sentence each."""
    pairs: tuple[PairRow, ...] = ()
    duels: tuple[DuelRow, ...] = ()
    recoveries: tuple[AttackRow, ...] = ()
    outside: tuple[str, ...] = ()
    """Of `labels` the models that no run of ppubench made."""

    @property
    def name(self) -> str:
        """For people: the setting, with its ratio."""
        return self.setting if self.ratio is None else f"{self.setting}, {self.ratio} % of subjects"

    @property
    def main(self) -> tuple[str, ...]:
        """What the charts and the tables that are open show: the untouched target, the chosen arms and the controls."""
        return (TARGET, *self.chosen, *self.controls)

    @property
    def records(self) -> list[tuple[str, EvaluationRecord]]:
        """Of all evaluations, by label: those without attack first."""
        plain = [(label, each.record) for label, each in self.evaluated]
        return [*plain, *((label, each.record) for label, each in self.attacked)]

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """In which the evaluations were asked."""
        return self.evaluated[0][1].record.modalities if self.evaluated else MODALITIES

    @property
    def anchor(self) -> str:
        """For links within the page."""
        return self.setting if self.ratio is None else f"{self.setting}-{self.ratio}"


def conditions(findings: Findings) -> list[Condition]:
    """The findings by setting, in the settings' order. Raises BadInput if two runs under one setting do not compare."""
    check_comparable(findings.curves)
    pairs = {(each.setting, each.ratio) for each in findings.curves}
    pairs |= {(each.record.setting, each.record.ratio) for each in findings.evaluated}
    ordered = sorted(pairs, key=lambda pair: (SETTINGS.index(pair[0]), pair[1] or 0))
    return [_condition(findings, setting, ratio) for setting, ratio in ordered]


def _condition(findings: Findings, setting: Setting, ratio: int | None) -> Condition:
    def here(each: Curve | EvaluationRecord) -> bool:
        return (each.setting, each.ratio) == (setting, ratio)

    curves = [each for each in findings.curves if here(each)]
    evaluated = [each for each in findings.evaluated if here(each.record)]
    attacked = [each for each in findings.attacked if here(each.record)]
    common, left_out = on_common_tasks([(each.record, each.rows) for each in evaluated])
    evaluated = [Evaluated(*each) for each in common]
    check_evaluations(common)
    check_attacked([each.record for each in attacked], [each.record for each in evaluated])
    records = [*(each.record for each in evaluated), *(each.record for each in attacked)]
    names = arm_names(curves, records, setting, ratio)
    named_curves = sorted(((names.runs[each.run], each) for each in curves), key=_by_label_and_seed)
    named = [(names.of(each.record), each) for each in evaluated]
    named.sort(key=lambda pair: (pair[0] != TARGET, pair[0], pair[1].record.seed or 0))
    under_attack = [(names.of(each.record), each) for each in attacked]
    under_attack.sort(
        key=lambda pair: (pair[0] != TARGET, pair[0], pair[1].record.attack or "", pair[1].record.seed or 0)
    )
    labels = tuple(sorted({name for name, _ in (*named_curves, *named)} - {TARGET}))
    best_of = _chosen(named_curves, left=min(findings.matched))
    methods = {name: each.record.method for name, each in named} | {name: each.method for name, each in named_curves}
    controls = {name for name, each in named if each.record.exposed or each.record.oracle}
    best = tuple(name for name in labels if best_of.get(names.family(name, methods[name]), name) == name)
    chosen = tuple(name for name in best if name not in controls)
    runs = {arm: [curve for name, curve in named_curves if name == arm] for arm in labels}
    curved = {arm: found for arm, found in runs.items() if found}
    matched = tuple(row for left in findings.matched for row in matched_rows(curved, left=left, chosen=chosen))
    ranking, pairs, duels, not_compared = _compared(findings, named, chosen, setting, ratio)
    return Condition(
        setting=setting,
        ratio=ratio,
        labels=labels,
        ranking=tuple(ranking),
        matched=matched,
        curves=tuple(named_curves),
        evaluated=tuple(named),
        attacked=tuple(under_attack),
        samples=tuple(_samples(named, chosen, findings.task)),
        metric=findings.metric,
        task=findings.task,
        controls=tuple(sorted(controls)),
        chosen=chosen,
        not_compared=tuple(not_compared),
        left_out=tuple(left_out),
        pairs=tuple(pairs),
        duels=tuple(duels),
        recoveries=tuple(_recoveries(under_attack, named, findings.task)),
        outside=tuple(sorted({name for name, each in named if name != TARGET and not each.record.run})),
    )


def _recoveries(
    under_attack: Sequence[tuple[str, Attacked]], named: Sequence[tuple[str, Evaluated]], task: Task
) -> Iterator[AttackRow]:
    target = next((each.rows for name, each in named if name == TARGET), None)
    known = None if target is None else frozenset(row.key for row in target if row.correct and answered(row))
    return attack_rows(under_attack, {asked_model(each.record): each.rows for _, each in named}, known, task)


def _by_label_and_seed(pair: tuple[str, Curve]) -> tuple[str, int]:
    return pair[0], pair[1].seed


def _compared(
    findings: Findings,
    named: Sequence[tuple[str, Evaluated]],
    chosen: Sequence[str],
    setting: Setting,
    ratio: int | None,
) -> tuple[list[ArmRow], list[PairRow], list[DuelRow], list[str]]:
    """The ranking, the paired differences, the pairs that were asked for, and why which arms are in none of them."""
    groups = _grouped(named)
    reasons = {
        name: reason
        for name, runs in groups.items()
        for each in runs
        if (reason := why_not_compared(name, each.record, each.rows, findings.task))
    }
    whole = {name: [each.rows for each in runs] for name, runs in groups.items() if name not in reasons}
    target = whole.pop(TARGET, None)
    arms = [Arm(name, groups[name][0].record.method or name, tuple(runs)) for name, runs in whole.items()]
    ranking, duels = [], []
    if target is not None:
        by = partial(rank_arms, setting=setting, ratio=ratio, metric=findings.metric, task=findings.task)
        ranking = by([arm for arm in arms if arm.label in chosen], target[0])
        duels = duel_rows(arms, findings.wanted_pairs, by=lambda two: by(two, target[0]))
    best = next((row.arm for row in ranking if row.best), None)
    pairs = pair_rows(
        {name: runs for name, runs in whole.items() if name in chosen},
        None if target is None else (TARGET, target),
        best,
        setting=setting,
        ratio=ratio,
    )
    return ranking, pairs, duels, list(reasons.values())


def _grouped(named: Sequence[tuple[str, Evaluated]]) -> dict[str, list[Evaluated]]:
    found: dict[str, list[Evaluated]] = {}
    for name, each in named:
        found.setdefault(name, []).append(each)
    return found


def _chosen(curves: Sequence[tuple[str, Curve]], *, left: float) -> dict[str, str]:
    """Of each method the arm (numbers of its run) that did best by the runs' own probes, over seeds."""
    scores: dict[str, dict[str, list[float]]] = {}
    for name, curve in curves:
        scores.setdefault(curve.method, {}).setdefault(name, []).append(choosing_score(curve, left=left))
    return {
        method: max(sorted(arms), key=lambda name: sum(arms[name]) / len(arms[name])) for method, arms in scores.items()
    }


def _samples(named: Sequence[tuple[str, Evaluated]], labels: Sequence[str], task: Task) -> Iterator[SampleAnswer]:
    groups = _grouped(named)
    if TARGET not in groups:
        return
    before = {row.key: row for row in groups[TARGET][0].rows if row.task == task}
    after = [(label, {row.key: row for row in groups[label][0].rows}) for label in labels if label in groups]
    for role, count in SAMPLES.items():
        keys = sorted(key for key, row in before.items() if row.role == role and row.correct)
        for key in sorted(random.Random(f"samples:{role}").sample(keys, min(count, len(keys)))):
            row = before[key]
            replies = [Reply(TARGET, row.reply, row.outcome)]
            replies += [Reply(label, found[key].reply, found[key].outcome) for label, found in after if key in found]
            yield SampleAnswer(role, row.modality, row.prompt, row.answer, tuple(replies))
