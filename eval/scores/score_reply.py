"""One reply to one scored row; nothing is averaged here."""

from collections.abc import Mapping
from math import isfinite

from eval.scores.choice import likeliest, parse_choice
from eval.scores.outcome import Values, is_correct, outcome
from eval.scores.similarity import exact_match, normalised_exact_match, rouge_l
from eval.tasks.questions import EvalQuestion
from schemas.matching.thoughts import CUT_THOUGHT, answer_of
from schemas.protocols.responder import CONTENT_FILTER, Reply, TokenScores
from schemas.records.evaluation import OptionScore, Prediction

NO_REPLY = "the responder gave no reply"


def score(
    question: EvalQuestion,
    reply: Reply | None,
    *,
    prompt: str,
    values: Values,
    likelihoods: Mapping[str, TokenScores],
    nll: float | None,
) -> Prediction:
    """The scored row of a question. `likelihoods` are of the options by letter, empty where not measured.

    A question that was never answered (None) is a failed one, and so is one whose reply is a thought that was cut off;
    what is judged is the answer after the thoughts (schemas/matching/thoughts.py), what is kept is all of the reply.
    Exact match and ROUGE compare with the canonical answer, as published; `correct` and the normalised exact match with
    every accepted form. For classification all compare with the right letter. An NLL that is no finite number was not
    measured.
    """
    given = answer_of("" if reply is None else reply.text)
    text = given.text
    error = NO_REPLY if reply is None else reply.error
    error = error or (CUT_THOUGHT if given.cut else "")
    choice = parse_choice(text, question.options) if question.task == "classification" else ""
    correct = not error and is_correct(question, text, choice)
    wanted = question.label or question.answer
    forms = [wanted] if question.label else [wanted, *(form.text for form in question.accepted)]
    overlap = rouge_l(text, wanted)
    scored = tuple(
        OptionScore(label=letter, mean=scores.mean, total=scores.total)
        for letter, scores in sorted(likelihoods.items())
        if isfinite(scores.mean)
    )
    became = outcome(question, text, choice, error=error, correct=correct, values=values)
    if became == "gibberish" and reply is not None and reply.finish == CONTENT_FILTER:
        became = "refusal"  # the server's filter declined for the model
    return Prediction(
        key=question.key,
        sample_id=question.sample_id,
        subject_id=question.subject_id,
        task=question.task,
        modality=question.modality,
        role=question.role,
        prompt=prompt,
        answer=question.answer,
        reply="" if reply is None else reply.text,
        error=error,
        outcome=became,
        correct=correct,
        choice=choice,
        likely_choice=likeliest({each.label: each.mean for each in scored}),
        label=question.label,
        exact=not error and exact_match(text, wanted),
        normalised_exact=not error and any(normalised_exact_match(text, form) for form in forms),
        rouge_recall=overlap.recall,
        rouge_f1=overlap.f1,
        nll=nll if nll is not None and isfinite(nll) else None,
        option_scores=scored,
    )
