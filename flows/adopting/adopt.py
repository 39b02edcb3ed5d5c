"""`ppubench adopt`: another benchmark as a dataset that unlearn, evaluate, study and report take."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from curation.export.adopted import write_adopted
from flows.resources.user_code import find_reader, is_own
from schemas.dataset.adopted_record import ADOPTED, AdoptedRecord
from schemas.errors import BadInput
from schemas.records.adopted import Adopted
from schemas.storage.artifacts import write_json
from sources.benchmarks.kinds import READERS, kind_of
from sources.benchmarks.raw_rows import BenchmarkFolder
from sources.hub.download import fetch_release, parse_hub_id
from sources.hub.published_layout import card_metadata

log = logging.getLogger(__name__)

README = "README.md"


def adopt(source: str, out: Path, *, kind: str | None = None) -> AdoptedRecord:
    """Write the benchmark of `source` (a folder, a clone, or a Hub id) as a dataset into the new folder `out`.

    `kind` names its reader, or FILE.py:NAME of a reader of the user's own; without it the files tell. The folder gets
    its name when all of it is written. Raises BadInput for what is no such
    benchmark, and for an `out` that holds files.
    """
    reader = _reader(kind)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"--out {out}", "exists already", "name a new folder")
    folder, named = _fetched(source)
    benchmark = BenchmarkFolder(folder)
    adopted = (reader or READERS[kind_of(benchmark)])(benchmark)
    part = out.with_name(f"{out.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        summary = write_adopted(part, adopted)
        record = AdoptedRecord(
            kind=adopted.kind,
            title=adopted.title,
            paper=adopted.paper,
            source=named,
            licence=_licence(folder),
            changes=adopted.changes,
            **summary.model_dump(),
        )
        (part / README).write_text(_card(record), encoding="utf-8")
        write_json(part / ADOPTED, record.model_dump(mode="json"))
        if out.exists():
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return record


def _reader(kind: str | None) -> Callable[[BenchmarkFolder], Adopted] | None:
    if kind is None:
        return None
    for name, reader in READERS.items():
        if kind == name:
            return reader
    if is_own(kind):
        return find_reader(kind)
    raise BadInput(f"--kind {kind}", "is no known benchmark", f"choose one of {', '.join(READERS)}, or FILE.py:NAME")


def _fetched(source: str) -> tuple[Path, str]:
    """The folder with the files, and what the record calls their source."""
    path = Path(source)
    if path.exists():
        return path, path.resolve().name
    wanted = parse_hub_id(source)
    if wanted is None:
        raise BadInput(source, "is neither a folder nor a Hub id", "name a clone, or an id such as locuslab/TOFU")
    log.info("%s: reading it from the Hub, or its cache", wanted)
    folder = fetch_release(wanted)
    return folder, f"{wanted.repo}@{folder.name}"


def _licence(folder: Path) -> str:
    """What the card's front matter says; "" where it says nothing."""
    stated = card_metadata(folder / README).get("license")
    return ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated or "")


def _card(record: AdoptedRecord) -> str:
    """The card: `datasets` loads the configs by it, and a reader learns what this is and is not."""
    configs = [
        {
            "config_name": name,
            "data_files": [
                {"split": "train" if name.startswith("train_pair_") else "test", "path": f"data/{name}/*.parquet"}
            ],
        }
        for name in sorted(record.rows)
    ]
    front = yaml.safe_dump({"license": record.licence or "unknown", "configs": configs}, sort_keys=False)
    paper = f" ([arXiv {record.paper}](https://arxiv.org/abs/{record.paper}))" if record.paper else ""
    licence = record.licence or "none stated, so it may be read here and not be published again"
    lines = [
        f"# {record.title}, adopted",
        "",
        f"{record.title}{paper}, from {record.source}, in the layout of ppubench. Licence of the source: {licence}.",
        f"{record.subjects:,} subjects, {record.samples:,} samples.",
        "",
        "## What is not as published",
        "",
        *(f"- {sentence}" for sentence in record.changes),
        *(f"- Left out: {count:,} x {reason}." for reason, count in record.left_out.items()),
    ]
    return f"---\n{front}---\n" + "\n".join(lines) + "\n"
