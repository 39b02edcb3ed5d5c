"""Studies: the recipe of a matrix of unlearning runs, the record of what became of each, and their training curves."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from schemas.recipes.source_recipe import Config, Positive, Share
from schemas.records.evaluation import AttackName
from schemas.records.routes import AnyRoute
from schemas.storage.tables import Record
from schemas.vocabulary import MODALITIES, PUBLISHED_SETTING, TASKS, Modality, Setting, Task

ComparedMetric = Literal["accuracy", "exact_match", "normalised_exact_match", "rouge_l_recall", "rouge_l_f1"]
"""Figures of single answers by which methods can be compared."""


def _our_spelling(value: object) -> object:
    for ours, published in PUBLISHED_SETTING.items():
        if value == published:
            return ours
    return value


AnySetting = Annotated[Setting, BeforeValidator(_our_spelling)]


class EvaluateConfig(Config):
    """What each run, and the target before it, is asked."""

    tasks: Annotated[tuple[Task, ...], Field(min_length=1)] = TASKS
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] = MODALITIES
    attacks: tuple[AttackName, ...] = ()
    utility: Annotated[int, Field(ge=0)] = 200
    """Questions about general pictures; 0: none."""
    identity: Annotated[int, Field(ge=0, strict=True)] = 0
    """People whose picture is shown and whose name is asked; 0: none."""
    metrics: tuple[str, ...] = ()
    """Figures of your own besides ours, each `FILE.py:NAME` (docs/adding-a-metric.md)."""
    routes: tuple[AnyRoute, ...] = ()
    """Ways to the forgotten facts that are tried on every run, on the target and on a control (docs/audit.md)."""
    likelihood: bool = True
    batch: Positive = 64
    max_new_tokens: Positive = 48


class CompareConfig(Config):
    """By what the report says which method is better."""

    metric: ComparedMetric = "accuracy"
    task: Task = "generation"
    matched: tuple[Annotated[Share, Field(gt=0, lt=1)], ...] = (0.5, 0.25)
    """Shares of the forget set's accuracy that are left where methods are compared during training."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Methods to be compared two by two at each learning rate, such as one without and with a term."""


class RequestsConfig(Config):
    """Requests one after another, in place of one forget set: a sequence study (docs/requests.md)."""

    files: tuple[Path, ...] = ()
    """Request files in their order; relative to where the command runs. Empty: they are drawn."""
    draw: Positive = 5
    """How many are drawn where no files are named."""
    seed: int = 0
    """Of the draw."""
    orders: Annotated[tuple[Literal["given", "reversed"], ...], Field(min_length=1)] = ("given", "reversed")
    batch: bool = True
    """Also all of them at once, in as many steps as one after another took together."""
    access: Literal["strict", "lenient"] = "strict"
    """Whether earlier requests' facts are forgotten once more (lenient) or not looked at."""


class StudyRecipe(Config):
    """A matrix of runs: every method under every setting, with every seed and learning rate."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    dataset: Path
    """A build, an exported dataset (relative to where the command runs), or a Hub id such as closerG/ppu-bench."""
    revision: str | None = None
    """Branch, tag or commit of a Hub id."""
    splits: Path | None = None
    """Folder of the published split files, if the dataset lacks them."""
    allow_missing: bool = False
    """Take a split that names samples which the data lacks."""
    model: str
    """Folder or Hub id of the target; relative to where the command runs."""
    methods: Annotated[tuple[str, ...], Field(min_length=1)]
    """See `ppubench methods`; `FILE.py:NAME` is one of your own (docs/adding-a-method.md)."""
    settings: Annotated[tuple[AnySetting, ...], Field(min_length=1)]
    ratios: tuple[Annotated[int, Field(ge=1, le=99)], ...] = ()
    """Percent of subjects; for the complete setting only."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    learning_rates: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Empty: each method's own of the preset."""
    preset: Literal["default", "published"] = "default"
    modality: Literal["both", "qa", "vqa"] = "both"
    oracle: Annotated[bool, Field(strict=True)] = False
    """Teach the embedded world's oracle of each setting, which never knew the forget set, for the routes' control."""
    numbers: dict[str, JsonValue] = {}
    """Numbers of unlearn/presets.py for all runs, instead of the preset's."""
    target: str | None = None
    """Which `train_pair_<target>`, if the dataset has several."""
    device: str = "cpu"
    jobs: Positive = 1
    """Runs at once, each in a process of its own. More than one for small models on a CPU."""
    requests: RequestsConfig | None = None
    evaluate: EvaluateConfig = EvaluateConfig()
    compare: CompareConfig = CompareConfig()

    @model_validator(mode="after")
    def _fits(self) -> "StudyRecipe":
        if "complete" in self.settings and not self.ratios:
            raise ValueError("settings has complete, so ratios needs at least one percentage, such as ratios = [30]")
        if self.compare.task not in self.evaluate.tasks:
            raise ValueError(f"compare.task is {self.compare.task}, but evaluate.tasks does not ask it")
        if self.oracle and not self.evaluate.routes:
            raise ValueError(
                "oracle is the control of routes, and evaluate.routes names none: name some, or leave it out"
            )
        if strange := [method for pair in self.compare.pairs for method in pair if method not in self.methods]:
            raise ValueError(f"compare.pairs names {strange[0]}, which is not among the methods")
        for name in ("methods", "settings", "ratios", "seeds", "learning_rates"):
            values: tuple[object, ...] = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name} names something twice")
        return self


class UnitRecord(Record):
    """One cell of the matrix: a run with its evaluations, or the untouched target (method "")."""

    name: str
    """Of the run's folder below `runs/`; `target` for the untouched target."""
    method: str
    setting: Setting | None
    """None for the target, which is evaluated under all settings of the study."""
    ratio: int | None
    seed: int | None
    lr: float | None
    """None: the preset's."""
    status: Literal["finished", "stopped", "failed"]
    """`stopped`: a guard ended the run early and its best checkpoint was evaluated."""
    reason: str = ""
    """Why it stopped or failed, in one line."""
    run: str = ""
    """Identity of the run, or "" for the target."""
    control: bool = False
    """It is an oracle: asked on the routes alone, and compared with as a model that never knew."""
    evaluations: tuple[str, ...] = ()
    """Folders below `evaluations/`; of a failed unit those that had finished."""
    routes: tuple[str, ...] = ()
    """Folders of the routes' records, likewise."""
    unknown: str = ""
    """Of the target: the folder of the routes to facts that it does not know; "" for none."""
    seconds: float = 0.0


class StudyRecord(Record):
    """`study.json`: what was asked for and what became of each unit."""

    format: int = 1
    recipe: str
    """Name of the recipe."""
    compare: dict[str, JsonValue]
    """The recipe's `compare` section, for the report."""
    planned: int
    units: tuple[UnitRecord, ...]


class CurvePoint(Record):
    """What a probe found during a run; shares of samples whose answer came exactly, 0-1."""

    position: float
    """Optimiser steps done; for pruning, the share of neurons pruned. 0 is the model before the run."""
    forget: float
    retain: float
    forget_nll: float
    retain_nll: float
    forget_right: tuple[int, ...] = ()
    """Exact answers by subject, in the order of Curve.subjects; empty where the run did not count them."""
    retain_right: tuple[int, ...] = ()
    choosing: float | None = None
    """Of further samples kept from training, by which numbers are chosen; None where no sample was kept."""


class Curve(Record):
    """Forgetting and retaining over one run."""

    run: str
    """Identity of the run."""
    method: str
    title: str
    setting: Setting
    ratio: int | None
    seed: int
    lr: float
    made_of: dict[str, JsonValue] = {}
    """As in RunRecord; empty where it is not known."""
    data: str
    base: str
    unit: Literal["step", "share pruned", "value tried"]
    kept: float | None
    """Position of the weights that were kept."""
    status: str
    reason: str
    forget_samples: int
    """Probed at each point."""
    retain_samples: int
    subjects: tuple[str, ...] = ()
    """Whom the probes ask about; empty where the run did not count by subject."""
    forget_asked: tuple[int, ...] = ()
    """Probed samples of each subject."""
    retain_asked: tuple[int, ...] = ()
    points: tuple[CurvePoint, ...]


class MatchedRow(Record):
    """The most that is retained at a matched degree of forgetting, over the seeds of one method and learning rate."""

    arm: str
    setting: Setting
    ratio: int | None
    left: float
    """Share of the forget set's start accuracy of which no more is left where retain is read."""
    value: float | None
    """The most retained there, as a share of its start; None if fewer than half of the runs got so far."""
    low: float | None
    high: float | None
    reached: int
    runs: int
    by_subject: bool = False
    """The interval draws subjects anew (and seeds); False: single answers, where the runs did not count by subject."""
    behind: float | None = None
    """How far the arm that keeps most is ahead there, on the same draws; None where it cannot be said."""
    behind_low: float | None = None
    behind_high: float | None = None
    real: bool = False
    """The 95 % interval of `behind` leaves out zero."""
    chosen: bool = True
    """It stands for its method: the one with these numbers did best by its own runs' probes. Only such are compared."""


class ArmRow(Record):
    """One method (with one set of numbers) under one setting, over its seeds, compared with the best one."""

    arm: str
    method: str
    setting: Setting
    ratio: int | None
    seeds: int
    forgotten: float
    """1 - forget / forget of the target, on the compared metric."""
    retained: float
    """retain / retain of the target."""
    score: float
    """Harmonic mean of the two, 0-1."""
    low: float | None
    high: float | None
    behind: float
    """How far the best arm is ahead; 0 for the best itself."""
    behind_low: float | None
    behind_high: float | None
    real: bool
    """The 95 % interval of `behind` leaves out zero."""
    best: bool
    subjects: int = 0
    """Asked about; too few of them give no interval (eval.metrics.bootstrap.FEWEST_SUBJECTS)."""
    failed: int = 0
    """Questions of the compared task without an answer, of all runs; left out of the shares."""
