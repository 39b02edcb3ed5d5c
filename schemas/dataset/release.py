"""What an exported release holds, counted while it is written: for its card, its manifest and its gate."""

from typing import Literal

from schemas.storage.tables import Record
from schemas.vocabulary import Role, Setting

Part = Literal["all", "open", "gated"]
"""Which facts an export takes: all, those outside gated classes, or those of gated classes."""


class ConfigSummary(Record):
    """One config of the dataset; it has at least one row, since `datasets` cannot load an empty one."""

    name: str
    split: Literal["train", "test"]
    rows: int
    files: tuple[str, ...]
    """Relative to the release folder, with forward slashes."""
    bytes: int


class RoleCount(Record):
    """Samples and subjects of one role under a setting (and ratio, for complete)."""

    setting: Setting
    ratio: int | None
    role: Role
    samples: int
    subjects: int


class NamedCount(Record):
    """How often something of that name occurs."""

    name: str
    count: int


class ReleaseSummary(Record):
    """Counts of a release. `samples` are known facts; each is asked in two modalities and three tasks."""

    part: Part
    subjects: int
    living: int
    candidates: int
    """Facts asked of the target."""
    samples: int
    picture_samples: int
    """Samples whose subject has the training picture, so that they are asked in `text_image` too."""
    images: int
    subjects_without_views: int
    """Subjects left out of image configs because a view is missing."""
    configs: tuple[ConfigSummary, ...]
    roles: tuple[RoleCount, ...]
    properties: tuple[NamedCount, ...]
    sensitivities: tuple[NamedCount, ...]
    occupation_groups: tuple[NamedCount, ...]
    licences: tuple[NamedCount, ...]
    attacks: tuple[NamedCount, ...]
    """Attack prompts by author."""


class Fault(Record):
    """Something that must not be published, found by the gate."""

    rule: str
    where: str
    """File, and row or line where there is one."""
    found: str

    def line(self) -> str:
        """One line for people."""
        return " ".join(f"{self.rule}: {self.where}: {self.found}".split())


class RoleChange(Record):
    """A sample that is in two releases with different roles under one setting."""

    sample_id: str
    setting: Setting
    ratio: int | None
    before: Role | Literal["none"]
    after: Role | Literal["none"]


class Changes(Record):
    """Names that one release has and the other lacks, and those of which something differs."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class ReleaseDiff(Record):
    """What differs between two releases, from the first to the second."""

    subjects: Changes
    facts: Changes
    """By sample_id; of every candidate fact where both say, else of the known ones. Changed: another answer."""
    samples: Changes
    """Known facts. Changed: another question or answer of the target."""
    roles: tuple[RoleChange, ...]
    """Of samples that both have."""
    rows: dict[str, tuple[int, int]]
    """Rows by config in the first and in the second, where they differ."""
    counts: dict[str, tuple[int, int]]
    """Totals by name in the first and in the second."""

    @property
    def same(self) -> bool:
        return not (self.subjects or self.facts or self.samples or self.roles or self.rows)


class PublishedRepo(Record):
    """What publishing one part did, or would do."""

    repo: str
    part: Part
    status: Literal["new", "changed", "unchanged"]
    version: str
    revision: str | None
    """Commit of the release; None for a dry run that would make one."""
    added: tuple[str, ...] = ()
    """Files."""
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    bytes: int = 0
    """Of the files added and changed; what the Hub holds already is not sent again."""
    rows: int = 0
    verified_rows: int | None = None
    """Rows read back from the Hub, all equal to the build's; None for a dry run."""
    diff: ReleaseDiff | None = None
    """From the release that was there; None if there was none."""


class PublishReport(Record):
    """What became of it. With faults nothing was written."""

    dry_run: bool
    faults: tuple[Fault, ...] = ()
    repos: tuple[PublishedRepo, ...] = ()
    refused: str = ""
    """Why a real run would not go on, in one line; "" if it would."""
