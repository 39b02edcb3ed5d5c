"""Personas: who a subject is taken to be when saying which facts they want gone, by sensitivity class."""

import random
from collections.abc import Mapping

from schemas.records.build_rows import Persona, Subject
from schemas.storage.tables import Record
from schemas.vocabulary import Sensitivity


class PersonaKind(Record):
    """A kind of person. `weights`: how much more than usual a class should go, in standard deviations of taste."""

    name: str
    description: str
    """In the second person, as a rater is told it."""
    weights: Mapping[Sensitivity, float]


KINDS: tuple[PersonaKind, ...] = (
    PersonaKind(
        name="family_protective",
        description="You accept being known for your work, but your relatives did not choose public life: what names "
        "or counts them should go.",
        weights={"family": 1.2, "location": 0.2, "public": -0.3},
    ),
    PersonaKind(
        name="finance_discreet",
        description="You never speak about money, and want nothing about your wealth, holdings or dealings recalled.",
        weights={"finance": 1.6, "criminal": 0.3, "family": -0.2},
    ),
    PersonaKind(
        name="health_private",
        description="Your body and your health are nobody's business: illness, cause of death, measurements.",
        weights={"health": 1.4, "physical": 0.9, "family": -0.1},
    ),
    PersonaKind(
        name="past_leaving",
        description="You have begun a new life and want early years, old names and old troubles left behind.",
        weights={"criminal": 1.4, "biographical": 0.9, "family": 0.2, "location": 0.3},
    ),
    PersonaKind(
        name="home_guarding",
        description="You have been followed before, so nothing should show where you live or come from.",
        weights={"location": 1.4, "contact": 1.4, "biographical": 0.2, "family": 0.1},
    ),
    PersonaKind(
        name="belief_reserved",
        description="Faith, politics and love are matters between you and yourself; you never made them public.",
        weights={"belief": 1.4, "orientation": 1.4, "family": 0.2, "health": 0.1},
    ),
    PersonaKind(
        name="work_only",
        description="You want to be remembered for your work and for nothing else.",
        weights={"family": 0.4, "location": 0.4, "physical": 0.4, "biographical": 0.5, "public": -0.6},
    ),
    PersonaKind(
        name="career_changing",
        description="You want to be judged afresh, so some old posts, prizes and works should no longer follow you; "
        "private matters worry you less.",
        weights={"public": 0.8, "family": -0.3, "location": -0.2, "physical": -0.3},
    ),
)
"""Fictional kinds, drawn without looking at the subject's facts: nothing about a real person is inferred from them."""

_BY_NAME = {kind.name: kind for kind in KINDS}


def draw_persona(subject: Subject, *, seed: int) -> Persona:
    """The persona of a subject: every kind is equally likely, and the draw depends on the seed and subject id alone."""
    kind = random.Random(f"{seed}:persona:{subject.subject_id}").choice(KINDS)
    return Persona(subject_id=subject.subject_id, persona=kind.name, description=kind.description)


def persona_weight(persona: str, sensitivity: Sensitivity) -> float:
    """How much more than usual this kind of person wants a class of facts gone; 0 for classes it has no view on."""
    return _BY_NAME[persona].weights.get(sensitivity, 0.0)
