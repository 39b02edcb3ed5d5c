"""Stage split: who and what is forgotten under each setting, by votes where it is personalized."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from curation.splits.personalized_votes import Calibration, Rated, calibrate
from curation.splits.personas import draw_persona
from curation.splits.roles import (
    complete_roles,
    enough_known,
    forgotten_subjects,
    known_facts,
    personalized_roles,
    rank_subjects,
    selective_roles,
)
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources
from flows.stages.annotation import say_votes, vote
from schemas.recipes.build_recipe import BUILT_IN
from schemas.records.build_rows import Assignment, Drop, Fact, Knowledge, Persona, Repair, Subject, SubjectRank, Vote
from schemas.storage.tables import Record


class SplitNotes(Record):
    """What the stage notes in its manifest, for later batches to go on from."""

    forgotten_subjects: dict[int, int]
    """How many subjects of this batch are forgotten, by ratio."""
    calibration: Calibration | None = None
    """Of the built-in raters; None where none of them votes."""


def split(run: StageRun, resources: Resources) -> None:
    """Ranks, personas, votes and roles of every sample under the three settings."""
    config, seed = run.recipe.split, run.recipe.seed
    sensitive = frozenset(run.recipe.facts.sensitive)
    shards = run.shards()
    subjects = {rated.subject.subject_id: rated.subject for shard in shards for rated in rated_subjects(run, shard)}
    before = list(run.read_earlier("split", "ranks", SubjectRank))
    ranks = rank_subjects(subjects.values(), seed=seed, earlier=before)
    forgotten = forgotten_subjects(
        ranks, ratios=config.ratios, earlier_subjects=len(before), earlier_forgotten=_forgotten_before(run)
    )
    calibration = _calibration(run, shards) if config.rater == BUILT_IN or run.recipe.workers.fall_back else None
    notes = SplitNotes(
        forgotten_subjects={ratio: len(ids) for ratio, ids in forgotten.items()}, calibration=calibration
    )
    run.notes |= notes.model_dump(mode="json", exclude_none=True)

    def work(shard: int) -> Tables:
        everyone = list(rated_subjects(run, shard))
        known = [fact for rated in everyone for fact in rated.facts]
        within, drops = enough_known(known)
        rated = [one for one in everyone if len(one.facts) > 1]
        votes, workers = vote(run.recipe, resources, rated, calibration, progress=run.progress)
        personal = personalized_roles(within, votes)
        run.took[shard] = len(known)
        here = {one.subject.subject_id for one in everyone}
        return {
            "assignments": Rows(
                Assignment,
                [
                    *complete_roles(known, forgotten),
                    *selective_roles(within, sensitive=sensitive),
                    *personal.assignments,
                ],
            ),
            "personas": Rows(Persona, [one.persona for one in rated]),
            "votes": Rows(Vote, votes),
            "repairs": Rows(Repair, personal.repairs),
            "ranks": Rows(SubjectRank, [rank for rank in ranks if rank.subject_id in here]),
            "drops": Rows(Drop, drops),
            **workers,
        }

    say_votes(
        run.recipe,
        resources,
        lambda: (one for shard in shards for one in rated_subjects(run, shard) if len(one.facts) > 1),
    )
    run.map("roles", shards, work)


def _forgotten_before(run: StageRun) -> dict[int, int]:
    """How many subjects of earlier batches are forgotten at each ratio."""
    counts: Counter[int] = Counter()
    for notes in run.earlier_notes("split", SplitNotes):
        counts.update(notes.forgotten_subjects)
    return dict(counts)


def rated_subjects(run: StageRun, shard: int) -> Iterator[Rated]:
    """The subjects of a shard that have a known fact, with those facts and their persona."""
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    knowledge = list(run.read("probe", "knowledge", Knowledge, shard))
    for fact in known_facts(run.read("facts", "facts", Fact, shard), knowledge):
        facts[fact.subject_id].append(fact)
    for subject in run.read("screen", "subjects", Subject, shard):
        if facts[subject.subject_id]:
            persona = draw_persona(subject, seed=run.recipe.seed)
            yield Rated(subject=subject, persona=persona, facts=tuple(facts[subject.subject_id]))


def _calibration(run: StageRun, shards: Sequence[int]) -> Calibration:
    """How the built-in raters reach the wanted shares: as set for batch 0, since a few new people say little."""
    config = run.recipe.split
    if run.build.earlier and (found := run.earlier_notes("split", SplitNotes)[0].calibration) is not None:
        return found
    return calibrate(
        (rated for shard in shards for rated in rated_subjects(run, shard) if len(rated.facts) > 1),
        sensitive=frozenset(run.recipe.facts.sensitive),
        raters=config.raters,
        forget_share=config.forget_share,
        sensitive_share=config.sensitive_share,
        seed=run.recipe.seed,
    )
