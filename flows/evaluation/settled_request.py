"""What one evaluation asks, settled before a model is loaded: its questions, and the digest its figures follow from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from eval.metrics.aggregate import Metric
from eval.tasks.questions import AskedFact, EvalQuestion, Slice, read_questions
from flows.evaluation.extra_questions import drawn, facts_of, identity_questions, utility_questions, why_no_likelihoods
from flows.evaluation.model import Evaluated
from flows.evaluation.weight_attacks import attack_key
from schemas.errors import BadInput
from schemas.records.evaluation import PROMPT_ATTACKS, VIEW_ATTACKS, AttackName, PromptSet
from schemas.storage.artifacts import digest
from schemas.vocabulary import MODALITIES, TASKS, Modality, Task

VERSION = 2
"""Raised when the same replies give other figures; a study evaluates finished units again then
(flows.experiments.study_plan).
"""


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
    thinking: bool
    """A reasoning model may think before it answers."""
    facts: Mapping[str, AskedFact]
    questions: tuple[EvalQuestion, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    """Of a user's own, besides ours."""
    benchmark: str = ""
    """The kind of an adopted benchmark, whose authors' figures stand beside ours; "" for a dataset of ours."""
    lmms_eval: tuple[str, ...] = ()
    """Tasks of that tool, asked besides."""

    def identity(self, dataset: str) -> str:
        """Digest of all that the figures follow from; `dataset` is that of the questions.

        The run enters beside its weights: two runs that came to the same weights are two evaluations.
        """
        own: dict[str, JsonValue] = {"metrics": [each.code for each in self.metrics]} if self.metrics else {}
        own |= {"lmms_eval": list(self.lmms_eval)} if self.lmms_eval else {}
        own |= {"thinking": True} if self.thinking else {}
        own |= {"exposed": True} if self.evaluated.exposed else {}
        run = self.evaluated.run.identity if self.evaluated.run else ""
        return digest(
            own
            | {
                "version": VERSION, "dataset": dataset, "model": self.evaluated.identity, "run": run,
                "attack": self.attack, "weights": attack_key(self.attack, dataset), "setting": self.cut.setting,
                "ratio": self.cut.ratio, "tasks": list(self.tasks), "modalities": list(self.modalities),
                "prompts": self.prompts, "max_new_tokens": self.max_new_tokens, "target": self.target,
                "likelihood": self.likelihood,
            }
        )  # fmt: skip


def tasks_under(attack: AttackName | None, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Those of the tasks that are asked under the attack; raises BadInput if none is."""
    wanted = tuple(task for task in TASKS if task in tasks and (attack not in PROMPT_ATTACKS or task == "generation"))
    if not wanted:
        raise BadInput(f"tasks {', '.join(tasks) or '(none)'}", f"none is asked under {attack}", "name generation")
    return wanted


def modalities_under(attack: AttackName | None, modalities: Sequence[Modality]) -> tuple[Modality, ...]:
    """Those of the modalities that are asked under the attack; raises BadInput if none is."""
    wanted = tuple(each for each in MODALITIES if each in modalities and (attack not in VIEW_ATTACKS or each == "vqa"))
    if not wanted:
        found = f"none is asked under {attack}"
        raise BadInput(f"modalities {', '.join(modalities) or '(none)'}", found, "name vqa")
    return wanted


def with_questions(request: Request, *, allow_missing: bool) -> Request:
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


def with_extras(request: Request, *, utility: int, identity: int) -> Request:
    """The request with questions about the names of so many people, and about so many general pictures."""
    notes = list(request.notes)
    by_subject = request.cut.roles.of_subjects
    people = identity_questions(request.questions, request.facts.values(), by_subject=by_subject) if identity else []
    extras = drawn(people, identity)
    if utility and request.evaluated.knows_general:
        extras += utility_questions(utility)
    elif utility:
        notes.append(
            "No utility: its questions are for the embedded world's target; for real models see docs/figures.md."
        )
    return replace(
        request,
        questions=(*request.questions, *extras),
        facts={**request.facts, **facts_of([*people, *extras])},
        notes=tuple(notes),
    )
