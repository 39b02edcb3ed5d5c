"""Language models at work in a build: what they will cost is said first, and who answered is kept beside the rows."""

import logging
from collections.abc import Callable, Iterable, Sequence

from curation.questions.attack_prompts import (
    Attackable,
    Written,
    attack_effort,
    attack_prompts,
    attack_requests,
    attackable,
    attacks_by_worker,
)
from curation.questions.rewriting import Polishable, Polished, polish, polish_effort, polish_requests
from curation.splits.personalized_votes import (
    Calibration,
    Rated,
    Wishes,
    rating_effort,
    rating_requests,
    votes_by_preference,
    votes_by_worker,
)
from flows.pipeline.stage import Rows, Tables
from flows.resources.resources import Resources
from schemas.progress import Progress
from schemas.protocols.annotator import Effort, Estimate, Form, Request, WorkerAnswer
from schemas.recipes.build_recipe import AUTHOR, BUILT_IN, POLISHER, RATER, TEMPLATES, BuildRecipe
from schemas.records.build_rows import AttackPrompt, Question, Vote

log = logging.getLogger(__name__)

Asked = Iterable[tuple[Sequence[Request], type[Form], Effort]]
"""What a stage is going to ask of a worker, a piece at a time."""


def say_what_it_takes(resources: Resources, spec: str, where: str, asked: Callable[[], Asked]) -> None:
    """Log what a stage will ask of a language model and what that may cost at most; nothing is asked."""
    worker, total = resources.worker(spec, where), Estimate()
    for requests, form, effort in asked():
        total = total.plus(worker.estimate(requests, form, effort=effort))
    if not total.requests:
        log.info("%s: all %d answers of %s are kept; nothing is asked", where, total.kept, worker.identity)
        return
    config = resources.recipe.workers
    money = f", at most {total.cost:.4f}" if config.price_in or config.price_out else ""
    spent = resources.ledger().tokens_in + resources.ledger().tokens_out
    limits = [f"{config.max_tokens:,} tokens"] if config.max_tokens else []
    limits += [f"{config.max_cost:g} of which {resources.ledger().cost:.4f} is spent"] if config.max_cost else []
    log.info(
        "%s: %d requests to %s (%d are answered already), about %s tokens in and at most %s out%s, once more for "
        "answers that must be repaired; %s so far; budget: %s",
        where, total.requests, worker.identity, total.kept, f"{total.tokens_in:,}", f"{total.tokens_out:,}", money,
        f"{spent:,} tokens", ", ".join(limits) or "none",
    )  # fmt: skip
    over_tokens = config.max_tokens and spent + total.tokens_in + total.tokens_out > config.max_tokens
    if over_tokens or (config.max_cost and resources.ledger().cost + total.cost > config.max_cost):
        log.warning("%s: the budget may not be enough; if so the build stops, keeps what it has, and can go on", where)


def worker_rows(answers: Sequence[WorkerAnswer]) -> Tables:
    """The table of who answered what; none where no language model was asked."""
    return {"workers": Rows(WorkerAnswer, answers)} if answers else {}


def vote(
    recipe: BuildRecipe,
    resources: Resources,
    rated: Sequence[Rated],
    calibration: Calibration | None,
    *,
    progress: Progress,
) -> tuple[list[Vote], Tables]:
    """The votes of a shard, by the built-in raters or a language model, and the table of its answers."""
    config = recipe.split

    def built_in(some: Sequence[Rated]) -> list[Vote]:
        if calibration is None:
            raise RuntimeError("the built-in raters are asked, and nobody has calibrated them")
        sensitive = frozenset(recipe.facts.sensitive)
        votes = votes_by_preference(some, calibration, sensitive=sensitive, raters=config.raters, seed=recipe.seed)
        return list(votes)

    if config.rater == BUILT_IN:
        return built_in(rated), {}
    worker = resources.worker(config.rater, RATER, progress=progress)
    votes, answers = votes_by_worker(rated, worker, lambda one: built_in([one]), raters=config.raters, seed=recipe.seed)
    return votes, worker_rows(answers)


def say_votes(recipe: BuildRecipe, resources: Resources, rated: Callable[[], Iterable[Rated]]) -> None:
    """Say what the votes will take, where a language model gives them; `rated` is read once a rater."""
    if recipe.split.rater == BUILT_IN:
        return

    def asked() -> Asked:
        for rater in range(recipe.split.raters):
            effort = rating_effort(rater=rater, seed=recipe.seed)
            for one in rated():
                yield rating_requests([one], rater=rater), Wishes, effort

    say_what_it_takes(resources, recipe.split.rater, RATER, asked)


def write_attacks(
    recipe: BuildRecipe,
    resources: Resources,
    subjects: Iterable[tuple[Rated, Sequence[Question]]],
    *,
    progress: Progress,
) -> tuple[list[AttackPrompt], Tables]:
    """The attacks of a shard, by templates or a language model, and the table of its answers."""
    author, seed = recipe.attack.author, recipe.seed
    if author == TEMPLATES:
        return [
            row for rated, own in subjects for row in attack_prompts(rated.subject, rated.facts, own, seed=seed)
        ], {}
    worker = resources.worker(author, AUTHOR, progress=progress)
    prompts, answers = attacks_by_worker(_attackable(subjects), worker, seed=seed)
    return prompts, worker_rows(answers)


def _attackable(subjects: Iterable[tuple[Rated, Sequence[Question]]]) -> list[Attackable]:
    return [item for rated, own in subjects for item in attackable(rated.subject, rated.facts, own)]


def say_attacks(
    recipe: BuildRecipe,
    resources: Resources,
    subjects: Callable[[], Iterable[tuple[Rated, Sequence[Question]]]],
) -> None:
    """Say what the attacks will take, where a language model writes them."""
    if recipe.attack.author == TEMPLATES:
        return

    def asked() -> Asked:
        effort = attack_effort(seed=recipe.seed)
        for one in subjects():
            yield attack_requests(_attackable([one])), Written, effort

    say_what_it_takes(resources, recipe.attack.author, AUTHOR, asked)


def polished(
    recipe: BuildRecipe, resources: Resources, items: Sequence[Polishable], *, progress: Progress
) -> tuple[list[Question], Tables]:
    """The questions of a shard, polished where the recipe names a polisher, and the table of its answers."""
    spec = recipe.workers.polisher
    if not spec:
        return [question for item in items for question in item.questions], {}
    worker = resources.worker(spec, POLISHER, progress=progress)
    questions, answers = polish(items, worker, paraphrases=recipe.questions.paraphrases, seed=recipe.seed)
    return questions, worker_rows(answers)


def say_polish(recipe: BuildRecipe, resources: Resources, items: Callable[[], Iterable[Polishable]]) -> None:
    """Say what the polishing will take, where the recipe names a polisher."""
    if not recipe.workers.polisher:
        return

    def asked() -> Asked:
        effort = polish_effort(seed=recipe.seed)
        for item in items():
            yield polish_requests([item], paraphrases=recipe.questions.paraphrases), Polished, effort

    say_what_it_takes(resources, recipe.workers.polisher, POLISHER, asked)
