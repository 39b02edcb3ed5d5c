"""Counts of a release, taken subject by subject while it is written."""

from collections import Counter
from collections.abc import Iterable

from curation.export.rows import SubjectIndex, has_cross_views
from schemas.dataset.release import ConfigSummary, NamedCount, Part, ReleaseSummary, RoleCount
from schemas.records.build_rows import Assignment
from schemas.vocabulary import SETTINGS, Role, Setting

RoleKey = tuple[Setting, int | None, Role]


class ReleaseTally:
    """Running counts; grows with the number of properties and licences, not of subjects."""

    def __init__(self) -> None:
        self._totals: Counter[str] = Counter()
        self._role_samples: Counter[RoleKey] = Counter()
        self._role_subjects: Counter[RoleKey] = Counter()
        self._properties: Counter[str] = Counter()
        self._sensitivities: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()
        self._licences: Counter[str] = Counter()
        self._authors: Counter[str] = Counter()

    @property
    def samples(self) -> int:
        """Known facts so far."""
        return self._totals["samples"]

    def add(self, index: SubjectIndex, assignments: Iterable[Assignment]) -> None:
        """Count one subject; `assignments` are those of its known facts."""
        self._totals["subjects"] += 1
        self._totals["living"] += index.subject.living
        self._totals["candidates"] += len(index.candidates)
        self._totals["samples"] += len(index.known)
        self._totals["picture_samples"] += len(index.known) if "001" in index.portraits else 0
        self._totals["images"] += len(index.portraits)
        self._totals["without_views"] += not has_cross_views(index)
        self._groups[index.subject.occupation_group] += 1
        self._properties.update(fact.property_label for fact in index.known)
        self._sensitivities.update(fact.sensitivity for fact in index.known)
        self._licences.update(portrait.licence.short_name or "none stated" for portrait in index.portraits.values())
        known = {fact.sample_id for fact in index.known}
        self._authors.update(row.author for row in index.attacks.values() if row.sample_id in known)
        keys: list[RoleKey] = [(row.setting, row.ratio, row.role) for row in assignments]
        self._role_samples.update(keys)
        self._role_subjects.update(set(keys))

    def summary(self, part: Part, configs: Iterable[ConfigSummary]) -> ReleaseSummary:
        """The counts so far, with the configs that were written."""
        order = sorted(self._role_samples, key=lambda key: (SETTINGS.index(key[0]), key[1] or 0, key[2]))
        return ReleaseSummary(
            part=part,
            subjects=self._totals["subjects"],
            living=self._totals["living"],
            candidates=self._totals["candidates"],
            samples=self._totals["samples"],
            picture_samples=self._totals["picture_samples"],
            images=self._totals["images"],
            subjects_without_views=self._totals["without_views"],
            configs=tuple(configs),
            roles=tuple(
                RoleCount(
                    setting=key[0],
                    ratio=key[1],
                    role=key[2],
                    samples=self._role_samples[key],
                    subjects=self._role_subjects[key],
                )
                for key in order
            ),
            properties=named(self._properties),
            sensitivities=named(self._sensitivities),
            occupation_groups=named(self._groups),
            licences=named(self._licences),
            attacks=named(self._authors),
        )


def named(counts: Counter[str]) -> tuple[NamedCount, ...]:
    """Most frequent first, then by name."""
    return tuple(
        NamedCount(name=name, count=count)
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
