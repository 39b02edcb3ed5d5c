"""The one reader of exported dataset folders: configs, files, rows and pictures, with published columns or ours."""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BadInput
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer, is_pointer_file

TRAIN_PREFIX = "train_pair_"
PICTURE_PIXELS = 64_000_000
"""A picture of more pixels is refused before it is decoded."""
_BATCH = 200
_AGAIN = "export or fetch the dataset again"


@dataclass(frozen=True)
class HubRow:
    """One row of a config, with the file and row number that error messages name. Columns it lacks are empty."""

    where: str
    cells: Mapping[str, object]

    def text(self, name: str) -> str:
        """A cell as text; "" where it is null or missing."""
        value = self.cells.get(name)
        return "" if value is None else str(value)

    def optional(self, name: str) -> str | None:
        """A cell as text; None where it is null or missing."""
        value = self.cells.get(name)
        return None if value is None else str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list cell as texts; empty where it is null or missing."""
        value = self.cells.get(name)
        return tuple(str(each) for each in value) if isinstance(value, list) else ()


class Pictures:
    """The pictures of a dataset's rows: equal ones share their bytes, and each is decoded once to see that it can."""

    def __init__(self, hub: Path) -> None:
        self._hub = hub
        self._kept: dict[bytes, bytes] = {}

    def of(self, row: HubRow, column: str) -> bytes:
        """The encoded picture of a row's column. Raises BadInput naming file and row if it is missing or broken."""
        content = self._content(row, column)
        if not content:
            raise BadInput(
                f"{row.where}, column {column}", "holds no picture", "fetch the dataset with its pictures embedded"
            )
        key = hashlib.sha256(content).digest()
        if key not in self._kept:
            if is_pointer(content):
                raise BadInput(f"{row.where}, column {column}", FOUND, ADVICE)
            if reason := undecodable(content):
                raise BadInput(f"{row.where}, column {column}", f"the picture does not decode ({reason})", _AGAIN)
            self._kept[key] = content
        return self._kept[key]

    def _content(self, row: HubRow, column: str) -> bytes | None:
        value = row.cells.get(column)
        content = value.get("bytes") if isinstance(value, dict) else None
        if content is None and column == "image":
            content = row.cells.get("image_bytes")
            path = row.cells.get("image_path")
            if content is None and isinstance(path, str) and not os.path.normpath(path).startswith(("..", "/")):
                file = self._hub / path
                content = file.read_bytes() if file.is_file() else None
        return content if isinstance(content, bytes) else None


def undecodable(content: bytes) -> str | None:
    """Why a picture cannot be decoded, in a few words, or None if it can."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > PICTURE_PIXELS:
                return f"{image.width} x {image.height} pixels are too many"
            image.draft("L", (64, 64))  # a JPEG is decoded at an eighth of its size, which reads all of its bytes
            image.load()
    except UnidentifiedImageError:
        return "it is of no known format"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def dataset_folder(path: Path) -> Path:
    """The folder that holds `data/`: the path itself, or `hub/` of a build."""
    for candidate in (path / "hub", path):
        if (candidate / "data").is_dir():
            return candidate
    found = "has no data/ or hub/data/ folder" if path.is_dir() else "is not a folder"
    raise BadInput(str(path), found, "name a finished build (ppubench build) or an exported dataset")


def config_names(hub: Path) -> list[str]:
    """Names of the configs that have Parquet files, sorted."""
    return sorted({file.parent.name for file in (hub / "data").glob("*/*.parquet")})


def config_files(hub: Path, config: str) -> list[Path]:
    """Parquet files of one config, in order; raises BadInput, naming the configs there are, if there are none."""
    files = sorted((hub / "data" / config).glob("*.parquet"))
    if not files:
        advice = f"the dataset has {', '.join(config_names(hub)) or 'no config at all'}"
        raise BadInput(f"{hub}/data/{config}", "has no Parquet files", advice)
    return files


def damaged(file: Path, error: Exception) -> BadInput:
    """The problem of a Parquet file that cannot be read, with what mends it."""
    if is_pointer_file(file):
        return BadInput(str(file), FOUND, ADVICE)
    empty = file.is_file() and not file.stat().st_size
    found = "cannot be read (it is empty)" if empty else f"cannot be read ({' '.join(str(error).split())[:200]})"
    return BadInput(str(file), found, _AGAIN)


def row_count(file: Path) -> int:
    """Rows of a Parquet file. Raises BadInput, naming the file, for one that is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged(file, error) from error


def column_names(file: Path) -> list[str]:
    """Columns of a Parquet file. Raises BadInput, naming the file, for one that is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged(file, error) from error


def training_targets(hub: Path) -> list[str]:
    """Short names of the targets of whom the dataset has training pairs, sorted.

    A dataset of text pairs alone has only `train_pair_<target>_qa`.
    """
    names = {name.removeprefix(TRAIN_PREFIX) for name in config_names(hub) if name.startswith(TRAIN_PREFIX)}
    return sorted({name.removesuffix("_qa") for name in names})


def no_such_target(hub: Path) -> BadInput:
    """The problem of a target that the dataset lacks, or of several of which none was named."""
    targets = training_targets(hub)
    found = f"has training pairs of {', '.join(targets) or 'no target'}"
    return BadInput(f"{hub}/data", found, "name one of them as the target" if targets else "export the dataset again")


def read_rows(
    file: Path, *, needed: Sequence[str], optional: Sequence[str] = (), picture: str | None = None
) -> Iterator[HubRow]:
    """Rows of a Parquet file with these columns alone; columns beyond them are not read, and may be there.

    The published data calls `sample_id` also `id`. `picture` is a column of pictures ("image", "image_002", …), which
    may come as `image_bytes` or `image_path` instead. Raises BadInput naming the file and the column that is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged(file, error) from error
    with source:
        present = source.schema_arrow.names
        renamed = "sample_id" not in present and "id" in present
        wanted = ["id" if renamed and name == "sample_id" else name for name in (*needed, *optional)]
        pictures = [name for name in (picture, "image_bytes", "image_path") if picture and name and name in present]
        lacking = [name for name in wanted if name not in present and name not in optional]
        if picture and not pictures:
            lacking.append(picture)
        if lacking:
            raise BadInput(f"{file}, column {lacking[0]}", "is missing", _AGAIN)
        columns = list(dict.fromkeys([*(name for name in wanted if name in present), *pictures]))
        number = 0
        try:
            for batch in source.iter_batches(batch_size=_BATCH, columns=columns):
                for cells in batch.to_pylist():
                    if renamed:
                        cells["sample_id"] = cells["id"]
                    yield HubRow(f"{file}, row {number}", cells)
                    number += 1
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(file, error) from error
