"""Which pictures of whom lie on the embedded world's Commons: four clean views a person, and planted dirt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sources.sandbox.people.roster import EXTRA, FEW_VIEWS, NAMESAKE, NO_IMAGES, NO_STATEMENTS, Person

PlantKind = Literal[
    "exact_duplicate", "recompressed", "resized", "brighter", "shared_file", "shared_copy", "too_small", "truncated",
    "fake_jpeg", "pdf", "unlicensed", "noncommercial", "animated", "empty", "missing_file", "cmyk", "alpha", "rotated",
    "personality",
]  # fmt: skip
Encoding = Literal[
    "jpeg", "recompressed", "resized", "brighter", "tiny", "truncated", "text", "pdf", "animated", "empty", "cmyk",
    "alpha", "rotated",
]  # fmt: skip
LicenceKey = Literal["by-sa", "by", "zero", "public-domain", "by-nc", "none"]

ROUND: tuple[PlantKind, ...] = (
    "exact_duplicate", "too_small", "recompressed", "unlicensed", "resized", "shared_file", "truncated", "brighter",
    "fake_jpeg", "shared_copy", "noncommercial", "animated", "missing_file", "pdf", "empty",
)  # fmt: skip
"""Subjects draw from this round in turn: four each for the first four, then two, three, four or one."""
LAST_SCREENED_VIEW = 6
"""Views up to this one reach the search for duplicates; what shows a later one is left out before."""
CLEAN_FILE_KINDS: tuple[Encoding, ...] = ("jpeg", "alpha")
"""Encodings by which the file names of clean views differ."""
CLEAN_LICENCES: tuple[LicenceKey, ...] = ("by-sa", "by", "zero", "public-domain", "by-sa")
EXPECTED: Mapping[PlantKind, tuple[str, ...]] = {
    "exact_duplicate": ("duplicate_same_subject",),
    "recompressed": ("duplicate_same_subject",),
    "resized": ("duplicate_same_subject",),
    "brighter": ("duplicate_same_subject",),
    "shared_file": ("duplicate_other_subject",),
    "shared_copy": ("duplicate_other_subject",),
    "too_small": ("too_small",),
    "truncated": ("broken_file",),
    "fake_jpeg": ("broken_file", "not_an_image"),
    "pdf": ("not_an_image",),
    "unlicensed": ("licence_missing",),
    "noncommercial": ("licence_not_free",),
    "animated": ("animated", "not_an_image"),
    "empty": ("broken_file", "download_failed"),
    "missing_file": ("file_missing",),
    "cmyk": (),
    "alpha": (),
    "rotated": (),
    "personality": (),
}
"""Drop reasons with which a pipeline may leave a planted picture out; none where it must be kept."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file on Commons: what is drawn on it, how it is encoded, and what its page says. `view` 1-4 are clean views."""

    title: str
    page_id: int
    owner: int
    """Index of the person who is drawn."""
    view: int
    encoding: Encoding
    mime: str
    licence: LicenceKey
    timestamp: str
    description: str
    artist: str
    restrictions: str = ""


@dataclass(frozen=True, slots=True)
class Plant:
    """One piece of planted dirt. `original` is the clean title that it repeats, or ""."""

    kind: PlantKind
    title: str
    subject: str
    """QID of the person under whom it is filed."""
    original: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """All pictures by title, the titles of each category and of each depicted person, and what was planted."""

    pictures: Mapping[str, Picture]
    categories: Mapping[str, tuple[str, ...]]
    depicts: Mapping[str, tuple[str, ...]]
    portraits: Mapping[str, tuple[str, ...]]
    """Titles of each person's P18 statements; one of them may not exist."""
    plants: tuple[Plant, ...]


def file_base(person: Person) -> str:
    """Name of the person's category and beginning of their file names: no slash, and unlike the namesake's."""
    name = person.name.replace("/", "-")
    return f"{name} ({person.qid})" if person.qid == NAMESAKE else name


def clean_title(person: Person, view: int, encoding: Encoding = "jpeg") -> str:
    """File name of a clean view (1-4); in this order the views are told apart by title."""
    return f"{file_base(person)} {view}.{'png' if encoding == 'alpha' else 'jpg'}"


def _clean_encoding(person: Person, view: int) -> Encoding:
    if view != 3 or person.qid in EXTRA:
        return "jpeg"
    kinds: dict[int, Encoding] = {0: "cmyk", 1: "alpha", 2: "rotated"}
    return kinds.get(person.index % 8, "jpeg")


class _Album:
    """A gallery in the making."""

    def __init__(self) -> None:
        self.pictures: dict[str, Picture] = {}
        self.categories: dict[str, list[str]] = {}
        self.depicts: dict[str, list[str]] = {}
        self.portraits: dict[str, list[str]] = {}
        self.plants: list[Plant] = []

    def add(self, picture: Picture) -> Picture:
        picture = replace(picture, page_id=60_000_001 + len(self.pictures))
        self.pictures[picture.title] = picture
        return picture

    def file_in_category(self, person: Person, title: str) -> None:
        self.categories.setdefault(file_base(person), []).append(title)

    def file_as_depicting(self, person: Person, title: str) -> None:
        self.depicts.setdefault(person.qid, []).append(title)

    def plant(self, kind: PlantKind, person: Person, title: str, original: str = "") -> None:
        self.plants.append(Plant(kind, title, person.qid, original, EXPECTED[kind]))


def _artist(person: Person, view: int) -> str:
    studios = ("Studio Halvorsen", "Ina Petrel", "Harbour Press Agency", "Wim Adelaar", "Foto Quist", "Lena Oxley")
    return studios[(3 * person.index + view) % len(studios)]


def _clean(album: _Album, person: Person, views: int) -> list[Picture]:
    found = []
    for view in range(1, views + 1):
        encoding = _clean_encoding(person, view)
        personal = person.index == 3 and view == 3
        picture = album.add(
            Picture(
                title=clean_title(person, view, encoding),
                page_id=0,
                owner=person.index,
                view=view,
                encoding=encoding,
                mime="image/png" if encoding == "alpha" else "image/jpeg",
                licence=CLEAN_LICENCES[(person.index + view) % len(CLEAN_LICENCES)],
                timestamp=f"2024-0{view}-{1 + person.index % 28:02d}T10:00:00Z",
                description=f"Portrait of {person.name}, sitting {view}",
                artist=_artist(person, view),
                restrictions="personality" if personal else "",
            )
        )
        found.append(picture)
        if encoding == "cmyk" or encoding == "alpha" or encoding == "rotated":
            album.plant(encoding, person, picture.title)
        if personal:
            album.plant("personality", person, picture.title)
        if view == 1:
            album.portraits[person.qid] = [picture.title]
        if view == 4 and person.index % 2:
            album.file_as_depicting(person, picture.title)
        else:
            album.file_in_category(person, picture.title)
    return found


_COPIES: Mapping[PlantKind, tuple[Encoding, int, str]] = {
    "exact_duplicate": ("jpeg", 2, "backup copy"),
    "recompressed": ("recompressed", 4, "from the web"),
    "resized": ("resized", 1, "thumbnail"),
    "brighter": ("brighter", 2, "retouched"),
}
_NEW: Mapping[PlantKind, tuple[Encoding, int, str, str]] = {
    "too_small": ("tiny", 7, "badge.jpg", "image/jpeg"),
    "truncated": ("truncated", 8, "interrupted upload.jpg", "image/jpeg"),
    "fake_jpeg": ("text", 0, "press note.jpg", "image/jpeg"),
    "pdf": ("pdf", 0, "curriculum vitae.pdf", "application/pdf"),
    "unlicensed": ("jpeg", 9, "unknown source.jpg", "image/jpeg"),
    "noncommercial": ("jpeg", 10, "agency picture.jpg", "image/jpeg"),
    "animated": ("animated", 11, "waving.gif", "image/gif"),
    "empty": ("empty", 0, "lost upload.jpg", "image/jpeg"),
}


def _dirty(album: _Album, kind: PlantKind, person: Person, other: Person, clean: Sequence[Picture]) -> None:
    """Plant one piece of dirt under a person; `other` is the subject whom shared pictures are filed under as well."""
    base = file_base(person)
    if kind in _COPIES:
        encoding, view, words = _COPIES[kind]
        original = clean[view - 1]
        later = original.timestamp.replace("2024", "2025")
        album.add(replace(original, title=f"{base} {words}.jpg", encoding=encoding, timestamp=later, restrictions=""))
        album.file_in_category(person, f"{base} {words}.jpg")
        album.plant(kind, person, f"{base} {words}.jpg", original.title)
    elif kind in _NEW:
        encoding, view, words, mime = _NEW[kind]
        licence: LicenceKey = (
            "none" if kind == "unlicensed" else "by-nc" if kind == "noncommercial" else clean[0].licence
        )
        title = f"{base} {words}"
        album.add(replace(clean[0], title=title, view=view, encoding=encoding, mime=mime, licence=licence))
        album.file_in_category(person, title)
        album.plant(kind, person, title)
    elif kind == "missing_file":
        title = f"{base} official portrait (lost).jpg"
        album.portraits[person.qid].append(title)
        album.plant(kind, person, title)
    else:
        shared = album.add(replace(clean[0], title=f"{base} at a reception.jpg", view=5 + (kind == "shared_copy")))
        album.file_as_depicting(person, shared.title)
        title = shared.title
        if kind == "shared_copy":
            title = f"{file_base(other)} with a friend.jpg"
            album.add(replace(shared, title=title, encoding="recompressed", timestamp="2025-06-01T10:00:00Z"))
        album.file_as_depicting(other, title)
        album.plant(kind, other, title, shared.title)


def make_gallery(roster: Sequence[Person]) -> Gallery:
    """Pictures of everybody in the roster; dirt is planted under the subjects only."""
    album = _Album()
    subjects = [person for person in roster if person.qid not in EXTRA]
    clean = {
        person.qid: _clean(album, person, 2 if person.qid == FEW_VIEWS else 4)
        for person in roster
        if person.qid not in (NO_IMAGES, NO_STATEMENTS)
    }
    cursor = 0
    for person in subjects:
        # Only those whose four views all lie in their category: a shared picture then sorts after the clean views.
        others = [each for each in subjects if each.index % 2 == 0 and each is not person]
        other = others[(person.index + 1) // 2 % len(others)]
        for _ in range(4 if person.index < 4 else 1 + person.index % 4):
            _dirty(album, ROUND[cursor % len(ROUND)], person, other, clean[person.qid])
            cursor += 1
    return Gallery(
        album.pictures,
        {name: tuple(sorted(titles)) for name, titles in album.categories.items()},
        {qid: tuple(sorted(titles)) for qid, titles in album.depicts.items()},
        {qid: tuple(titles) for qid, titles in album.portraits.items()},
        tuple(album.plants),
    )
