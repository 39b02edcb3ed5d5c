"""One reply to one scored row; nothing is averaged here."""

from collections.abc import Mapping

from eval.choices import likeliest, parse_choice
from eval.outcomes import Values, is_correct, outcome
from eval.scores import exact_match, normalised_exact_match, rouge_l
from eval.tasks import EvalQuestion
from schemas.responders import Reply
from schemas.results import Prediction

NO_REPLY = "the responder gave no reply"


def score(
    question: EvalQuestion,
    reply: Reply | None,
    *,
    prompt: str,
    values: Values,
    likelihoods: Mapping[str, float],
    nll: float | None,
) -> Prediction:
    """The scored row of a question. `likelihoods` are log-probabilities by option letter, empty where not measured.

    A question that was never answered (None) is a failed one. Text scores compare with the canonical answer; for
    classification with the right letter.
    """
    text = "" if reply is None else reply.text
    error = NO_REPLY if reply is None else reply.error
    choice = parse_choice(text, question.options) if question.task == "classification" else ""
    correct = not error and is_correct(question, text, choice)
    wanted = question.label or question.answer
    overlap = rouge_l(text, wanted)
    return Prediction(
        key=question.key,
        sample_id=question.sample_id,
        subject_id=question.subject_id,
        task=question.task,
        modality=question.modality,
        role=question.role,
        prompt=prompt,
        answer=question.answer,
        reply=text,
        error=error,
        outcome=outcome(question, text, choice, error=error, correct=correct, values=values),
        correct=correct,
        choice=choice,
        likely_choice=likeliest(likelihoods),
        label=question.label,
        exact=not error and exact_match(text, wanted),
        normalised_exact=not error and normalised_exact_match(text, wanted),
        rouge_recall=overlap.recall,
        rouge_f1=overlap.f1,
        nll=nll,
    )
