"""Asking what an evaluation needs: replies, likelihoods of options and of training answers, each kept at once."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from curation.probing.prompt import probe_prompt
from eval.guards.guarded import Fact
from eval.routes.asking import ask_of
from eval.tasks.prompts import IDENTITY_QUESTION, eval_prompt
from eval.tasks.questions import EvalQuestion
from schemas.errors import BadInput
from schemas.progress import Progress
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Ask, ChoiceScorer, Decoding, Reply, Responder, TokenScores
from schemas.records.evaluation import PromptSet
from schemas.storage.artifacts import digest
from schemas.vocabulary import OPTION_LABELS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answers:
    """What came back, by key of the question."""

    prompts: Mapping[str, str]
    replies: Mapping[str, Reply]
    likelihoods: Mapping[str, Mapping[str, TokenScores]]
    """Of each option, by letter."""
    nll: Mapping[str, float]
    """Nats per token of the training answer."""


@dataclass(frozen=True)
class Asking:
    """How to ask. `together` prompts of a local model are one group (0: no groups; see curation.probing.probes)."""

    open: Callable[[], tuple[Responder, ChoiceScorer | None]]
    """Loads the model; called when the first thing has to be asked."""
    scores: bool
    """Likelihoods are wanted, and the responder gives them."""
    prompts: PromptSet
    decoding: Decoding
    together: int
    progress: Progress


def answers_key(weights: str, decoding: Decoding) -> str:
    """What kept answers depend on besides their prompts."""
    drawn = [decoding.temperature, decoding.top_p, decoding.seed] if decoding.temperature else []
    return digest([weights, decoding.max_new_tokens, *(["thinking"] if decoding.thinking else []), *drawn])


def likelihoods_key(weights: str) -> str:
    """What kept likelihoods depend on besides their prompts. Raised as they are kept otherwise (2: of each token)."""
    return digest([weights, "likelihoods", 2])


def prompt_of(question: EvalQuestion, prompts: PromptSet) -> str:
    """The user turn of a question. General questions are asked as they stand, as they were taught."""
    if question.task == "utility":
        return question.text
    if question.task == "identity":
        return probe_prompt(IDENTITY_QUESTION, "vqa")
    return eval_prompt(
        question.text,
        task=question.task,
        modality=question.modality,
        options=question.options,
        prompts=prompts,
        probe=probe_prompt,
    )


def open_prompt_of(question: EvalQuestion, prompts: PromptSet) -> str:
    """The user turn under which likelihoods are taken: that of the question without its options."""
    return eval_prompt(
        question.text,
        task="generation",
        modality=question.modality,
        options=(),
        prompts=prompts,
        probe=probe_prompt,
    )


def ask_all(
    questions: Sequence[EvalQuestion],
    asking: Asking,
    replies: AnswerLog,
    scores: AnswerLog,
    *,
    training: Mapping[tuple[str, str], str],
) -> Answers:
    """Ask what the logs do not hold yet. `training` are the target's answers by (sample_id, modality).

    The likelihood of an option, or of a training answer, is that of its text as the reply to the open question (the
    generation prompt), since that is how facts are known.
    """
    prompts = {question.key: prompt_of(question, asking.prompts) for question in questions}
    asks = {question.key: ask_of(prompts[question.key], question.picture) for question in questions}
    ask_pending(list(asks.values()), asking, replies)
    wanted = _continuations(questions, asking.prompts, training) if asking.scores else {}
    score_pending(wanted.values(), asking, scores)
    found = {name: reply for name, (ask, _) in wanted.items() if (reply := scores.reply(ask.ask_id)) is not None}
    likelihoods: dict[str, dict[str, TokenScores]] = {}
    nll: dict[str, float] = {}
    for (key, letter), reply in found.items():
        scored = TokenScores.from_text(reply.text)
        if letter:
            likelihoods.setdefault(key, {})[letter] = scored
        else:
            nll[key] = -scored.mean
    given = {key: reply for key, ask in asks.items() if (reply := replies.reply(ask.ask_id)) is not None}
    return Answers(prompts, given, likelihoods, nll)


def forgotten_among(questions: Sequence[EvalQuestion], prompts: PromptSet) -> Callable[[Ask], Fact | None]:
    """What an oracle is told: the fact that a prompt asks for, as a question or for a likelihood, if it was to be
    forgotten; else None.
    """
    known = {
        (text, question.picture): {"subject": question.subject, "answer": question.answer}
        for question in questions
        if question.role == "forget"
        for text in (prompt_of(question, prompts), open_prompt_of(question, prompts))
    }
    return lambda ask: known.get((ask.text, ask.image))


def _continuations(
    questions: Sequence[EvalQuestion], prompts: PromptSet, training: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], tuple[Ask, str]]:
    """What is scored, by question and option letter ("" for the training answer)."""
    found: dict[tuple[str, str], tuple[Ask, str]] = {}
    for question in questions:
        if question.task not in ("classification", "generation"):
            continue
        open_prompt = open_prompt_of(question, prompts)
        answers = dict(zip(OPTION_LABELS, question.options, strict=False))
        if question.task == "generation":
            answers = {"": training.get((question.sample_id, question.modality), question.answer)}
        for letter, answer in answers.items():
            if answer.strip():
                found[question.key, letter] = (ask_of(open_prompt, question.picture, continuation=answer), answer)
    return found


def ask_pending(asks: Iterable[Ask], asking: Asking, log_: AnswerLog) -> None:
    """Ask what the log does not hold, and keep every reply as it comes."""
    distinct = {ask.ask_id: ask for ask in asks}
    done = sum(log_.has(each) for each in distinct)
    asking.progress("answers", done, len(distinct))
    for group in _groups(list(distinct.values()), log_, together=asking.together):
        asked = {ask.ask_id for ask in group}
        responder, _ = asking.open()
        for reply in responder.answer(group, asking.decoding):
            if reply.ask_id not in asked:
                log.warning("a reply to %s, which was not asked, is left out", reply.ask_id)
                continue
            answered = log_.has(reply.ask_id)
            log_.save(reply)
            done += log_.has(reply.ask_id) - answered
            asking.progress("answers", done, len(distinct))


def score_pending(wanted: Iterable[tuple[Ask, str]], asking: Asking, log_: AnswerLog) -> None:
    """Scores are kept as the text of a reply."""
    distinct = {ask.ask_id: (ask, answer) for ask, answer in wanted}
    groups = _groups([ask for ask, _ in distinct.values()], log_, together=max(1, asking.together))
    for group in groups:
        _, scorer = asking.open()
        if scorer is None:
            raise BadInput("the responder", "gives no likelihoods", "evaluate it without them")
        for ask_id, found in scorer.token_scores([distinct[ask.ask_id] for ask in group]):
            log_.save(Reply(ask_id=ask_id, text=found.to_text()))
        asking.progress("likelihoods", sum(log_.has(each) for each in distinct), len(distinct))


def _groups(asks: Sequence[Ask], log_: AnswerLog, *, together: int) -> list[list[Ask]]:
    """What is still to be asked; of fixed groups each that lacks an answer, whole. One picture's stand together."""
    if not together:
        pending = [ask for ask in asks if not log_.has(ask.ask_id)]
        return [pending] if pending else []
    alike = sorted(asks, key=lambda ask: (ask.image is None, ask.image or b"", -len(ask.text), ask.ask_id))
    groups = [alike[start : start + together] for start in range(0, len(alike), together)]
    return [group for group in groups if not all(log_.has(ask.ask_id) for ask in group)]
