"""The stages that ask: questions (facts in every form) and probe (what the target already knows)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain

from curation.facts.properties import load_properties
from curation.probing.known_rule import drops_of, evidence_of, judge_all
from curation.probing.probes import Probe, ask_pending, distinct_asks, log_key, plan_probes
from curation.probing.wrong_image_control import strangers_of
from curation.questions.distractors import Offered, distractor_pool
from curation.questions.questions import questions_of
from curation.questions.rewriting import Polishable
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources
from flows.stages.annotation import polished, say_polish
from schemas.errors import Unfinished
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Reply
from schemas.records.build_rows import Drop, Evidence, Fact, Knowledge, Portrait, Question, Subject
from schemas.storage.tables import read_columns

STRANGERS = 40
"""People to draw the wrong-image control from, at least, where the build has so many."""
ERRORS_IN_A_ROW = 20
"""Failed asks one after the other that end the probe: the server is gone, not the question."""
GROUPED_BATCHES = 4
"""Batches of a local model that are asked, and after an interruption asked again, as one."""


def questions(run: StageRun, resources: Resources) -> None:
    """Every fact of every remaining subject in three tasks and two modalities, or a drop row."""
    table, seed = load_properties(), run.recipe.seed
    pool = cache(lambda: distractor_pool(_offered(run)))  # read where shards are done, by no driver of them
    paraphrases = run.recipe.questions.paraphrases

    def work(shard: int) -> Tables:
        drops: list[Drop] = []
        items = list(drafted(shard, drops))
        run.took[shard] = sum(len(item.facts) for item in items)
        asked, workers = polished(run.recipe, resources, items, progress=run.progress)
        return {"questions": Rows(Question, asked), "drops": Rows(Drop, drops), **workers}

    def drafted(shard: int, drops: list[Drop]) -> Iterator[Polishable]:
        facts = facts_by_subject(run, shard)
        for subject in run.read("screen", "subjects", Subject, shard):
            own = facts[subject.subject_id]
            found, left = questions_of(subject, own, pool(), table, paraphrases=paraphrases, seed=seed)
            drops += left
            yield Polishable(subject=subject, facts=tuple(own), questions=tuple(found))

    say_polish(run.recipe, resources, lambda: (item for shard in run.shards() for item in drafted(shard, [])))
    run.map("questions", run.shards(), work)


def _offered(run: StageRun) -> Iterator[Offered]:
    """The answers of all batches' people with enough pictures: nobody else's is to be read in a question."""
    screened = chain(run.read_earlier("screen", "subjects", Subject), run.read("screen", "subjects", Subject))
    remaining = {subject.subject_id for subject in screened}
    columns = ("subject_id", *Offered._fields)
    for batch in (*run.build.earlier, run.build):
        for path in run.files("facts", "facts", batch=batch):
            rows = (column.to_pylist() for column in read_columns(path, Fact, columns).columns)
            for subject, *offered in zip(*rows, strict=True):
                if subject in remaining:
                    yield Offered(*offered)


def facts_by_subject(run: StageRun, shard: int) -> defaultdict[str, list[Fact]]:
    """The candidate facts of one shard, by subject, in slot order."""
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in run.read("facts", "facts", Fact, shard):
        facts[fact.subject_id].append(fact)
    return facts


def probe(run: StageRun, resources: Resources) -> None:
    """Ask the target about every fact, with controls; keep every answer; judge what it knows."""
    config, seed = run.recipe.probe, run.recipe.seed
    responder = resources.responder(config.responder)
    key = log_key(responder.identity, temperature=config.temperature, max_new_tokens=config.max_new_tokens, seed=seed)
    # A local model's rounding depends on its batch; what a server does with a batch is not ours to fix.
    together = GROUPED_BATCHES * config.batch if config.responder.startswith("hf:") else 0

    def work(shard: int) -> Tables:
        asked = list(run.read("questions", "questions", Question, shard))
        askable = {question.sample_id for question in asked}
        facts = [fact for own in facts_by_subject(run, shard).values() for fact in own if fact.sample_id in askable]
        around, faces, pictures = _faces_around(run, shard)
        pool = [fact for batch, number in around for fact in run.read("facts", "facts", Fact, number, batch=batch)]
        probes = plan_probes(
            facts,
            asked,
            faces,
            strangers_of(faces, pool),
            paraphrased=config.paraphrased,
            sampled=config.sampled,
            controls=config.controls,
            seed=seed,
        )
        with AnswerLog(run.answers / key / f"{shard:05d}.jsonl", key=key) as answers:
            replies = ask_pending(
                probes,
                pictures,
                responder,
                answers,
                temperature=config.temperature,
                max_new_tokens=config.max_new_tokens,
                seed=seed,
                together=together,
            )
            _watch(run, shard, probes, replies, answers)
            evidence = evidence_of(probes, answers, {fact.sample_id: fact for fact in facts})
        knowledge = judge_all(facts, evidence, agree=config.agree)
        subjects = [subject.subject_id for subject in run.read("screen", "subjects", Subject, shard)]
        run.took[shard] = len(facts)
        return {
            "evidence": Rows(Evidence, evidence),
            "knowledge": Rows(Knowledge, knowledge),
            "drops": Rows(Drop, drops_of(subjects, facts, knowledge)),
        }

    run.map("answers", run.shards(), work)


def _watch(run: StageRun, shard: int, probes: Sequence[Probe], replies: Iterator[Reply], answers: AnswerLog) -> None:
    """Take the replies in; raise Unfinished if the responder fails time after time, or too many asks have failed."""
    asks, in_a_row = distinct_asks(probes), 0
    for done, reply in enumerate(replies):
        run.progress(f"asks {shard:05d}", min(done + 1, len(asks)), len(asks))
        in_a_row = in_a_row + 1 if reply.error else 0
        if in_a_row >= ERRORS_IN_A_ROW:
            raise Unfinished(f"probe: the last {in_a_row} asks all failed ({reply.error})")
    failed = [ask for ask in asks if not answers.has(ask.ask_id)]
    if len(failed) > run.recipe.probe.tolerated_errors * len(asks):
        reply_of = answers.reply(failed[0].ask_id)
        why = reply_of.error if reply_of is not None else "no reply"
        raise Unfinished(f"probe: {len(failed)} of {len(asks)} asks of shard {shard} failed (first: {why})")


def _faces_around(run: StageRun, shard: int) -> tuple[list[tuple[BuildFolder, int]], dict[str, str], dict[str, bytes]]:
    """The shard and those after it, round about, until enough people with a picture are among them to draw from.

    Where the batch has too few, those of the earlier batches follow. Returns their batches and numbers, the image_id
    of view 001 by subject, and the bytes by image_id.
    """
    shards = run.shards()
    around = [(run.build, shards[(shard + step) % len(shards)]) for step in range(len(shards))]
    around += [(batch, number) for batch in run.build.earlier for number in run.shards(batch)]
    chosen: list[tuple[BuildFolder, int]] = []
    faces: dict[str, str] = {}
    pictures: dict[str, bytes] = {}
    for batch, number in around:
        chosen.append((batch, number))
        for portrait in run.read("screen", "portraits", Portrait, number, batch=batch):
            if portrait.view == "001":
                faces[portrait.subject_id] = portrait.image_id
                pictures[portrait.image_id] = portrait.content
        if len(faces) >= STRANGERS:
            break
    return chosen, faces, pictures
