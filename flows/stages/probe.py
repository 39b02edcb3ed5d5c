"""Stage probe: what the target model knows already, asked with and without the face, and with controls."""

from collections.abc import Iterator, Sequence

from curation.probing.known_rule import drops_of, evidence_of, judge_all
from curation.probing.probes import Probe, ask_pending, distinct_asks, log_key, plan_probes
from curation.probing.wrong_image_control import strangers_of
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import Rows, StageRun, Tables, by_subject
from flows.resources.resources import Resources
from schemas.errors import Unfinished
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Reply
from schemas.records.build_rows import Drop, Evidence, Fact, Knowledge, Portrait, Question, Subject

STRANGERS = 40
"""People to draw the wrong-image control from, at least, where the build has so many."""

ERRORS_IN_A_ROW = 20
"""Failed asks one after the other that end the probe: the server is gone, not the question."""

GROUPED_BATCHES = 4
"""Batches of a local model that are asked, and after an interruption asked again, as one."""


def probe(run: StageRun, resources: Resources) -> None:
    """Ask the target about every fact, with controls; keep every answer; judge what it knows."""
    config, seed = run.recipe.probe, run.recipe.seed
    responder = resources.responder(config.responder)
    resources.check_target()  # what its servers refuse to be told is part of the key
    key = log_key(responder.identity, temperature=config.temperature, max_new_tokens=config.max_new_tokens, seed=seed)
    # A local model's rounding depends on its batch; what a server does with a batch is not ours to fix.
    together = GROUPED_BATCHES * config.batch if config.responder.startswith("hf:") else 0

    def work(shard: int) -> Tables:
        asked = list(run.read("questions", "questions", Question, shard))
        askable = {question.sample_id for question in asked}
        stated = by_subject(run.read("facts", "facts", Fact, shard))
        facts = [fact for own in stated.values() for fact in own if fact.sample_id in askable]
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
