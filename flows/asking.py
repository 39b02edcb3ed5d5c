"""The stages that ask: questions (facts in every form) and probe (what the target already knows)."""

from collections import defaultdict

from curation.distractors import distractor_pool
from curation.properties import load_properties
from curation.questions import questions_of
from flows.resources import Resources
from flows.stage import Rows, StageRun, Tables
from schemas.records import Drop, Evidence, Fact, Knowledge, Portrait, Question, Subject
from schemas.responders import Ask, Decoding


def questions(run: StageRun, resources: Resources) -> None:
    """Every fact of every remaining subject in three tasks and two modalities, or a drop row."""
    table, seed = load_properties(), run.recipe.seed
    pool = distractor_pool(run.read("facts", "facts", Fact))
    paraphrases = run.recipe.questions.paraphrases

    def work(shard: int) -> Tables:
        facts = facts_by_subject(run, shard)
        asked: list[Question] = []
        drops: list[Drop] = []
        for subject in run.read("screen", "subjects", Subject, shard):
            found, left = questions_of(
                subject, facts[subject.subject_id], pool, table, paraphrases=paraphrases, seed=seed
            )
            asked += found
            drops += left
        return {"questions": Rows(Question, asked), "drops": Rows(Drop, drops)}

    run.map("questions", run.shards(), work)


def facts_by_subject(run: StageRun, shard: int) -> defaultdict[str, list[Fact]]:
    """The candidate facts of one shard, by subject, in slot order."""
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in run.read("facts", "facts", Fact, shard):
        facts[fact.subject_id].append(fact)
    return facts


def probe(run: StageRun, resources: Resources) -> None:
    raise RuntimeError("pending")
