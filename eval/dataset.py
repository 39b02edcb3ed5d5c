"""Rows of an exported dataset as an evaluation reads them: published columns suffice, ours are used where present."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.problems import BadInput

_NEEDED = ("sample_id", "subject_id", "subject", "task_type", "modality", "question", "answer_text")
_OPTIONAL = (
    "option_a", "option_b", "option_c", "option_d", "answer_label", "accepted_answers", "property_id", "answer_type",
)  # fmt: skip
_BATCH = 200


@dataclass(frozen=True)
class EvalRow:
    """One row of an eval, cross-image or attack config. Columns that the dataset lacks are empty."""

    sample_id: str
    subject_id: str
    subject: str
    task: str
    modality: str
    """As published: text or text_image."""
    question: str
    answer: str
    options: tuple[str, ...]
    label: str
    accepted: tuple[str, ...]
    property_id: str
    answer_type: str
    picture: bytes | None


def configs(hub: Path) -> list[str]:
    """Names of the configs that have Parquet files."""
    return sorted({file.parent.name for file in (hub / "data").glob("*/*.parquet")})


def config_rows(hub: Path, config: str, *, picture: str | None) -> Iterator[EvalRow]:
    """Rows of a config in order. `picture` names the column of the picture that is wanted ("image", "image_002", …).

    Equal pictures share their bytes. Raises BadInput for a missing config or column, and for a row without an id.
    """
    files = sorted((hub / "data" / config).glob("*.parquet"))
    if not files:
        raise BadInput(f"{hub}/data/{config}", "has no Parquet files", f"the dataset has {', '.join(configs(hub))}")
    kept: dict[bytes, bytes] = {}
    for file in files:
        for number, cells in enumerate(_cells(file, [*_NEEDED, *_OPTIONAL], picture)):
            where = f"{file}, row {number}"
            content = None
            if picture and cells["modality"] == "text_image":
                content = _picture(hub, cells, picture, where)
                content = kept.setdefault(hashlib.sha256(content).digest(), content)
            yield _row(cells, content, where)


def training_answers(hub: Path, target: str) -> dict[tuple[str, str], str]:
    """The target's own answers by (sample_id, qa or vqa); empty for modalities without train pairs."""
    found: dict[tuple[str, str], str] = {}
    for modality, config in (("vqa", f"train_pair_{target}"), ("qa", f"train_pair_{target}_qa")):
        for file in sorted((hub / "data" / config).glob("*.parquet")):
            for cells in _cells(file, ["sample_id", "generated_answer"], None):
                found[str(cells["sample_id"]), modality] = str(cells["generated_answer"])
    return found


def training_target(hub: Path, wanted: str | None) -> str:
    """The short name of the target whose answers the dataset holds; "" if it holds none, or several and none is named.

    Raises BadInput for a name that it lacks.
    """
    names = {name.removeprefix("train_pair_") for name in configs(hub) if name.startswith("train_pair_")}
    targets = sorted({name.removesuffix("_qa") for name in names})
    if wanted is not None and wanted not in targets:
        found = f"has training pairs of {', '.join(targets) or 'no target'}"
        raise BadInput(f"{hub}/data", found, "name one of them as the target")
    return wanted or (targets[0] if len(targets) == 1 else "")


def _cells(file: Path, columns: Sequence[str], picture: str | None) -> Iterator[dict[str, object]]:
    try:
        source = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(str(file), f"cannot be read ({error})", "export or fetch the dataset again") from error
    with source:
        present = source.schema_arrow.names
        renamed = "sample_id" not in present and "id" in present
        wanted = ["id" if renamed and name == "sample_id" else name for name in columns]
        lacking = [name for name in wanted if name not in present and name not in _OPTIONAL]
        pictures = [name for name in (picture, "image_bytes", "image_path") if picture and name in present]
        if picture and not pictures:
            lacking.append(picture)
        if lacking:
            raise BadInput(f"{file}, column {lacking[0]}", "is missing", "export or fetch the dataset again")
        for batch in source.iter_batches(
            batch_size=_BATCH, columns=[*(name for name in wanted if name in present), *pictures]
        ):
            for cells in batch.to_pylist():
                if renamed:
                    cells["sample_id"] = cells["id"]
                yield cells


def _row(cells: dict[str, object], picture: bytes | None, where: str) -> EvalRow:
    options = [cells.get(f"option_{letter}") for letter in "abcd"]
    accepted = cells.get("accepted_answers")
    row = EvalRow(
        sample_id=_text(cells.get("sample_id")),
        subject_id=_text(cells.get("subject_id")),
        subject=_text(cells.get("subject")),
        task=_text(cells.get("task_type")),
        modality=_text(cells.get("modality")),
        question=_text(cells.get("question")),
        answer=_text(cells.get("answer_text")),
        options=tuple(str(option) for option in options if option is not None),
        label=_text(cells.get("answer_label")).strip().upper(),
        accepted=tuple(str(text) for text in accepted) if isinstance(accepted, list) else (),
        property_id=_text(cells.get("property_id")),
        answer_type=_text(cells.get("answer_type")),
        picture=picture,
    )
    for name in ("sample_id", "subject_id", "question", "answer"):
        if not getattr(row, name).strip():
            raise BadInput(where, f"has no {name}", "export or fetch the dataset again")
    return row


def _picture(hub: Path, cells: dict[str, object], column: str, where: str) -> bytes:
    value = cells.get(column)
    content = value.get("bytes") if isinstance(value, dict) else None
    if content is None and column == "image":
        content = cells.get("image_bytes")
        path = cells.get("image_path")
        if content is None and isinstance(path, str) and (hub / path).resolve().is_relative_to(hub.resolve()):
            file = hub / path
            content = file.read_bytes() if file.is_file() else None
    if not isinstance(content, bytes) or not content:
        raise BadInput(f"{where}, column {column}", "holds no picture", "fetch the dataset with its pictures embedded")
    return content


def _text(value: object) -> str:
    return "" if value is None else str(value)
