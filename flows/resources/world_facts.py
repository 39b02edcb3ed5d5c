"""The facts of the embedded world and how they are asked, from the world itself: what a build finds out over HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass

from curation.facts.facts import facts_of
from curation.facts.linked_entities import further_values, needed_values
from curation.facts.properties import load_properties
from curation.questions.distractors import distractor_pool
from curation.questions.questions import questions_of
from curation.subjects.namesakes import tell_apart
from curation.subjects.sample_names import sample_names
from curation.subjects.selection import subject_of
from schemas.errors import BadInput
from schemas.recipes.build_recipe import FactsConfig
from schemas.records.build_rows import Fact, Question, Subject
from schemas.records.entities import Entity
from sources.sandbox.world import World
from sources.wikimedia.entity_parser import parse_entity

ALL_PARAPHRASES = 8
"""As many as a recipe may ask for: the target knows every wording that a build may choose."""
YEAR = 2026
"""The recipes' own year by which age is judged."""


@dataclass(frozen=True)
class WorldFacts:
    """Subjects in the order of their ids, their facts by slot, and the questions about them in every form."""

    subjects: tuple[Subject, ...]
    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]


def world_facts(world: World, *, seed: int) -> WorldFacts:
    """Everything that can be asked about the world's subjects when nothing is gated. `seed` orders the options."""
    table, defaults = load_properties(), FactsConfig()
    entities = list(_entities(world, world.subjects))
    subjects = []
    for number, entity in enumerate(entities, start=1):
        occupations = [found.label for found in _entities(world, entity.items("P106")) if found.label]
        subjects.append(subject_of(entity, occupations, subject_id=f"{number:03d}", year=YEAR))
    subjects = tell_apart(subjects, ())
    names = sample_names(subjects)
    by_subject: dict[str, list[Fact]] = {}
    for subject, entity in zip(subjects, entities, strict=True):
        values = {value.qid: value for value in _entities(world, sorted(needed_values(entity, table)))}
        values |= {value.qid: value for value in _entities(world, sorted(further_values(values, table)))}
        by_subject[subject.subject_id], _ = facts_of(
            subject,
            entity,
            values,
            table,
            sample_name=names[subject.subject_id],
            gated="open",
            sensitive=defaults.sensitive,
            exclude=(),
            third_party_sitelinks=defaults.third_party_sitelinks,
        )
    pool = distractor_pool(fact for facts in by_subject.values() for fact in facts)
    questions: list[Question] = []
    for subject in subjects:
        facts = by_subject[subject.subject_id]
        questions += questions_of(subject, facts, pool, table, paraphrases=ALL_PARAPHRASES, seed=seed)[0]
    return WorldFacts(tuple(subjects), tuple(fact for facts in by_subject.values() for fact in facts), tuple(questions))


def _entities(world: World, qids: tuple[str, ...] | list[str]) -> Iterator[Entity]:
    """The entities that exist; a value without one is left to facts_of, which drops its statement."""
    for qid in qids:
        raw = world.entity_json(qid)
        if raw is not None:
            yield parse_entity(raw, qid)
        elif qid in world.subjects:
            raise BadInput(f"embedded world {world.identity}", f"lacks its own subject {qid}", "mend sources/sandbox")
