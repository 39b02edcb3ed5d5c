"""What a release holds besides pictures: subjects, facts, samples and roles. Published columns are enough."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from schemas.dataset.folder import TRAIN_PREFIX, config_files, config_names, read_rows, training_targets
from schemas.dataset.split_files import Roles, read_roles, split_file, split_ratios
from schemas.errors import BadInput
from schemas.storage.artifacts import digest
from schemas.vocabulary import SETTINGS, TASKS, Setting

Cut = tuple[Setting, int | None]
"""A setting and its ratio (None but for complete)."""


@dataclass(frozen=True)
class Sample:
    """A known fact of a release; `wording` is a digest of its question and answer."""

    subject_id: str
    wording: str


@dataclass(frozen=True)
class ReleaseContents:
    """A release as it is compared with another."""

    subjects: Mapping[str, str]
    """Name by subject_id."""
    facts: Mapping[str, str] | None
    """Digest of the answer by sample_id, of every candidate; None where the release does not list them."""
    samples: Mapping[str, Sample]
    roles: Mapping[Cut, Roles]
    rows: Mapping[str, int]
    """By config; of the configs whose files are there."""


def read_contents(hub: Path) -> ReleaseContents:
    """The contents of a dataset folder. Raises BadInput if it lacks everything from which samples could be read."""
    subjects: dict[str, str] = {}
    samples: dict[str, Sample] = {}
    for sample_id, subject_id, subject, wording in _sample_rows(hub):
        samples[sample_id] = Sample(subject_id, wording)
        subjects[subject_id] = subject
    facts: dict[str, str] | None = None
    if "unlearning_target" in config_names(hub):
        facts = dict(_candidates(hub, subjects))
    rows = {
        config: sum(pq.read_metadata(file).num_rows for file in config_files(hub, config))
        for config in config_names(hub)
    }
    return ReleaseContents(subjects, facts, samples, dict(_roles(hub)), rows)


def cuts_of(hub: Path) -> list[Cut]:
    """The settings (and ratios) for which a dataset has split files."""
    found: list[Cut] = []
    for setting in SETTINGS:
        if split_file(hub, setting).is_file():
            found += [(setting, ratio) for ratio in split_ratios(hub)] if setting == "complete" else [(setting, None)]
    return found


def _roles(hub: Path) -> Iterator[tuple[Cut, Roles]]:
    for setting, ratio in cuts_of(hub):
        yield (setting, ratio), read_roles(hub, setting, ratio)


def _sample_rows(hub: Path) -> Iterator[tuple[str, str, str, str]]:
    """(sample_id, subject_id, subject, digest of the wording), from the smallest config that lists every sample."""
    present = config_names(hub)
    targets = training_targets(hub)
    trained = [f"{TRAIN_PREFIX}{target}{ending}" for ending in ("_qa", "") for target in targets]
    asked = [f"ppu_eval_{task}" for task in TASKS]
    config = next((name for name in (*trained, *asked) if name in present), None)
    if config is None:
        found = "has neither train_pair_* nor ppu_eval_* configs"
        raise BadInput(f"{hub}/data", found, f"it has {', '.join(present) or 'none at all'}; export or fetch it again")
    said = "generated_answer" if config.startswith(TRAIN_PREFIX) else "answer_text"
    seen: set[str] = set()
    for file in config_files(hub, config):
        for row in read_rows(file, needed=("sample_id", "subject_id", "subject", "question", said)):
            if row.text("sample_id") in seen:
                if config.startswith(TRAIN_PREFIX):
                    raise BadInput(
                        row.where, f"sample {row.text('sample_id')} is there twice", "export or fetch it again"
                    )
                continue
            seen.add(row.text("sample_id"))
            wording = digest([row.text("question"), row.text(said)])
            yield row.text("sample_id"), row.text("subject_id"), row.text("subject"), wording


def _candidates(hub: Path, subjects: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(sample_id, digest of the answer) of every candidate fact; subjects that have only candidates are added."""
    for file in config_files(hub, "unlearning_target"):
        for row in read_rows(file, needed=("subject_id", "subject"), optional=("qas", "cloze_probes")):
            subjects.setdefault(row.text("subject_id"), row.text("subject"))
            for entry in _questions(row.cells.get("qas") or row.cells.get("cloze_probes"), row.where):
                name = next((str(entry[key]) for key in ("id", "sample_id", "qa_id") if entry.get(key)), "")
                if name:
                    yield name, digest(str(entry.get("answer")))


def _questions(value: object, where: str) -> Iterable[Mapping[str, object]]:
    """The published list of questions, which is a list or its JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise BadInput(f"{where}, column qas", f"is not JSON ({error})", "export or fetch it again") from error
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
