"""The stages that assign and write: split (roles), attack (changed questions), export (the dataset)."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from curation.attacks import attack_prompts, attackable, attacks_by_responder
from curation.bundles import SubjectBundle
from curation.card import CardFacts
from curation.export import export_release
from curation.personas import draw_persona
from curation.raters import Rated, calibrate, votes_by_preference, votes_by_responder
from curation.splits import (
    complete_roles,
    enough_known,
    forgotten_subjects,
    known_facts,
    personalized_roles,
    rank_subjects,
    selective_roles,
)
from flows.preflight import BUILT_IN, TEMPLATES
from flows.resources import Resources
from flows.stage import Rows, StageRun, Tables
from schemas.records import (
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
from schemas.releases import NamedCount, Part


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
    ranks = rank_subjects(subjects.values(), seed=seed)
    forgotten = forgotten_subjects(ranks, ratios=config.ratios)
    run.notes["forgotten_subjects"] = {str(ratio): len(ids) for ratio, ids in forgotten.items()}
    calibration = None
    if config.rater == BUILT_IN:
        calibration = calibrate(
            (rated for shard in shards for rated in _rated(run, shard) if len(rated.facts) > 1),
            sensitive=sensitive,
            raters=config.raters,
            forget_share=config.forget_share,
            sensitive_share=config.sensitive_share,
            seed=seed,
        )
        run.notes["calibration"] = calibration.model_dump(mode="json")

    def work(shard: int) -> Tables:
        everyone = list(_rated(run, shard))
        known = [fact for rated in everyone for fact in rated.facts]
        within, drops = enough_known(known)
        rated = [one for one in everyone if len(one.facts) > 1]
        if calibration is not None:
            votes = list(votes_by_preference(rated, calibration, sensitive=sensitive, raters=config.raters, seed=seed))
        else:
            responder = resources.responder(config.rater)
            votes = list(votes_by_responder(rated, responder, raters=config.raters, seed=seed))
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
        }

    run.map("roles", shards, work)


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


def attack(run: StageRun, resources: Resources) -> None:
    """Three attacks in both modalities on every known fact."""
    author, seed = run.recipe.attack.author, run.recipe.seed

    def work(shard: int) -> Tables:
        asked = _by_subject(run.read("questions", "questions", Question, shard))
        prompts: list[AttackPrompt] = []
        for rated in _rated(run, shard):
            run.took[shard] = run.took.get(shard, 0) + len(rated.facts)
            own = asked[rated.subject.subject_id]
            if author == TEMPLATES:
                prompts += attack_prompts(rated.subject, rated.facts, own, seed=seed)
            else:
                items = attackable(rated.subject, rated.facts, own)
                prompts += attacks_by_responder(items, resources.responder(author), seed=seed, fall_back=False)
        return {"attacks": Rows(AttackPrompt, prompts)}

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
            _bundles(run),
            card=card,
            target=recipe.export.target,
            ratios=recipe.split.ratios,
            sensitive=frozenset(recipe.facts.sensitive),
            part=part,
            rows_per_file=recipe.export.rows_per_file,
            rows_per_group=recipe.export.rows_per_group,
        )
        if folder.exists():
            run.published.append(folder)
        run.took[0] = run.took.get(0, 0) + summary.samples
        run.notes[folder.name] = summary.model_dump(mode="json")
        run.made[folder.name] = summary.samples


def _bundles(run: StageRun) -> Iterator[SubjectBundle]:
    """One subject after the other, a shard of rows in memory at a time."""
    for shard in run.shards():
        portraits = _by_subject(run.read("screen", "portraits", Portrait, shard))
        facts = _by_subject(run.read("facts", "facts", Fact, shard))
        asked = _by_subject(run.read("questions", "questions", Question, shard))
        knowledge = _by_subject(run.read("probe", "knowledge", Knowledge, shard))
        roles = _by_subject(run.read("split", "assignments", Assignment, shard))
        attacks = _by_subject(run.read("attack", "attacks", AttackPrompt, shard))
        for subject in run.read("screen", "subjects", Subject, shard):
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
    personas = Counter(row.persona for row in run.read("split", "personas", Persona))
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
        rater=config.rater,
        raters=config.raters,
        forget_share=config.forget_share,
        sensitive_share=config.sensitive_share,
        votes=run.count("split", "votes"),
        repairs=run.count("split", "repairs"),
        personas=tuple(NamedCount(name=name, count=count) for name, count in sorted(personas.items())),
        contact=recipe.export.contact,
    )
