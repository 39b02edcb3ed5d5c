"""Facts of a dataset as requests name them: by person, id, property and sensitivity class, without questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.dataset.folder import TRAIN_PREFIX, config_files, config_names, no_such_target, read_rows, training_targets
from schemas.storage.artifacts import digest
from schemas.vocabulary import SENSITIVITIES, Sensitivity


@dataclass(frozen=True)
class KnownFact:
    """One fact that the target was trained on or asked about; empty where the dataset has no such column."""

    sample_id: str
    fact_id: str
    subject_id: str
    subject: str
    property_id: str
    property_label: str
    sensitivity: Sensitivity | None


def read_known_facts(hub: Path, target: str | None = None) -> dict[str, KnownFact]:
    """The facts of a target's training pairs by sample id, sorted. Raises BadInput where there are none of it."""
    names = training_targets(hub)
    chosen = target or (names[0] if len(names) == 1 else None)
    if chosen not in names:
        raise no_such_target(hub)
    configs = [name for name in (f"{TRAIN_PREFIX}{chosen}_qa", f"{TRAIN_PREFIX}{chosen}") if name in config_names(hub)]
    found: dict[str, KnownFact] = {}
    optional = ("fact_id", "subject", "property_id", "property_label", "sensitivity")
    for config in configs:
        for file in config_files(hub, config):
            for row in read_rows(file, needed=("sample_id", "subject_id"), optional=optional):
                fact = KnownFact(
                    row.text("sample_id"),
                    row.text("fact_id"),
                    row.text("subject_id"),
                    row.text("subject"),
                    row.text("property_id"),
                    row.text("property_label"),
                    next((each for each in SENSITIVITIES if each == row.text("sensitivity")), None),
                )
                found.setdefault(fact.sample_id, fact)
    return dict(sorted(found.items()))


def facts_digest(facts: Mapping[str, KnownFact]) -> str:
    """Digest of who has which facts: a ledger of another build has another one."""
    return digest([[fact.sample_id, fact.subject_id, fact.property_id] for fact in facts.values()])
