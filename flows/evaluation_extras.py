"""Questions beside the benchmark's own: who a picture shows, and general pictures for what a model is still good at."""

from collections.abc import Iterable

from eval.prompts import IDENTITY_QUESTION
from eval.tasks import AskedFact, EvalQuestion
from schemas.problems import BadInput
from schemas.records import AcceptedAnswer
from schemas.results import PROMPT_ATTACKS, VIEW_ATTACKS, AttackName
from schemas.words import Role
from sources.sandbox.general import general_samples

UTILITY_SEED = 7


def identity_questions(questions: Iterable[EvalQuestion], *, by_subject: bool) -> list[EvalQuestion]:
    """One "who is this person?" per subject with a picture. Only where whole subjects are forgotten has it a role."""
    shown: dict[str, EvalQuestion] = {}
    for question in questions:
        if question.picture is not None:
            shown.setdefault(question.subject_id, question)
    return [_identity(question, question.role if by_subject else None) for _, question in sorted(shown.items())]


def why_no_likelihoods(local: bool, attack: AttackName | None) -> str:
    """Why an evaluation reads no likelihoods: half a sentence for its notes."""
    if not local:
        return "a model behind a server gives none"
    if attack in (*PROMPT_ATTACKS, *VIEW_ATTACKS):
        return f"{attack} changes the question, and the comparison is of answers"
    return "they were not wanted"


def facts_of(questions: Iterable[EvalQuestion]) -> dict[str, AskedFact]:
    """The answers of these questions as values: another subject's name is another person's value, blue a colour."""
    return {
        question.sample_id: AskedFact(
            sample_id=question.sample_id,
            subject_id=question.subject_id,
            kind=question.kind,
            answer_type=question.answer_type,
            accepted=question.accepted,
            options=(),
        )
        for question in questions
    }


def utility_questions(number: int) -> list[EvalQuestion]:
    """Held-out general questions of the embedded world; each stands for itself where subjects are drawn anew."""
    found = []
    for sample in general_samples(number, seed=UTILITY_SEED, part="held_out"):
        answer = sample.answer.rstrip(".")
        found.append(
            EvalQuestion(
                key=f"{sample.sample_id}|utility|vqa",
                sample_id=sample.sample_id,
                subject_id=sample.sample_id,
                subject="",
                task="utility",
                modality="vqa",
                role=None,
                text=sample.prompt,
                options=(),
                label="",
                answer=answer,
                accepted=(AcceptedAnswer(kind="text", text=answer),),
                kind=sample.sample_id,
                answer_type=" ".join(sample.prompt.split()[:2]),
                picture=sample.image,
            )
        )
    return found


def lmms_eval_scores(model: str, *, tasks: str = "mmbench_en_dev", limit: int | None = None) -> dict[str, float]:
    """Scores of a real model on general benchmarks by lmms-eval, `<task>/<metric>` in that tool's own scale.

    `model` is a Hub id or folder, `tasks` names of lmms-eval's tasks with commas between. Not part of an evaluation:
    its data sets are downloaded, and its figures have no subjects to draw. Raises BadInput where it is not installed.
    """
    try:
        from lmms_eval.evaluator import simple_evaluate  # type: ignore[import-not-found]
    except ImportError as error:
        advice = "pip install lmms-eval (needs a network, and a GPU for real models)"
        raise BadInput("lmms-eval", "is not installed", advice) from error
    kind = "qwen3_vl" if "qwen3" in model.lower() else "gemma3" if "gemma" in model.lower() else "llava_hf"
    found = simple_evaluate(model=kind, model_args=f"pretrained={model}", tasks=tasks.split(","), limit=limit)
    return {
        f"{task}/{metric}": float(value)
        for task, metrics in found["results"].items()
        for metric, value in metrics.items()
        if isinstance(value, float)
    }


def _identity(shown: EvalQuestion, role: Role | None) -> EvalQuestion:
    return EvalQuestion(
        key=f"{shown.subject_id}|identity|vqa",
        sample_id=f"{shown.subject_id}|identity",
        subject_id=shown.subject_id,
        subject=shown.subject,
        task="identity",
        modality="vqa",
        role=role,
        text=IDENTITY_QUESTION,
        options=(),
        label="",
        answer=shown.subject,
        accepted=(AcceptedAnswer(kind="text", text=shown.subject),),
        kind="identity",
        answer_type="identity",
        picture=shown.picture,
    )
