"""What differs between two releases: subjects, facts, samples, roles and rows. Published columns are enough."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.dataset.folder import TRAIN_PREFIX, config_files, config_names, read_rows, row_count, training_targets
from schemas.dataset.release import Changes, ReleaseDiff, RoleChange
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
    rows = {config: sum(row_count(file) for file in config_files(hub, config)) for config in config_names(hub)}
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


def compare_releases(before: ReleaseContents, after: ReleaseContents) -> ReleaseDiff:
    """Everything that differs, names sorted."""
    facts_before, facts_after = before.facts, after.facts
    wordings_before = {name: sample.wording for name, sample in before.samples.items()}
    wordings_after = {name: sample.wording for name, sample in after.samples.items()}
    if facts_before is None or facts_after is None:
        facts_before, facts_after = dict.fromkeys(wordings_before, ""), dict.fromkeys(wordings_after, "")
    configs = sorted(before.rows.keys() | after.rows.keys())
    rows = {name: (before.rows.get(name, 0), after.rows.get(name, 0)) for name in configs}
    return ReleaseDiff(
        subjects=_changes(before.subjects, after.subjects),
        facts=_changes(facts_before, facts_after),
        samples=_changes(wordings_before, wordings_after),
        roles=tuple(_role_changes(before, after)),
        rows={name: pair for name, pair in rows.items() if pair[0] != pair[1]},
        counts=_counts(before, after, len(facts_before), len(facts_after)),
    )


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )


def _role_changes(before: ReleaseContents, after: ReleaseContents) -> Iterator[RoleChange]:
    """Of samples that both have, under settings that both have."""
    cuts = sorted(before.roles.keys() & after.roles.keys(), key=lambda cut: (cut[0], cut[1] or 0))
    for setting, ratio in cuts:
        old, new = before.roles[setting, ratio], after.roles[setting, ratio]
        for name in sorted(before.samples.keys() & after.samples.keys()):
            was = old.role(name, before.samples[name].subject_id) or "none"
            now = new.role(name, after.samples[name].subject_id) or "none"
            if was != now:
                yield RoleChange(sample_id=name, setting=setting, ratio=ratio, before=was, after=now)


def _counts(
    before: ReleaseContents, after: ReleaseContents, facts: int, facts_after: int
) -> dict[str, tuple[int, int]]:
    counts = {
        "subjects": (len(before.subjects), len(after.subjects)),
        "facts": (facts, facts_after),
        "samples": (len(before.samples), len(after.samples)),
        "rows": (sum(before.rows.values()), sum(after.rows.values())),
    }
    for setting, ratio in sorted(before.roles.keys() | after.roles.keys(), key=lambda cut: (cut[0], cut[1] or 0)):
        name = f"forget, {setting}{f' {ratio} %' if ratio else ''}"
        counts[name] = (_forgotten(before, setting, ratio), _forgotten(after, setting, ratio))
    return counts


def _forgotten(release: ReleaseContents, setting: str, ratio: int | None) -> int:
    """Samples that the setting forgets; 0 where the release lacks the setting."""
    roles = next((found for cut, found in release.roles.items() if cut == (setting, ratio)), None)
    if roles is None:
        return 0
    return sum(roles.role(name, sample.subject_id) == "forget" for name, sample in release.samples.items())
