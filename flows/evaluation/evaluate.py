"""One evaluation: a model, or a run of unlearning, asked about a setting of a dataset, plain or under an attack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from filelock import FileLock

from eval.evaluation_folder import standing, write_evaluation
from eval.metrics.aggregate import Metric, Place, all_metrics, attack_effects
from eval.metrics.authors_metrics import authors_metrics, authors_pair_metrics
from eval.scores.outcome import values_of
from eval.scores.score_reply import score
from eval.tasks.dataset_rows import training_answers, training_target
from eval.tasks.questions import Slice, questions_digest, read_facts
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.guarding import fires_of
from flows.evaluation.inference import Asking, answers_key, ask_all, forgotten_among, likelihoods_key
from flows.evaluation.lmms_eval import check_lmms_eval, lmms_eval_scores
from flows.evaluation.model import (
    CHECKS,
    Evaluated,
    as_served,
    check_attack,
    check_named,
    check_reads,
    check_thinks,
    identify,
    open_evaluated,
    with_checks,
)
from flows.evaluation.settled_request import Request, modalities_under, tasks_under, with_extras, with_questions
from flows.evaluation.weight_attacks import attack_key, weight_attack
from flows.resources.datasets import open_dataset
from flows.resources.user_code import find_metric
from schemas.dataset.adopted_record import read_adopted
from schemas.dataset.split_files import read_roles
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Decoding
from schemas.records.evaluation import (
    MODEL_ATTACKS,
    PROMPT_ATTACKS,
    VIEW_ATTACKS,
    EvaluationRecord,
    Prediction,
)
from schemas.storage.artifacts import digest

GROUPED_BATCHES = 4
"""Batches of a local model that are asked, and after an interruption asked again, as one."""


def run_evaluation(wanted: EvaluateRequest, out: Path, *, progress: Progress = silent) -> EvaluationRecord:
    """Evaluate a model under `out` and return the record; the same call again asks only what failed.

    Replies are kept as they come, for all evaluations of one model in one file. Raises BadInput before anything is
    asked for wrong use, and for a dataset without the setting, ratio, task or attack.
    """
    plain, request = settle(wanted, out)
    return _evaluate(request, plain if wanted.attack else None, out, Running(wanted, progress))


def settle(wanted: EvaluateRequest, out: Path) -> tuple[Request | None, Request]:
    """What is asked without the attack (None where it asks questions of its own alone), and what is asked under it.

    No model is loaded. Raises BadInput as run_evaluation does.
    """
    # Names and folders are looked at first, and only then torch is imported.
    from unlearn.training.processes import check_device

    check_named(wanted.model, wanted.adapter, label=wanted.label)
    if wanted.lmms_eval and wanted.attack is not None:
        raise BadInput("lmms-eval", f"is not run under attack {wanted.attack}", "leave out one of the two")
    if out.exists() and not out.is_dir():
        raise BadInput(str(out), "is a file", "choose another --out")
    hub = open_dataset(wanted.dataset, revision=wanted.revision, splits=wanted.splits)
    cut = Slice(wanted.setting, wanted.ratio, read_roles(hub, wanted.setting, wanted.ratio))
    own = tuple(find_metric(word) for word in wanted.metrics)
    check_device(wanted.device)
    evaluated = identify(
        wanted.model, wanted.adapter, label=wanted.label, trust_remote_code=wanted.trust_remote_code,
        exposed=wanted.exposed,
    )  # fmt: skip
    check_attack(evaluated, wanted.attack)
    if wanted.thinking:
        check_thinks(evaluated, trust_remote_code=wanted.trust_remote_code)
    evaluated = as_served(evaluated, thinking=wanted.thinking)
    if wanted.lmms_eval:
        check_lmms_eval(evaluated)
    plain, request = _requests(wanted, hub, evaluated, cut, own)
    shown = any(each.picture is not None for each in request.questions)
    check_reads(evaluated, pictures=shown, trust_remote_code=wanted.trust_remote_code)
    return plain, request


@dataclass(frozen=True)
class Running:
    """How a model is run; of `wanted` only what figures are not meant to depend on is read."""

    wanted: EvaluateRequest
    progress: Progress


def _requests(
    wanted: EvaluateRequest, hub: Path, evaluated: Evaluated, cut: Slice, own: tuple[Metric, ...]
) -> tuple[Request | None, Request]:
    """What is asked without the attack, and what is asked under it: the same where there is none.

    An attack of questions of its own, such as RWKU's, changes none that could be asked without it.
    """
    attack, adopted = wanted.attack, read_adopted(hub)
    benchmark = adopted.kind if adopted else ""
    request = Request(
        hub=hub,
        evaluated=evaluated,
        cut=cut,
        attack=attack,
        tasks=tasks_under(attack, wanted.tasks),
        modalities=modalities_under(attack, wanted.modalities),
        prompts=wanted.prompts,
        max_new_tokens=wanted.longest,
        thinking=wanted.thinking,
        target=training_target(hub, wanted.target),
        likelihood=wanted.likelihood and evaluated.local and attack not in (*PROMPT_ATTACKS, *VIEW_ATTACKS),
        facts=read_facts(hub),
        metrics=(*own, *authors_metrics(benchmark)),
        benchmark=benchmark,
        lmms_eval=wanted.lmms_eval,
    )
    plain = with_questions(replace(request, attack=None), allow_missing=wanted.allow_missing)
    if attack is None or attack in MODEL_ATTACKS:
        extras = {"utility": wanted.utility, "identity": wanted.identity}
        return plain, with_extras(replace(plain, attack=attack), **extras)
    under = with_questions(request, allow_missing=wanted.allow_missing)
    if {each.key for each in plain.questions}.isdisjoint(each.key for each in under.questions):
        note = f"No recovery: {attack} asks questions of its own, which are not asked without it."
        return None, replace(under, notes=(*under.notes, note))
    return plain, under


def _evaluate(request: Request, plain: Request | None, out: Path, running: Running) -> EvaluationRecord:
    """Answer, score and write, unless that has been done and is whole; questions that failed are asked again."""
    dataset = questions_digest(request.questions)
    identity = request.identity(dataset)
    parts = (request.cut.setting, f"r{request.cut.ratio}" if request.cut.ratio else "", request.attack or "")
    place = f"{request.evaluated.folder}/{'_'.join(filter(None, parts))}-{identity[:8]}"
    folder = out / place
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".lock"):
        found = standing(folder)
        if found is not None and found.identity == identity and not found.failed and not found.failed_plain:
            return found
        before = _answered(replace(plain, likelihood=False), folder.parent, running) if plain else []
        rows = _answered(request, folder.parent, running)
        record = _record(request, rows, before, identity=identity, dataset=dataset, place=place)
        record = with_checks(record, folder.parent / CHECKS)
        if request.lmms_eval:
            scores = lmms_eval_scores(
                request.evaluated,
                tasks=request.lmms_eval,
                device=running.wanted.device,
                trust_remote_code=running.wanted.trust_remote_code,
            )
            record = record.model_copy(update={"lmms_eval": scores})
        write_evaluation(folder, record, rows)
    return record


def _answered(request: Request, home: Path, running: Running) -> list[Prediction]:
    """Scored rows in the order of the questions; what the logs in `home` hold is not asked again."""
    evaluated, attack, wanted = request.evaluated, request.attack, running.wanted
    dataset = questions_digest(request.questions)
    overlay = weight_attack(attack, request.hub, request.cut.setting, request.cut.ratio, request.target)
    opening = partial(
        open_evaluated,
        evaluated,
        batch=wanted.batch,
        device=wanted.device,
        attack=overlay,
        trust_remote_code=wanted.trust_remote_code,
        checks=home / CHECKS,
        forgotten=forgotten_among(request.questions, request.prompts),
    )
    asking = Asking(
        open=cache(opening),
        scores=request.likelihood,
        prompts=request.prompts,
        decoding=Decoding(max_new_tokens=request.max_new_tokens, thinking=request.thinking),
        together=GROUPED_BATCHES * wanted.batch if evaluated.local else 0,
        progress=running.progress,
    )
    weights = digest([evaluated.identity, attack_key(attack, dataset)])
    key = answers_key(weights, asking.decoding)
    training = training_answers(request.hub, request.target) if request.target else {}
    with (
        AnswerLog(home / f"answers-{key[:8]}.jsonl", key=key) as replies,
        AnswerLog(home / f"likelihoods-{weights[:8]}.jsonl", key=likelihoods_key(weights)) as scores,
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
    evaluated, run = request.evaluated, request.evaluated.run
    where = Place(request.cut.setting, request.cut.ratio, request.attack or "")
    failed = [row for row in rows if row.outcome == "failed"]
    failed_plain = [row for row in plain if row.outcome == "failed"]
    return EvaluationRecord(
        identity=identity,
        folder=place,
        dataset=dataset,
        dataset_by_task={
            task: questions_digest(each for each in request.questions if each.task == task)
            for task in sorted({each.task for each in request.questions})
        },
        model=evaluated.identity,
        name=evaluated.name,
        label=evaluated.label,
        run=run.identity if run else "",
        method=run.method if run else "",
        seed=run.seed if run else None,
        made_of=run.made_of if run else {},
        exposed=evaluated.exposed,
        oracle=any(part.oracle for part in evaluated.stack),
        fires=fires_of(evaluated.stack),
        trained_setting=run.setting if run else None,
        trained_ratio=run.ratio if run else None,
        setting=request.cut.setting,
        ratio=request.cut.ratio,
        attack=request.attack,
        tasks=request.tasks,
        modalities=request.modalities,
        prompts=request.prompts,
        max_new_tokens=request.max_new_tokens,
        thinking=request.thinking,
        target=request.target,
        questions=len(rows),
        failed=len(failed),
        failed_plain=len(failed_plain),
        first_error=next((row.error for row in (*failed, *failed_plain)), ""),
        metrics=(
            *all_metrics(rows, where, request.metrics),
            *authors_pair_metrics(request.benchmark, rows, where),
            *attack_effects(plain, rows, where),
        ),
        notes=request.notes,
    )
