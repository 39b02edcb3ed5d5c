"""From an exported dataset to the forget and retain samples of a setting: train pairs and the published split files."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.problems import BadInput
from schemas.training import TrainingSample
from schemas.words import PUBLISHED_SETTING, Modality, Setting

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
) -> Assigned:
    """Forget and retain samples of a build folder or an exported folder (ours or a clone of the published one).

    Raises BadInput if the folder is no dataset, lacks the setting, ratio or modality, if a role is left without
    samples, or (unless `allow_missing`) if the split names samples or subjects that the data lacks.
    """
    hub = dataset_folder(dataset)
    target = _target(hub, target)
    samples: dict[str, TrainingSample] = {}
    modalities: tuple[Modality, ...] = ("vqa", "qa") if modality == "both" else (modality,)
    for each in modalities:
        samples.update(_pairs(hub, target, each))
    forget_ids, retain_ids, by_subject = _split(hub, setting, ratio)
    forget: dict[str, TrainingSample] = {}
    retain: dict[str, TrainingSample] = {}
    for key, sample in sorted(samples.items()):
        unit = sample.subject_id if by_subject else key.rpartition("|")[0]
        if unit in forget_ids:
            forget[key] = sample
        elif retain_ids is None or unit in retain_ids:
            retain[key] = sample
    present = {sample.subject_id if by_subject else key.rpartition("|")[0] for key, sample in samples.items()}
    missing = tuple(sorted((forget_ids | (retain_ids or set())) - present))
    if missing and not allow_missing:
        raise BadInput(
            f"{hub}, {setting} split",
            f"names {len(missing)} ids that train_pair_{target} lacks, first {missing[0]!r}",
            "use the split file of this export, or allow missing ids to go on without them",
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


def dataset_folder(path: Path) -> Path:
    """The folder that holds `data/`: the path itself, or `hub/` of a build."""
    for candidate in (path / "hub", path):
        if (candidate / "data").is_dir():
            return candidate
    found = "has no data/ or hub/data/ folder" if path.is_dir() else "is not a folder"
    raise BadInput(str(path), found, "name a finished build (ppubench build) or an exported dataset")


def _target(hub: Path, wanted: str | None) -> str:
    prefix = "train_pair_"
    names = {folder.name[len(prefix) :] for folder in (hub / "data").glob(f"{prefix}*") if folder.is_dir()}
    targets = sorted(name for name in names if not (name.endswith("_qa") and name[:-3] in names))
    # A dataset of text pairs alone has only `train_pair_<target>_qa`.
    targets = sorted({name[:-3] if name.endswith("_qa") else name for name in targets})
    if wanted is None and len(targets) == 1:
        return targets[0]
    if wanted in targets:
        return str(wanted)
    found = f"has training pairs of {', '.join(targets) or 'no target'}"
    raise BadInput(f"{hub}/data", found, "name one of them as the target" if targets else "export the dataset again")


def parquet_files(hub: Path, config: str) -> list[Path]:
    """Parquet files of one config, in order; raises BadInput if there are none."""
    files = sorted((hub / "data" / config).glob("*.parquet"))
    if not files:
        raise BadInput(f"{hub}/data/{config}", "has no Parquet files", "export the dataset again, or fetch this config")
    return files


def _pairs(hub: Path, target: str, modality: Modality) -> Iterator[tuple[str, TrainingSample]]:
    config = f"train_pair_{target}" if modality == "vqa" else f"train_pair_{target}_qa"
    pictures: dict[bytes, bytes] = {}  # one copy of each picture, however many rows show it
    for file in parquet_files(hub, config):
        for number, row in enumerate(_rows(file, with_image=modality == "vqa")):
            image = None
            if modality == "vqa":
                content = _image_bytes(row["image"], f"{file}, row {number}")
                image = pictures.setdefault(hashlib.sha256(content).digest(), content)
            key = f"{row['sample_id']}|{modality}"
            yield (
                key,
                TrainingSample(
                    sample_id=key,
                    subject_id=str(row["subject_id"]),
                    modality=modality,
                    prompt=str(row["question"]),
                    answer=str(row["generated_answer"]),
                    image=image,
                ),
            )


def _rows(file: Path, *, with_image: bool) -> Iterator[dict[str, object]]:
    """The columns that training needs; the published data calls the first one `sample_id` or `id`."""
    try:
        source = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(str(file), f"cannot be read ({error})", "export or fetch the dataset again") from error
    with source:
        present = source.schema_arrow.names
        id_column = "sample_id" if "sample_id" in present else "id"
        wanted = [id_column, "subject_id", "question", "generated_answer", *(["image"] if with_image else [])]
        lacking = [name for name in wanted if name not in present]
        if lacking:
            raise BadInput(f"{file}, column {lacking[0]}", "is missing", "a train_pair config has it; export again")
        for batch in source.iter_batches(batch_size=200, columns=wanted):
            for row in batch.to_pylist():
                row["sample_id"] = row[id_column]
                yield row


def _image_bytes(value: object, where: str) -> bytes:
    content = value.get("bytes") if isinstance(value, dict) else None
    if not isinstance(content, bytes) or not content:
        raise BadInput(f"{where}, column image", "holds no picture", "fetch the dataset with its images embedded")
    return content


def _split(hub: Path, setting: Setting, ratio: int | None) -> tuple[set[str], set[str] | None, bool]:
    """(forget ids, retain ids or None for all others, whether the ids are subjects)."""
    path = hub / "data" / "split" / f"{PUBLISHED_SETTING[setting]}_split.json"
    if not path.is_file():
        raise BadInput(str(path), f"no such file, so the dataset has no {setting} setting", "choose another setting")
    try:
        content = json.loads(path.read_text())
        if setting == "complete":
            return {str(subject) for subject in _complete(content, ratio, path)}, None, True
        if setting == "selective":
            return {str(entry["id"]) for entry in content}, None, False
        return {str(i) for i in content["delete_ids"]}, {str(i) for i in content["keep_ids"]}, False
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"is not a {setting} split ({error!r})", "export the dataset again") from error


def _complete(content: Mapping[str, list[str]], ratio: int | None, path: Path) -> list[str]:
    ratios = sorted(int(name.removeprefix("forget")) for name in content if name.startswith("forget"))
    if ratio is None or ratio not in ratios:
        found = "needs a ratio" if ratio is None else f"has no ratio {ratio}"
        raise BadInput(f"{path}: the complete setting", found, f"choose one of {', '.join(map(str, ratios))}")
    return content[f"forget{ratio}"]


def _digest(forget: Mapping[str, TrainingSample], retain: Mapping[str, TrainingSample]) -> str:
    total = hashlib.sha256()
    for role, samples in (("forget", forget), ("retain", retain)):
        for key, sample in sorted(samples.items()):
            picture = hashlib.sha256(sample.image or b"").hexdigest()
            line = json.dumps([role, key, sample.subject_id, sample.prompt, sample.answer, picture])
            total.update(line.encode() + b"\n")
    return total.hexdigest()[:32]
