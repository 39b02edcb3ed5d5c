"""Stage questions: every fact in all its forms, with options that other subjects' facts offer."""

from collections.abc import Iterator
from functools import cache
from itertools import chain

from curation.facts.properties import load_properties
from curation.questions.distractors import DistractorPool, Offered, distractor_pool
from curation.questions.questions import questions_of
from curation.questions.rewriting import Polishable
from flows.pipeline.stage import Rows, StageRun, Tables, by_subject
from flows.pipeline.verdicts import Rejections, rejections
from flows.resources.resources import Resources
from flows.stages.annotation import polished, say_polish
from schemas.records.build_rows import Drop, Fact, Question, Subject
from schemas.storage.tables import read_columns


def questions(run: StageRun, resources: Resources) -> None:
    """Every fact of every remaining subject in three tasks and two modalities, or a drop row."""
    table, seed = load_properties(), run.recipe.seed
    rejected = rejections(run.build)

    @cache
    def pool() -> DistractorPool:  # read where shards are done, by no driver of them
        left = list(_offered(run, rejected, only=True)) if rejected.by_sample else []
        return distractor_pool(_offered(run, rejected), rejected=left)

    paraphrases = run.recipe.questions.paraphrases

    def work(shard: int) -> Tables:
        drops: list[Drop] = []
        items = list(drafted(shard, drops))
        run.took[shard] = sum(len(item.facts) for item in items)
        asked, workers = polished(run.recipe, resources, items, progress=run.progress)
        return {"questions": Rows(Question, asked), "drops": Rows(Drop, drops), **workers}

    def drafted(shard: int, drops: list[Drop]) -> Iterator[Polishable]:
        facts = by_subject(run.read("facts", "facts", Fact, shard))
        for subject in run.read("screen", "subjects", Subject, shard):
            own = facts[subject.subject_id]
            left_out = {fact.sample_id: why for fact in own if (why := _why(rejected, fact)) is not None}
            found, left = questions_of(
                subject, own, pool(), table, paraphrases=paraphrases, seed=seed, rejected=left_out
            )
            drops += left
            yield Polishable(subject=subject, facts=tuple(own), questions=tuple(found))

    say_polish(run.recipe, resources, lambda: (item for shard in run.shards() for item in drafted(shard, [])))
    run.map("questions", run.shards(), work)


def _why(rejected: Rejections, fact: Fact) -> str | None:
    return rejected.reason(fact.sample_id, fact.property_id, fact.statement_id)


def _offered(run: StageRun, rejected: Rejections, *, only: bool = False) -> Iterator[Offered]:
    """The answers of all batches' people with enough pictures: nobody else's is to be read in a question.

    Those of rejected facts are left out, or the `only` ones.
    """
    screened = chain(run.read_earlier("screen", "subjects", Subject), run.read("screen", "subjects", Subject))
    remaining = {subject.subject_id for subject in screened}
    columns = ("subject_id", "sample_id", "statement_id", *Offered._fields)
    for batch in (*run.build.earlier, run.build):
        for path in run.files("facts", "facts", batch=batch):
            rows = (column.to_pylist() for column in read_columns(path, Fact, columns).columns)
            for subject, sample, statement, *cells in zip(*rows, strict=True):
                offered = Offered(*cells)
                if subject in remaining and only == (
                    rejected.reason(sample, offered.property_id, statement) is not None
                ):
                    yield offered
