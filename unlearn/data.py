"""From an exported dataset to the forget and retain samples of a setting: train pairs and the published split files."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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
    held: Mapping[str, TrainingSample] = field(default_factory=dict)
    """Retain samples that are kept from training, and are no longer in `retain`: on these runs are compared."""
    choosing: Mapping[str, TrainingSample] = field(default_factory=dict)
    """As many others: by these a run's best weights, and a method's best numbers, are chosen."""


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
        role = roles.role(_fact(key), sample.subject_id)
        if role is not None:
            (forget if role == "forget" else retain)[key] = sample
    missing = tuple(roles.missing((_fact(key), sample.subject_id) for key, sample in samples.items()))
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


def hold_out(data: Assigned, *, share: float) -> Assigned:
    """The same data with a share of each subject's retain facts kept from training, half in `held`, half in `choosing`.

    A fact goes with all its modalities. Which are kept, and for what, follows from their ids alone: the same for every
    method, seed and rate. Raises BadInput where too few facts are there for both halves.
    """
    facts: dict[str, set[str]] = {}
    for key, sample in data.retain.items():
        facts.setdefault(sample.subject_id, set()).add(_fact(key))
    drawn = [sorted(each, key=lambda fact: hashlib.sha256(fact.encode()).digest()) for _, each in sorted(facts.items())]
    kept_out = [fact for each in drawn for fact in each[: round(share * len(each))]]
    choosing, held = set(kept_out[0::2]), set(kept_out[1::2])
    if not held or len(kept_out) == sum(map(len, drawn)):
        found = f"keeps {len(kept_out)} of {sum(map(len, drawn))} retain facts from training"
        raise BadInput(f"retain_held {share:g}", found, "take another share, or more subjects")
    return replace(
        data,
        retain={key: sample for key, sample in data.retain.items() if _fact(key) not in held | choosing},
        held={key: sample for key, sample in data.retain.items() if _fact(key) in held},
        choosing={key: sample for key, sample in data.retain.items() if _fact(key) in choosing},
    )


def _fact(key: str) -> str:
    return key.rpartition("|")[0]


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
    also = ("answer_text", "property_id", "sensitivity", "subject", "property_label")  # not all in the published one
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
                    subject=row.text("subject"),
                    property_label=row.text("property_label"),
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
