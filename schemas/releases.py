"""What an exported release holds, counted while it is written: for its card, its manifest and its gate."""

from typing import Literal

from schemas.tables import Record
from schemas.words import Role, Setting

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
