"""What differs between two releases: subjects, facts, samples, roles and rows."""

from collections.abc import Iterator, Mapping

from curation.export.release_contents import ReleaseContents
from schemas.dataset.release import Changes, ReleaseDiff, RoleChange


def compare_releases(before: ReleaseContents, after: ReleaseContents) -> ReleaseDiff:
    """Everything that differs, names sorted."""
    facts_before, facts_after = before.facts, after.facts
    wordings_before = {name: sample.wording for name, sample in before.samples.items()}
    wordings_after = {name: sample.wording for name, sample in after.samples.items()}
    if facts_before is None or facts_after is None:
        facts_before, facts_after = dict.fromkeys(wordings_before, ""), dict.fromkeys(wordings_after, "")
    configs = sorted(before.rows.keys() | after.rows.keys())
    rows = {name: (before.rows.get(name, 0), after.rows.get(name, 0)) for name in configs}
    return ReleaseDiff(
        subjects=_changes(before.subjects, after.subjects),
        facts=_changes(facts_before, facts_after),
        samples=_changes(wordings_before, wordings_after),
        roles=tuple(_role_changes(before, after)),
        rows={name: pair for name, pair in rows.items() if pair[0] != pair[1]},
        counts=_counts(before, after, len(facts_before), len(facts_after)),
    )


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )


def _role_changes(before: ReleaseContents, after: ReleaseContents) -> Iterator[RoleChange]:
    """Of samples that both have, under settings that both have."""
    cuts = sorted(before.roles.keys() & after.roles.keys(), key=lambda cut: (cut[0], cut[1] or 0))
    for setting, ratio in cuts:
        old, new = before.roles[setting, ratio], after.roles[setting, ratio]
        for name in sorted(before.samples.keys() & after.samples.keys()):
            was = old.role(name, before.samples[name].subject_id) or "none"
            now = new.role(name, after.samples[name].subject_id) or "none"
            if was != now:
                yield RoleChange(sample_id=name, setting=setting, ratio=ratio, before=was, after=now)


def _counts(
    before: ReleaseContents, after: ReleaseContents, facts: int, facts_after: int
) -> dict[str, tuple[int, int]]:
    counts = {
        "subjects": (len(before.subjects), len(after.subjects)),
        "facts": (facts, facts_after),
        "samples": (len(before.samples), len(after.samples)),
        "rows": (sum(before.rows.values()), sum(after.rows.values())),
    }
    for setting, ratio in sorted(before.roles.keys() | after.roles.keys(), key=lambda cut: (cut[0], cut[1] or 0)):
        name = f"forget, {setting}{f' {ratio} %' if ratio else ''}"
        counts[name] = (_forgotten(before, setting, ratio), _forgotten(after, setting, ratio))
    return counts


def _forgotten(release: ReleaseContents, setting: str, ratio: int | None) -> int:
    """Samples that the setting forgets; 0 where the release lacks the setting."""
    roles = next((found for cut, found in release.roles.items() if cut == (setting, ratio)), None)
    if roles is None:
        return 0
    return sum(roles.role(name, sample.subject_id) == "forget" for name, sample in release.samples.items())
