"""The gate's rules about pictures: each decodes, is credited under a free licence, and shows one subject once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curation.card.attribution import credit_keys
from curation.images.licences import licence_problem
from curation.publish_gate.rows import GateRow
from schemas.dataset.folder import undecodable
from schemas.dataset.release import Fault
from schemas.records.build_rows import Licence

IMAGE_VIEWS = {"image": "001", "image_002": "002", "image_003": "003", "image_004": "004"}


@dataclass
class PictureMemory:
    """What has been seen of pictures and credits; digests and ids only."""

    decoded: set[str] = field(default_factory=set)
    owner: dict[str, str] = field(default_factory=dict)
    """Subject id by digest of a picture."""
    shown: dict[tuple[str, str], str] = field(default_factory=dict)
    """Where a (subject id, view) was first shown."""
    digest: dict[tuple[str, str], str] = field(default_factory=dict)
    """Digest of a (subject id, view)."""
    credited: dict[tuple[str, str], str] = field(default_factory=dict)
    """Where a (subject id, view) is credited."""


def picture_faults(row: GateRow, contents: Mapping[str, bytes], memory: PictureMemory) -> Iterator[Fault]:
    """Faults of the pictures that a row shows; `contents` gives the bytes of those by digest."""
    subject = row.text("subject_id")
    for column, digest in row.pictures.items():
        if digest is None:
            continue
        if digest not in memory.decoded:
            memory.decoded.add(digest)
            if reason := undecodable(contents[digest]):
                yield Fault(rule="picture-broken", where=row.where, found=f"column {column} does not decode ({reason})")
        other = memory.owner.setdefault(digest, subject)
        if other != subject:
            yield Fault(
                rule="picture-shared", where=row.where, found=f"column {column} shows subject {other}'s picture"
            )
        place = subject, IMAGE_VIEWS.get(column, "001")
        memory.shown.setdefault(place, row.where)
        if memory.digest.setdefault(place, digest) != digest:
            yield Fault(
                rule="picture-view", where=row.where, found=f"view {place[1]} of subject {subject} is another one"
            )
    views = [digest for digest in row.pictures.values() if digest is not None]
    if len(set(views)) < len(views):
        yield Fault(
            rule="picture-view", where=row.where, found="two views are the same picture, so one leaks the other"
        )


def credit_faults(row: GateRow, readable: str, memory: PictureMemory) -> Iterator[Fault]:
    """Faults of a row of the `attribution` config; `readable` is the text of ATTRIBUTION.md."""
    place = row.text("subject_id"), row.text("view")
    memory.credited[place] = row.where
    licence = Licence(
        short_name=row.text("license"),
        code="",
        url=row.text("license_url"),
        usage_terms="",
        artist=row.text("artist"),
        credit=row.text("credit"),
        attribution=row.text("attribution"),
        attribution_required=True,
        restrictions=row.text("restrictions"),
        non_free=False,
    )
    if problem := licence_problem(licence):
        found = f"view {place[1]} of subject {place[0]} has no free licence ({problem.detail or problem.reason})"
        yield Fault(rule="picture-licence", where=row.where, found=found)
    free_of_credit = row.text("license").casefold().startswith(("cc0", "public domain", "pd", "no restrictions"))
    if not free_of_credit:
        for name in ("attribution", "description_url", "license_url"):
            if not row.text(name).strip():
                found = f"{row.text('license')} asks for a credit, and column {name} is empty"
                yield Fault(rule="picture-attribution", where=row.where, found=found)
    if not any(key in readable for key in credit_keys(row.text("view"), row.text("title"))):
        found = f"view {place[1]} of subject {place[0]} is not in ATTRIBUTION.md"
        yield Fault(rule="picture-readable", where=row.where, found=found)


def uncredited(memory: PictureMemory) -> Iterator[Fault]:
    """Pictures that are shown without a row of credit, once all rows are read."""
    for place in sorted(memory.shown.keys() - memory.credited.keys()):
        found = f"view {place[1]} of subject {place[0]} has no row in the attribution config"
        yield Fault(rule="picture-uncredited", where=memory.shown[place], found=found)


def read_readable(folder: Path) -> str:
    """The text of ATTRIBUTION.md, or "" where it is missing."""
    path = folder / "ATTRIBUTION.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
