"""The stages that assign and write: split (roles), attack (changed questions), export (the dataset)."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeVar

from curation.card.card_facts import CardFacts
from curation.export.batch_parts import EarlierBatch
from curation.export.bundles import SubjectBundle
from curation.export.export import export_release
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
from flows.building.preflight import BUILT_IN
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources, place_free
from flows.stages.annotation import say_attacks, say_votes, vote, write_attacks
from schemas.dataset.release import NamedCount, Part
from schemas.records.build_rows import (
    Assignment,
    AttackPrompt,
    Drop,
    Fact,
    Knowledge,
    Persona,
    Portrait,
    Question,
    Repair,
    Subject,
    SubjectRank,
    Vote,
)


class OfSubject(Protocol):
    """A row that says whose it is."""

    @property
    def subject_id(self) -> str: ...


R = TypeVar("R", bound=OfSubject)


def split(run: StageRun, resources: Resources) -> None:
    """Ranks, personas, votes and roles of every sample under the three settings."""
    config, seed = run.recipe.split, run.recipe.seed
    sensitive = frozenset(run.recipe.facts.sensitive)
    shards = run.shards()
    subjects = {rated.subject.subject_id: rated.subject for shard in shards for rated in _rated(run, shard)}
    before = list(run.read_earlier("split", "ranks", SubjectRank))
    ranks = rank_subjects(subjects.values(), seed=seed, earlier=before)
    forgotten = forgotten_subjects(
        ranks, ratios=config.ratios, earlier_subjects=len(before), earlier_forgotten=_forgotten_before(run)
    )
    run.notes["forgotten_subjects"] = {str(ratio): len(ids) for ratio, ids in forgotten.items()}
    calibration = _calibration(run, shards) if config.rater == BUILT_IN or run.recipe.workers.fall_back else None

    def work(shard: int) -> Tables:
        everyone = list(_rated(run, shard))
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
        run.recipe, resources, lambda: (one for shard in shards for one in _rated(run, shard) if len(one.facts) > 1)
    )
    run.map("roles", shards, work)


def _forgotten_before(run: StageRun) -> dict[int, int]:
    """How many subjects of earlier batches are forgotten at each ratio."""
    counts: Counter[int] = Counter()
    for notes in run.earlier_notes("split"):
        found = notes["forgotten_subjects"]
        if isinstance(found, dict):
            counts.update({int(ratio): count for ratio, count in found.items() if isinstance(count, int)})
    return dict(counts)


def _rated(run: StageRun, shard: int) -> Iterator[Rated]:
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
    if run.build.earlier:
        found = Calibration.model_validate(run.earlier_notes("split")[0]["calibration"])
    else:
        found = calibrate(
            (rated for shard in shards for rated in _rated(run, shard) if len(rated.facts) > 1),
            sensitive=frozenset(run.recipe.facts.sensitive),
            raters=config.raters,
            forget_share=config.forget_share,
            sensitive_share=config.sensitive_share,
            seed=run.recipe.seed,
        )
    run.notes["calibration"] = found.model_dump(mode="json")
    return found


def attack(run: StageRun, resources: Resources) -> None:
    """Three attacks in both modalities on every known fact."""

    def attacked(shard: int) -> list[tuple[Rated, list[Question]]]:
        asked = _by_subject(run.read("questions", "questions", Question, shard))
        return [(rated, asked[rated.subject.subject_id]) for rated in _rated(run, shard)]

    def work(shard: int) -> Tables:
        subjects = attacked(shard)
        run.took[shard] = sum(len(rated.facts) for rated, _ in subjects)
        prompts, workers = write_attacks(run.recipe, resources, subjects, progress=run.progress)
        return {"attacks": Rows(AttackPrompt, prompts), **workers}

    say_attacks(run.recipe, resources, lambda: (one for shard in run.shards() for one in attacked(shard)))
    run.map("attacks", run.shards(), work)


def _by_subject(rows: Iterator[R]) -> defaultdict[str, list[R]]:
    grouped: defaultdict[str, list[R]] = defaultdict(list)
    for row in rows:
        grouped[row.subject_id].append(row)
    return grouped


def export(run: StageRun, resources: Resources) -> None:
    """The dataset in the published layout, in BUILD/hub, and gated facts in BUILD/hub_gated."""
    recipe = run.recipe
    card = _card(run, resources)
    parts: list[tuple[Path, Part]] = [(run.build.path / "hub", "all")]
    if recipe.facts.gated == "separate":
        parts = [(run.build.path / "hub", "open"), (run.build.path / "hub_gated", "gated")]
    else:
        shutil.rmtree(run.build.path / "hub_gated", ignore_errors=True)
    for folder, part in parts:
        summary = export_release(
            folder,
            _bundles(run, run.build),
            card=card,
            target=recipe.export.target,
            ratios=recipe.split.ratios,
            sensitive=frozenset(recipe.facts.sensitive),
            part=part,
            rows_per_file=recipe.export.rows_per_file,
            rows_per_group=recipe.export.rows_per_group,
            piece=run.folder / folder.name,
            earlier=[
                EarlierBatch(batch.artifact("export") / folder.name, partial(_bundles, run, batch))
                for batch in run.build.earlier
            ],
        )
        if folder.exists():
            run.published.append(folder)
        run.took[0] = run.took.get(0, 0) + summary.samples
        run.notes[folder.name] = summary.model_dump(mode="json")
        run.made[folder.name] = summary.samples


def _bundles(run: StageRun, batch: BuildFolder) -> Iterator[SubjectBundle]:
    """One subject of a batch after the other, a shard of rows in memory at a time."""
    for shard in run.shards(batch):
        portraits = _by_subject(run.read("screen", "portraits", Portrait, shard, batch=batch))
        facts = _by_subject(run.read("facts", "facts", Fact, shard, batch=batch))
        asked = _by_subject(run.read("questions", "questions", Question, shard, batch=batch))
        knowledge = _by_subject(run.read("probe", "knowledge", Knowledge, shard, batch=batch))
        roles = _by_subject(run.read("split", "assignments", Assignment, shard, batch=batch))
        attacks = _by_subject(run.read("attack", "attacks", AttackPrompt, shard, batch=batch))
        for subject in run.read("screen", "subjects", Subject, shard, batch=batch):
            own = subject.subject_id
            yield SubjectBundle(
                subject=subject,
                portraits=tuple(portraits[own]),
                facts=tuple(facts[own]),
                questions=tuple(asked[own]),
                knowledge=tuple(knowledge[own]),
                assignments=tuple(roles[own]),
                attacks=tuple(attacks[own]),
            )


def _card(run: StageRun, resources: Resources) -> CardFacts:
    recipe, probe, config = run.recipe, run.recipe.probe, run.recipe.split
    further = [f"{probe.paraphrased} paraphrased"] if probe.paraphrased else []
    further += [f"{probe.sampled} sampled"] if probe.sampled else []
    drawn = chain(run.read_earlier("split", "personas", Persona), run.read("split", "personas", Persona))
    personas = Counter(row.persona for row in drawn)
    fictional = recipe.source.kind == "sandbox"
    return CardFacts(
        title=recipe.export.title,
        target=recipe.export.target,
        target_identity=resources.target_description(),
        source="an embedded world of fictional people" if fictional else "Wikidata and Wikimedia Commons",
        fictional=fictional,
        seed=recipe.seed,
        sensitive=recipe.facts.sensitive,
        known_rule=f"the greedy answer and at least {probe.agree} of {' and '.join(further) or 'no'} asks match",
        controls=probe.controls,
        rater=place_free(config.rater),
        raters=config.raters,
        forget_share=config.forget_share,
        sensitive_share=config.sensitive_share,
        votes=run.count("split", "votes"),
        repairs=run.count("split", "repairs"),
        personas=tuple(NamedCount(name=name, count=count) for name, count in sorted(personas.items())),
        contact=recipe.export.contact,
    )
