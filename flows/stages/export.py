"""Stage export: the published dataset of the build, with its card and metadata."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from curation.card.card import CardFacts
from curation.export.batch_parts import EarlierBatch
from curation.export.export import ReleaseRequest, export_release
from curation.export.rows import SubjectBundle
from curation.review.sample import shown_digest
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import StageRun, by_subject
from flows.pipeline.verdicts import kept_verdicts, review_figures
from flows.resources.resources import Resources, place_free
from schemas.dataset.release import NamedCount, Part
from schemas.records.build_rows import Assignment, AttackPrompt, Fact, Knowledge, Persona, Portrait, Question, Subject
from schemas.records.review import Verdict
from schemas.storage.tables import read_columns
from schemas.vocabulary import VIEWS


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
            ReleaseRequest(
                target=recipe.export.target,
                ratios=recipe.split.ratios,
                sensitive=frozenset(recipe.facts.sensitive),
                part=part,
                rows_per_file=recipe.export.rows_per_file,
                rows_per_group=recipe.export.rows_per_group,
            ),
            card=card,
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
        portraits = by_subject(run.read("screen", "portraits", Portrait, shard, batch=batch))
        facts = by_subject(run.read("facts", "facts", Fact, shard, batch=batch))
        asked = by_subject(run.read("questions", "questions", Question, shard, batch=batch))
        knowledge = by_subject(run.read("probe", "knowledge", Knowledge, shard, batch=batch))
        roles = by_subject(run.read("split", "assignments", Assignment, shard, batch=batch))
        attacks = by_subject(run.read("attack", "attacks", AttackPrompt, shard, batch=batch))
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


def _changed(run: StageRun, verdicts: Sequence[Verdict]) -> int:
    """Accepted facts that are asked otherwise by now than when they were judged, or not at all."""
    accepted = {verdict.sample_id: verdict.shown for verdict in verdicts if verdict.verdict == "accept"}
    same = 0
    for batch in (*run.build.earlier, run.build) if accepted else ():
        for shard in run.shards(batch):
            asked: defaultdict[str, list[Question]] = defaultdict(list)
            for question in run.read("questions", "questions", Question, shard, batch=batch):
                if question.sample_id in accepted:
                    asked[question.sample_id].append(question)
            pictures = {
                row["subject_id"]: row["image_id"]
                for path in (run.files("screen", "portraits", shard, batch=batch) if asked else ())
                for row in read_columns(path, Portrait, ["subject_id", "image_id", "view"]).to_pylist()
                if row["view"] == VIEWS[0]
            }
            for fact in run.read("facts", "facts", Fact, shard, batch=batch) if asked else ():
                if fact.sample_id in asked:
                    now = shown_digest(fact, asked[fact.sample_id], pictures.get(fact.subject_id, ""))
                    same += now == accepted[fact.sample_id]
    return len(accepted) - same


def _card(run: StageRun, resources: Resources) -> CardFacts:
    recipe, probe, config = run.recipe, run.recipe.probe, run.recipe.split
    verdicts = kept_verdicts(run.build)
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
        review=review_figures(verdicts, changed=_changed(run, verdicts)),
    )
