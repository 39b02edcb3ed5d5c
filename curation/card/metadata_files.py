"""The text files at the top of a release that speak of all its data: README.md, release.json and croissant.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
from pydantic import ValidationError

from curation.card.card import CardFacts, render_card
from curation.card.croissant import croissant
from schemas.dataset.release import ReleaseSummary
from schemas.errors import BadInput
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer_file
from schemas.storage.tables import Record, file_sha256

README, RELEASE, CROISSANT = "README.md", "release.json", "croissant.json"


class ReleaseFile(Record):
    """release.json: what a release says of itself for programs; its card is written from it."""

    format: Literal[1] = 1
    summary: ReleaseSummary
    card: CardFacts


def release_texts(folder: Path, release: ReleaseFile, *, previous: str | None) -> dict[str, str]:
    """The text files of the release whose data files lie in `folder`; hand-written parts of `previous` stay."""
    files = [file for config in release.summary.configs for file in config.files]
    hashes = {file: file_sha256(folder / file) for file in files}
    sizes = {
        config.name: sum(_decoded_bytes(folder / file) for file in config.files) for config in release.summary.configs
    }
    unsaid = {"review"} if release.card.review is None else set()  # as releases were before there were reviews
    ld = croissant(release.summary, release.card, hashes=hashes)
    return {
        README: render_card(release.summary, release.card, previous=previous, sizes=sizes),
        RELEASE: _json(release.model_dump(mode="json", exclude={"card": unsaid})),
        CROISSANT: _json(ld),
    }


def read_release(folder: Path) -> ReleaseFile:
    """The release.json of a release folder; raises BadInput if it is missing or damaged."""
    path = folder / RELEASE
    if not path.is_file():
        raise BadInput(str(path), "no such file", "export the build again (ppubench export BUILD)")
    if is_pointer_file(path):
        raise BadInput(str(path), FOUND, ADVICE)
    return parse_release(path.read_text(encoding="utf-8", errors="replace"), str(path))


def parse_release(text: str, where: str) -> ReleaseFile:
    """The same from its text."""
    try:
        return ReleaseFile.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(where, f"is not a release file ({place}: {first['msg']})", "export the build again") from error


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def _decoded_bytes(path: Path) -> int:
    """Bytes of a data file without compression."""
    metadata = pq.read_metadata(path)
    return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
