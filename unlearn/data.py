"""From an exported dataset to the forget and retain samples of a setting: train pairs and the published split files."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from schemas.dataset.adopted_record import read_adopted
from schemas.dataset.folder import (
    Pictures,
    config_files,
    config_names,
    dataset_folder,
    no_such_target,
    read_rows,
    training_targets,
)
from schemas.dataset.samples import TrainingSample
from schemas.dataset.split_files import Roles, read_roles
from schemas.errors import BadInput
from schemas.vocabulary import SENSITIVITIES, Modality, Sensitivity, Setting

Modalities = Literal["both", "vqa", "qa"]


@dataclass(frozen=True)
class Assigned:
    """The samples of one setting, by key `<sample_id>|<modality>` (a fact has one sample per modality)."""

    forget: Mapping[str, TrainingSample]
    retain: Mapping[str, TrainingSample]
    setting: Setting
    ratio: int | None
    target: str
    """Whose answers these are: the `<target>` of `train_pair_<target>`."""
    missing: tuple[str, ...]
    """Ids that the split names and the data lacks; empty unless they were allowed."""
    unassigned: int
    """Samples that the split names in neither role (personalized only); they are not used."""
    digest: str
    """Of every sample with its role; goes into run records and checkpoint identities."""


def read_samples(
    dataset: Path,
    *,
    setting: Setting,
    ratio: int | None = None,
    modality: Modalities = "both",
    target: str | None = None,
    allow_missing: bool = False,
    roles: Roles | None = None,
) -> Assigned:
    """Forget and retain samples of a build folder or an exported folder (ours or a clone of the published one).

    `roles` are those of the setting unless others are given, as of a request.
    Raises BadInput if the folder is no dataset, lacks the setting, ratio or modality, if a role is left without
    samples, or (unless `allow_missing`) if the split names samples or subjects that the data lacks.
    """
    hub = dataset_folder(dataset)
    target = _target(hub, target)
    samples: dict[str, TrainingSample] = {}
    modalities: tuple[Modality, ...] = ("vqa", "qa") if modality == "both" else (modality,)
    if modality == "both" and read_adopted(hub) is not None:  # many benchmarks are of text alone
        modalities = tuple(each for each in modalities if _config(target, each) in config_names(hub))
    for each in modalities:
        for key, sample, where in _pairs(hub, target, each):
            if key in samples:
                raise BadInput(where, f"sample {key.replace('|', ' in ')} is there twice", "fetch or export again")
            samples[key] = sample
    roles = roles or read_roles(hub, setting, ratio)
    forget: dict[str, TrainingSample] = {}
    retain: dict[str, TrainingSample] = {}
    for key, sample in sorted(samples.items()):
        role = roles.role(key.rpartition("|")[0], sample.subject_id)
        if role is not None:
            (forget if role == "forget" else retain)[key] = sample
    missing = tuple(roles.missing((key.rpartition("|")[0], sample.subject_id) for key, sample in samples.items()))
    if missing and not allow_missing:
        raise BadInput(
            f"{hub}, {setting} split",
            f"names {len(missing)} ids that train_pair_{target} lacks, first {missing[0]!r}",
            "use the split file of this export, or allow missing ids (--allow-missing) to go on without them",
        )
    for role, found in (("forget", forget), ("retain", retain)):
        if not found:
            raise BadInput(f"{hub}, {setting} split", f"the {role} set is empty", "choose another setting or ratio")
    return Assigned(
        forget=forget,
        retain=retain,
        setting=setting,
        ratio=ratio,
        target=target,
        missing=missing,
        unassigned=len(samples) - len(forget) - len(retain),
        digest=_digest(forget, retain),
    )


def reword(data: Assigned, ask: Callable[[str, Modality], str]) -> Assigned:
    """The same samples with every question put in the words of `ask` (question, modality)."""

    def asked(samples: Mapping[str, TrainingSample]) -> dict[str, TrainingSample]:
        return {
            key: sample.model_copy(update={"prompt": ask(sample.prompt, sample.modality)})
            for key, sample in samples.items()
        }

    forget, retain = asked(data.forget), asked(data.retain)
    return replace(data, forget=forget, retain=retain, digest=_digest(forget, retain))


def _target(hub: Path, wanted: str | None) -> str:
    targets = training_targets(hub)
    if wanted is None and len(targets) == 1:
        return targets[0]
    if wanted not in targets:
        raise no_such_target(hub)
    return str(wanted)


def _config(target: str, modality: Modality) -> str:
    return f"train_pair_{target}" if modality == "vqa" else f"train_pair_{target}_qa"


def _pairs(hub: Path, target: str, modality: Modality) -> Iterator[tuple[str, TrainingSample, str]]:
    """(key, sample, file and row) of every pair of a modality."""
    config = _config(target, modality)
    pictures = Pictures(hub)  # one copy of each picture, however many rows show it
    needed = ("sample_id", "subject_id", "question", "generated_answer")
    also = ("answer_text", "property_id", "sensitivity")  # not in the published dataset
    for file in config_files(hub, config):
        for row in read_rows(file, needed=needed, optional=also, picture="image" if modality == "vqa" else None):
            key = f"{row.text('sample_id')}|{modality}"
            yield (
                key,
                TrainingSample(
                    sample_id=key,
                    subject_id=row.text("subject_id"),
                    modality=modality,
                    prompt=row.text("question"),
                    answer=row.text("generated_answer"),
                    image=pictures.of(row, "image") if modality == "vqa" else None,
                    value=row.text("answer_text"),
                    property_id=row.text("property_id"),
                    sensitivity=_sensitivity(row.text("sensitivity"), where=row.where),
                ),
                row.where,
            )


def _sensitivity(found: str, *, where: str) -> Sensitivity | None:
    """The class of a fact; None in a dataset that has none."""
    known = next((each for each in SENSITIVITIES if each == found), None)
    if found and known is None:
        raise BadInput(where, f"sensitivity {found!r} is not known", f"use one of {', '.join(SENSITIVITIES)}")
    return known


def _digest(forget: Mapping[str, TrainingSample], retain: Mapping[str, TrainingSample]) -> str:
    total = hashlib.sha256()
    for role, samples in (("forget", forget), ("retain", retain)):
        for key, sample in sorted(samples.items()):
            picture = hashlib.sha256(sample.image or b"").hexdigest()
            line = json.dumps([role, key, sample.subject_id, sample.prompt, sample.answer, picture])
            total.update(line.encode() + b"\n")
    return total.hexdigest()[:32]
