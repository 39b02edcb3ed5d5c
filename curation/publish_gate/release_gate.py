"""The gate: all that must hold of a release before anybody else may see it. Each fault names its file and row.

What must hold of the build behind it is in flows/publish/build_gate.py.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.card.metadata_files import CROISSANT, README, ReleaseFile
from curation.facts.properties import load_properties
from curation.publish_gate.files import ATTRIBUTION, card_faults, croissant_faults, file_faults, text_faults
from curation.publish_gate.images import PictureMemory, credit_faults, picture_faults, read_readable, uncredited
from curation.publish_gate.rows import GateRow, RowMemory, row_faults
from curation.publish_gate.splits import KnownSample, config_roles, split_faults
from schemas.dataset.folder import TRAIN_PREFIX
from schemas.dataset.layout import config_record
from schemas.dataset.release import Fault
from schemas.dataset.split_files import Roles
from schemas.progress import Progress, silent
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer_file
from schemas.storage.tables import Record, hub_features


def check_release(
    folder: Path,
    release: ReleaseFile,
    texts: Mapping[str, str],
    *,
    progress: Progress = silent,
) -> Iterator[Fault]:
    """Every fault of a release folder whose top-level text files are to be `texts` (by name).

    Reads all rows once, a row group at a time, and decodes each distinct picture once.
    """
    yield from file_faults(folder, release)
    split_texts = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted((folder / "data" / "split").glob("*.json"))
    }
    yield from text_faults({**split_texts, ATTRIBUTION: read_readable(folder), **texts}, contact=release.card.contact)
    yield from card_faults(texts[README], release)
    yield from croissant_faults(folder, texts[CROISSANT], release)
    yield from _data_faults(folder, release, progress)


def _data_faults(folder: Path, release: ReleaseFile, progress: Progress) -> Iterator[Fault]:
    memory = RowMemory(release.summary.part, load_properties())
    pictures = PictureMemory()
    readable, roles = read_readable(folder), config_roles(folder)
    samples: dict[str, KnownSample] = {}
    rows: Counter[str] = Counter()
    configs = release.summary.configs
    # The text pairs hold every sample once, so they come first; the credits last.
    for number, config in enumerate(sorted(configs, key=lambda config: not config.name.endswith("_qa"))):
        progress("gate", number, len(configs))
        record = config_record(config.name, target=release.card.target)
        for file in config.files:
            if not (folder / file).is_file():
                continue  # said already
            schema_faults = list(_schema_faults(folder / file, file, record))
            yield from schema_faults
            if schema_faults:
                continue
            for row, contents in _rows(folder / file, file, config.name):
                rows[config.name] += 1
                yield from row_faults(row, record, memory)
                yield from picture_faults(row, contents, pictures)
                if config.name == "attribution":
                    yield from credit_faults(row, readable, pictures)
                elif row.text("sample_id"):
                    yield from _sample_faults(row, samples, roles)
        if rows[config.name] != config.rows:
            found = f"holds {rows[config.name]} rows, and release.json says {config.rows}"
            yield Fault(rule="count-rows", where=f"data/{config.name}", found=found)
    progress("gate", len(configs), len(configs))
    yield from uncredited(pictures)
    yield from split_faults(folder, samples, release.card.sensitive, part=release.summary.part)
    subjects = {sample.subject_id for sample in samples.values()}
    for name, counted, said in (
        ("samples", len(samples), release.summary.samples),
        ("subjects", len(subjects), release.summary.subjects),
        ("images", len(pictures.credited), release.summary.images),
    ):
        if counted != said:
            yield Fault(
                rule="count-totals", where="data", found=f"holds {counted} {name}, and release.json says {said}"
            )


def _sample_faults(
    row: GateRow, samples: dict[str, KnownSample], roles: Mapping[str, tuple[Roles, str]]
) -> Iterator[Fault]:
    """A sample that the training pairs lack, and a role that is not that of the split file."""
    name = row.text("sample_id")
    if row.config.startswith(TRAIN_PREFIX) and row.config.endswith("_qa"):
        samples[name] = KnownSample(row.text("subject_id"), row.text("sensitivity"))
    elif name not in samples:
        yield Fault(rule="row-sample", where=row.where, found=f"sample {name} has no training pair")
    elif samples[name].subject_id != row.text("subject_id"):
        found = f"sample {name} is of subject {samples[name].subject_id} elsewhere"
        yield Fault(rule="row-sample", where=row.where, found=found)
    if row.config in roles:
        split, wanted = roles[row.config]
        if (role := split.role(name, row.text("subject_id"))) != wanted:
            found = f"sample {name} has role {role or 'none'} in the split file"
            yield Fault(rule="row-role", where=row.where, found=found)


def _schema_faults(path: Path, place: str, record: type[Record]) -> Iterator[Fault]:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        pointer = is_pointer_file(path)
        found = f"{FOUND}; {ADVICE}" if pointer else f"is not Parquet ({' '.join(str(error).split())[:80]})"
        yield Fault(rule="file-damaged", where=place, found=found)
        return
    wanted = hub_features(record).arrow_schema
    for name in wanted.names:
        if name not in schema.names:
            yield Fault(rule="schema", where=f"{place}, column {name}", found="is missing")
        elif schema.field(name).type != wanted.field(name).type:
            kinds = f"is {schema.field(name).type}, not {wanted.field(name).type}"
            yield Fault(rule="schema", where=f"{place}, column {name}", found=kinds)
    for name in schema.names:
        if name not in wanted.names:
            yield Fault(rule="schema", where=f"{place}, column {name}", found="is not a column of this config")


def _rows(path: Path, place: str, config: str) -> Iterator[tuple[GateRow, dict[str, bytes]]]:
    """Rows with digests for pictures, and the pictures of their row group by digest."""
    schema = pq.read_schema(path)
    shown = [field.name for field in schema if pa.types.is_struct(field.type)]
    number = 0
    with pq.ParquetFile(path, read_dictionary=[f"{name}.bytes" for name in shown]) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            contents: dict[str, bytes] = {}
            digests = {name: _digests(table.column(name).combine_chunks(), contents) for name in shown}
            for index, cells in enumerate(table.drop_columns(shown).to_pylist()):
                pictures = {name: values[index] for name, values in digests.items()}
                yield GateRow(config, f"{place}, row {number}", cells, pictures), contents
                number += 1


def _digests(column: pa.StructArray, contents: dict[str, bytes]) -> list[str | None]:
    """The sha256 of each row's picture, None where there is none; `contents` gets the pictures."""
    values = column.field("bytes")
    known: list[str | None] = []
    for content in values.dictionary.to_pylist():
        digest = hashlib.sha256(content).hexdigest()
        contents[digest] = content
        known.append(digest)
    there = column.is_valid().to_pylist()
    return [
        known[index] if shown and index is not None else None
        for index, shown in zip(values.indices.to_pylist(), there, strict=True)
    ]
