"""One evaluation: a model, or a run of unlearning, asked about a setting of a dataset, plain or under an attack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from filelock import FileLock
from pydantic import JsonValue

from curation.answer_log import AnswerLog
from eval.dataset import training_answers, training_target
from eval.metrics import Metric, Place, all_metrics, attack_effects
from eval.outcomes import values_of
from eval.scoring import score
from eval.store import read_record, write_evaluation
from eval.tasks import AskedFact, EvalQuestion, Slice, questions_digest, read_facts, read_questions
from flows.datasets import open_dataset
from flows.evaluated import Evaluated, check_attack, identify, open_evaluated
from flows.evaluation_asks import Asking, Progress, ask_all
from flows.evaluation_extras import facts_of, identity_questions, utility_questions, why_no_likelihoods
from flows.own_code import find_metric
from flows.weight_attacks import attack_key, weight_attack
from schemas.artifacts import digest
from schemas.problems import BadInput
from schemas.responders import Decoding
from schemas.results import (
    MODEL_ATTACKS,
    PROMPT_ATTACKS,
    VIEW_ATTACKS,
    AttackName,
    EvaluationRecord,
    Prediction,
    PromptSet,
)
from schemas.split_reading import read_roles
from schemas.words import MODALITIES, TASKS, Modality, Setting, Task

VERSION = 1
"""Raised when the same replies give other figures."""
GROUPED_BATCHES = 4
"""Batches of a local model that are asked, and after an interruption asked again, as one."""


@dataclass(frozen=True)
class Request:
    """What is evaluated, settled before anything is asked."""

    hub: Path
    evaluated: Evaluated
    cut: Slice
    attack: AttackName | None
    tasks: tuple[Task, ...]
    modalities: tuple[Modality, ...]
    prompts: PromptSet
    max_new_tokens: int
    target: str
    likelihood: bool
    facts: Mapping[str, AskedFact]
    questions: tuple[EvalQuestion, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    """Of a user's own, besides ours."""

    def identity(self, dataset: str) -> str:
        """Digest of all that the figures follow from; `dataset` is that of the questions."""
        own: dict[str, JsonValue] = {"metrics": [each.code for each in self.metrics]} if self.metrics else {}
        return digest(
            own
            | {
                "version": VERSION, "dataset": dataset, "model": self.evaluated.identity, "attack": self.attack,
                "weights": attack_key(self.attack, dataset), "setting": self.cut.setting, "ratio": self.cut.ratio,
                "tasks": list(self.tasks), "modalities": list(self.modalities), "prompts": self.prompts,
                "max_new_tokens": self.max_new_tokens, "target": self.target, "likelihood": self.likelihood,
            }
        )  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """How a model is run; nothing that figures are meant to depend on."""

    batch: int
    device: str
    trust_remote_code: bool
    progress: Progress


def run_evaluation(
    *,
    dataset: str | Path,
    model: str,
    setting: Setting,
    out: Path,
    ratio: int | None = None,
    adapter: Path | None = None,
    attack: AttackName | None = None,
    tasks: Sequence[Task] = TASKS,
    modalities: Sequence[Modality] = MODALITIES,
    prompts: PromptSet = "probe",
    batch: int = 64,
    max_new_tokens: int = 48,
    target: str | None = None,
    likelihood: bool = True,
    utility: int = 200,
    identity: bool = False,
    metrics: Sequence[str] = (),
    device: str = "cpu",
    trust_remote_code: bool = False,
    allow_missing: bool = False,
    revision: str | None = None,
    splits: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> EvaluationRecord:
    """Evaluate a model under `out` and return the record; the same call again asks only what failed.

    `model` is a folder, a Hub id or `openai:<base-url>#<model>`; `adapter` a run folder of `ppubench unlearn` or an
    adapter's folder. `utility` is the number of general questions, asked only of the embedded world's target and of
    what was made of it; `identity` asks also who is shown; `metrics` are figures of a user's own, each
    FILE.py:NAME. Replies are kept as they come, for all evaluations of one model in one file. Raises BadInput
    before anything is asked for wrong use, and for a dataset without the setting, ratio, task or attack.
    """
    from unlearn.processes import check_device

    check_device(device)
    hub = open_dataset(dataset, revision=revision, splits=splits)
    evaluated = identify(model, adapter, trust_remote_code=trust_remote_code)
    check_attack(evaluated, attack)
    request = Request(
        hub=hub,
        evaluated=evaluated,
        cut=Slice(setting, ratio, read_roles(hub, setting, ratio)),
        attack=attack,
        tasks=_tasks(tasks, attack),
        modalities=_modalities(modalities, attack),
        prompts=prompts,
        max_new_tokens=max_new_tokens,
        target=training_target(hub, target),
        likelihood=likelihood and evaluated.local and attack not in (*PROMPT_ATTACKS, *VIEW_ATTACKS),
        facts=read_facts(hub),
        metrics=tuple(find_metric(word) for word in metrics),
    )
    plain = _with_questions(replace(request, attack=None), allow_missing=allow_missing)
    if attack is None or attack in MODEL_ATTACKS:
        request = _with_extras(replace(plain, attack=attack), utility=utility, identity=identity)
    else:
        request = _with_questions(request, allow_missing=allow_missing)
    manner = Manner(batch, device, trust_remote_code, progress)
    return _evaluate(request, plain if attack else None, out, manner)


def _tasks(tasks: Sequence[Task], attack: AttackName | None) -> tuple[Task, ...]:
    wanted = tuple(task for task in TASKS if task in tasks and (attack not in PROMPT_ATTACKS or task == "generation"))
    if not wanted:
        raise BadInput(f"tasks {', '.join(tasks) or '(none)'}", f"none is asked under {attack}", "name generation")
    return wanted


def _modalities(modalities: Sequence[Modality], attack: AttackName | None) -> tuple[Modality, ...]:
    wanted = tuple(each for each in MODALITIES if each in modalities and (attack not in VIEW_ATTACKS or each == "vqa"))
    if not wanted:
        found = f"none is asked under {attack}"
        raise BadInput(f"modalities {', '.join(modalities) or '(none)'}", found, "name vqa")
    return wanted


def _with_questions(request: Request, *, allow_missing: bool) -> Request:
    """The request with the dataset's questions."""
    questions, without_role = read_questions(
        request.hub,
        request.facts,
        request.cut,
        tasks=request.tasks,
        modalities=request.modalities,
        attack=request.attack,
        allow_missing=allow_missing,
    )
    notes = [f"{without_role} questions have no role in this setting and were not asked."] if without_role else []
    present = [(fact.sample_id, fact.subject_id) for fact in request.facts.values()]
    if gone := request.cut.roles.missing(present):
        notes.append(f"{len(gone)} ids of the split are not in the dataset (first {gone[0]}).")
    if all(question.role == "forget" for question in questions):
        notes.append("The dataset holds no retain questions under this attack.")
    if request.cut.setting == "complete":
        notes.append("No boundary within subjects: the complete setting forgets subjects whole.")
    if not request.target:
        notes.append("The NLL is of the right answers: the dataset holds no one target's own answers.")
    if not request.likelihood:
        notes.append(f"No likelihoods: {why_no_likelihoods(request.evaluated.local, request.attack)}.")
    return replace(request, questions=tuple(questions), notes=tuple(notes))


def _with_extras(request: Request, *, utility: int, identity: bool) -> Request:
    """The request with the questions about names and general pictures."""
    notes = list(request.notes)
    extras = identity_questions(request.questions, by_subject=request.cut.roles.of_subjects) if identity else []
    if utility and request.evaluated.knows_general:
        extras += utility_questions(utility)
    elif utility:
        notes.append(
            "No utility: its questions are for the embedded world's target; for real models see docs/figures.md."
        )
    return replace(
        request,
        questions=(*request.questions, *extras),
        facts={**request.facts, **facts_of(extras)},
        notes=tuple(notes),
    )


def _evaluate(request: Request, plain: Request | None, out: Path, manner: Manner) -> EvaluationRecord:
    """Answer, score and write, unless that has been done; questions that failed are asked again."""
    dataset = questions_digest(request.questions)
    identity = request.identity(dataset)
    parts = (request.cut.setting, f"r{request.cut.ratio}" if request.cut.ratio else "", request.attack or "")
    place = f"{request.evaluated.folder}/{'_'.join(filter(None, parts))}-{identity[:8]}"
    folder = out / place
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".lock"):
        found = read_record(folder)
        if found is not None and found.identity == identity and not found.failed:
            return found
        before = _answered(replace(plain, likelihood=False), folder.parent, manner) if plain else []
        rows = _answered(request, folder.parent, manner)
        record = _record(request, rows, before, identity=identity, dataset=dataset, place=place)
        write_evaluation(folder, record, rows)
    return record


def _answered(request: Request, home: Path, manner: Manner) -> list[Prediction]:
    """Scored rows in the order of the questions; what the logs in `home` hold is not asked again."""
    evaluated, attack = request.evaluated, request.attack
    dataset = questions_digest(request.questions)
    overlay = weight_attack(attack, request.hub, request.cut.setting, request.cut.ratio, request.target)
    opening = partial(
        open_evaluated,
        evaluated,
        batch=manner.batch,
        device=manner.device,
        attack=overlay,
        trust_remote_code=manner.trust_remote_code,
    )
    asking = Asking(
        open=cache(opening),
        scores=request.likelihood,
        prompts=request.prompts,
        decoding=Decoding(max_new_tokens=request.max_new_tokens),
        together=GROUPED_BATCHES * manner.batch if evaluated.local else 0,
        progress=manner.progress,
    )
    weights = digest([evaluated.identity, attack_key(attack, dataset)])
    key = digest([weights, request.max_new_tokens])
    training = training_answers(request.hub, request.target) if request.target else {}
    with (
        AnswerLog(home / f"answers-{key[:8]}.jsonl", key=key) as replies,
        AnswerLog(home / f"likelihoods-{weights[:8]}.jsonl", key=weights) as scores,
    ):
        answers = ask_all(request.questions, asking, replies, scores, training=training)
    values = values_of(request.facts.values())
    return [
        score(
            question,
            answers.replies.get(question.key),
            prompt=answers.prompts[question.key],
            values=values,
            likelihoods=answers.likelihoods.get(question.key, {}),
            nll=answers.nll.get(question.key),
        )
        for question in request.questions
    ]


def _record(
    request: Request,
    rows: Sequence[Prediction],
    plain: Sequence[Prediction],
    *,
    identity: str,
    dataset: str,
    place: str,
) -> EvaluationRecord:
    evaluated = request.evaluated
    where = Place(request.cut.setting, request.cut.ratio, request.attack or "")
    return EvaluationRecord(
        identity=identity,
        folder=place,
        dataset=dataset,
        model=evaluated.identity,
        name=evaluated.name,
        run=evaluated.run.identity if evaluated.run else "",
        method=evaluated.run.method if evaluated.run else "",
        seed=evaluated.run.seed if evaluated.run else None,
        made_of=evaluated.run.made_of if evaluated.run else {},
        setting=request.cut.setting,
        ratio=request.cut.ratio,
        attack=request.attack,
        tasks=request.tasks,
        modalities=request.modalities,
        prompts=request.prompts,
        max_new_tokens=request.max_new_tokens,
        target=request.target,
        questions=len(rows),
        failed=sum(row.outcome == "failed" for row in rows),
        metrics=(*all_metrics(rows, where, request.metrics), *attack_effects(plain, rows, where)),
        notes=request.notes,
    )
