"""Read access to a build's folder across its batches: which stages have finished, and their rows, shard by shard."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from schemas.storage.artifacts import Manifest, read_manifest
from schemas.storage.tables import Record, read_columns, read_records
from schemas.vocabulary import STAGES, Stage

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Shard:
    """Some hundred subjects of one batch; the tables of most stages are cut the same way."""

    batch: int
    number: int


@dataclass(frozen=True)
class BuildTables:
    """The finished artifacts of a build: `<root>/<stage>/<batch>/`."""

    root: Path

    def manifests(self, stage: Stage) -> list[Manifest]:
        """Of the finished batches of a stage, in order."""
        places = [path for path in (self.root / stage).glob("*") if path.name.isdigit()]
        found = (read_manifest(path) for path in sorted(places, key=lambda path: int(path.name)))
        return [manifest for manifest in found if manifest is not None]

    def missing(self) -> tuple[Stage, ...]:
        """Stages without a finished artifact for every batch of subjects."""
        batches = {manifest.batch for manifest in self.manifests("select")} or {0}
        return tuple(stage for stage in STAGES if not batches <= {manifest.batch for manifest in self.manifests(stage)})

    def shards(self) -> list[Shard]:
        """The shards that the selections cut the subjects into, in order."""
        return [
            Shard(manifest.batch, number)
            for manifest in self.manifests("select")
            for number in range(sum(entry.path.startswith("subjects-") for entry in manifest.files))
        ]

    def rows(self, stage: Stage, table: str, record: type[R], shard: Shard | None = None) -> Iterator[R]:
        """Rows of a table: of one shard, or of all batches in order. Nothing of a stage that has not finished."""
        for path in self._files(stage, table, shard):
            yield from read_records(path, record)

    def columns(self, stage: Stage, table: str, record: type[Record], columns: list[str]) -> Iterator[pa.Table]:
        """Some columns of a table's files, for tables whose whole rows would be slow."""
        for path in self._files(stage, table, None):
            yield read_columns(path, record, columns)

    def _files(self, stage: Stage, table: str, shard: Shard | None) -> list[Path]:
        found: list[Path] = []
        for manifest in self.manifests(stage):
            if shard is not None and manifest.batch != shard.batch:
                continue
            folder = self.root / stage / str(manifest.batch)
            ending = "*" if shard is None else f"{shard.number:05d}"
            found += sorted(folder.glob(f"{table}-{ending}.parquet"))
        return found
