"""The gate's rules about files: which may be there, what their text may hold, and what the card and Croissant say."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from curation.card.card import BEGIN, END, PLACEHOLDER
from curation.card.metadata_files import CROISSANT, README, RELEASE, ReleaseFile
from curation.publish_gate.forbidden_text import forbidden
from schemas.dataset.release import Fault
from schemas.storage.tables import file_sha256

ATTRIBUTION = "ATTRIBUTION.md"
TOP_FILES = frozenset({README, RELEASE, CROISSANT, ATTRIBUTION})
_DATA_FILE = re.compile(r"data/[a-z0-9_]+/(?:train|test)(?:-batch\d{3})?-(\d{5})-of-(\d{5})\.parquet")
_SPLIT_FILE = re.compile(r"data/split/(?:complete|selective|persona)_split\.json")
_MOST_BYTES = 5_000_000_000
"""Of one file; larger ones make a release hard to load in parts."""


def file_faults(folder: Path, release: ReleaseFile) -> Iterator[Fault]:
    """Files that are missing, that do not belong in a release, or that are links out of it."""
    listed = {file for config in release.summary.configs for file in config.files}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield Fault(rule="file-link", where=place, found="is a link; a release holds files alone")
        elif path.is_dir():
            continue
        elif place not in TOP_FILES and not _SPLIT_FILE.fullmatch(place) and place not in listed:
            named = "is in no config of release.json" if _DATA_FILE.fullmatch(place) else "does not belong in a release"
            yield Fault(rule="file-stray", where=place, found=named)
        elif path.stat().st_size > _MOST_BYTES:
            yield Fault(rule="file-size", where=place, found=f"is larger than {_MOST_BYTES:,} bytes")
    for place in sorted(listed | TOP_FILES):
        if not (folder / place).is_file():
            yield Fault(rule="file-missing", where=place, found="is not there")
        elif place in listed and not _DATA_FILE.fullmatch(place):
            yield Fault(rule="file-name", where=place, found="is not data/<config>/<split>-NNNNN-of-NNNNN.parquet")


def text_faults(texts: Mapping[str, str], *, contact: str) -> Iterator[Fault]:
    """Tokens, local places and contact data in text files; the take-down contact of the card is meant to be there."""
    for place, text in sorted(texts.items()):
        for number, line in enumerate(text.splitlines(), start=1):
            cleaned = line.replace(contact, "") if contact else line
            for rule, found in forbidden(cleaned, contact=place != ATTRIBUTION):
                yield Fault(rule=rule, where=f"{place}, line {number}", found=found)


def card_faults(card: str, release: ReleaseFile) -> Iterator[Fault]:
    """What the card lacks: markers, YAML that says what there is, a contact, and terms where the part is gated."""

    def fault(rule: str, found: str) -> Fault:
        return Fault(rule=rule, where=README, found=found)

    if card.count(BEGIN) != 1 or card.count(END) != 1:
        yield fault("card-markers", "lacks the two marker lines of ppubench")
    front = card.removeprefix("---\n").partition("\n---\n")[0] if card.startswith("---\n") else ""
    try:
        found = yaml.safe_load(front)
    except yaml.YAMLError as error:
        yield fault("card-yaml", f"the front matter is not YAML ({' '.join(str(error).split())[:80]})")
        return
    if not isinstance(found, dict):
        yield fault("card-yaml", "has no front matter")
        return
    wanted = {config.name for config in release.summary.configs}
    for key in ("configs", "dataset_info"):
        named = {str(entry.get("config_name")) for entry in found.get(key) or [] if isinstance(entry, dict)}
        for config in sorted(wanted ^ named):
            yield fault("card-configs", f"{key} {'lacks' if config in wanted else 'names'} config {config}")
    rows = {config.name: config.rows for config in release.summary.configs}
    for entry in found.get("dataset_info") or []:
        for split in entry.get("splits") or []:
            if entry.get("config_name") in rows and split.get("num_examples") != rows[entry["config_name"]]:
                yield fault(
                    "card-rows", f"dataset_info says {split.get('num_examples')} rows of {entry['config_name']}"
                )
    for key in ("license", "language", "size_categories", "task_categories", "pretty_name"):
        if not found.get(key):
            yield fault("card-yaml", f"key {key} is missing")
    if release.summary.part == "gated" and not found.get("extra_gated_prompt"):
        yield fault("card-gated", "the gated part asks for no terms (extra_gated_prompt)")
    if not release.card.contact.strip() or release.card.contact.strip() not in card:
        yield fault("card-contact", "names no take-down contact; set export.contact in the recipe, or --contact")
    if PLACEHOLDER in card:
        yield fault("card-place", f"still says {PLACEHOLDER}")
    for heading in ("## Loading", "## Licences", "## Intended use", "## Risks", "## Take-down", "## Citation"):
        if heading not in card:
            yield fault("card-section", f"has no section {heading.removeprefix('## ')}")


def croissant_faults(folder: Path, text: str, release: ReleaseFile) -> Iterator[Fault]:
    """Files that croissant.json leaves out, or of which it gives another sha256."""
    try:
        described = {str(each["@id"]): str(each["sha256"]) for each in json.loads(text)["distribution"]}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        yield Fault(rule="croissant", where=CROISSANT, found=f"is not Croissant metadata ({error!r})")
        return
    for config in release.summary.configs:
        for file in config.files:
            if not (folder / file).is_file():
                continue  # said already
            if described.get(file) != file_sha256(folder / file):
                yield Fault(rule="croissant", where=f"{CROISSANT}, {file}", found="has another sha256, or none")
