"""What publishing a release would change in a repo: files, rows, samples and roles, the next version, the card."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.card.card import HAND_WRITTEN, hand_written, read_card
from curation.card.metadata_files import README, RELEASE, ReleaseFile, parse_release, release_texts
from curation.export.diff import compare_releases, read_contents
from flows.resources.datasets import open_dataset
from schemas.dataset.release import Part, PublishedRepo, ReleaseDiff
from schemas.errors import BadInput
from sources.hub.upload import Content, HubRepo, RemoteState

SMALL_FILES = (README, RELEASE, "data/split/*.json", "data/train_pair_*_qa/*")
"""Files of the release before that say what is in it."""

FIRST_VERSION = "1.0.0"

_OF_THE_HUB = frozenset({".gitattributes", README})

_PARTS: Mapping[Part, str] = {"all": "a whole release", "open": "an open part", "gated": "a gated part"}


@dataclass(frozen=True)
class Plan:
    """One part of a build and the repo it goes to, compared; nothing has been written."""

    hub: Path
    connection: HubRepo
    state: RemoteState
    release: ReleaseFile
    texts: Mapping[str, str]
    contents: Mapping[str, Content]
    """Every file of the release, by its place."""
    published: PublishedRepo

    @property
    def changed(self) -> Mapping[str, Content]:
        """Files to be sent."""
        names = (*self.published.added, *self.published.changed)
        return {name: self.contents[name] for name in names}

    @property
    def tag(self) -> str:
        return f"v{self.published.version}"


def plan_release(
    hub: Path, release: ReleaseFile, connection: HubRepo, *, gated: bool, version: str | None, work: Path
) -> Plan:
    """Compare a release with what its repo holds; `work` is an empty folder for the files that this takes.

    Raises BadInput for a repo with files that ppubench did not publish, for a version that is taken, and for a card
    that was edited both here and there.
    """
    state = connection.state()
    before = _release_before(connection, state, release.summary.part, work)
    card = release.card.model_copy(
        update={"repository": connection.repo, "gated": gated or bool(state.gated) or release.summary.part == "gated"}
    )
    previous = _previous_card(hub, connection, state, before, work)
    standing = before.card.version if before is not None else ""
    if before is not None:
        plan = _planned(hub, release, connection, state, card.model_copy(update={"version": standing}), previous)
        if plan.published.status == "unchanged":
            return plan
    diff = _difference(hub, release, before, work)
    chosen = version or _next_version(standing, diff)
    if f"v{chosen}" in state.tags:
        found = f"has a release v{chosen} with other content"
        raise BadInput(connection.repo, found, "leave out --version, or name one that is not taken")
    if version is not None and _numbers(version) < _numbers(standing):
        found = f"holds v{standing}, after which v{version} cannot come"
        raise BadInput(connection.repo, found, "leave out --version, or name a higher one")
    plan = _planned(hub, release, connection, state, card.model_copy(update={"version": chosen}), previous)
    return replace(plan, published=plan.published.model_copy(update={"diff": diff}))


def _planned(
    hub: Path, release: ReleaseFile, connection: HubRepo, state: RemoteState, card: object, previous: str | None
) -> Plan:
    release = release.model_copy(update={"card": card})
    texts = release_texts(hub, release, previous=previous)
    contents: dict[str, Content] = {
        path.relative_to(hub).as_posix(): path for path in sorted(hub.rglob("*")) if path.is_file()
    }
    contents |= {name: text.encode() for name, text in texts.items()}
    added = tuple(sorted(name for name in contents if name not in state.files))
    changed = tuple(
        sorted(name for name, file in state.files.items() if name in contents and not file.same_as(contents[name]))
    )
    ours = [name for name in state.files if name.startswith("data/") or name in ("ATTRIBUTION.md", "croissant.json")]
    removed = tuple(sorted(name for name in ours if name not in contents))
    published = PublishedRepo(
        repo=connection.repo,
        part=release.summary.part,
        status="unchanged" if not (added or changed or removed) else "changed" if RELEASE in state.files else "new",
        version=release.card.version,
        revision=state.head if not (added or changed or removed) else None,
        added=added,
        changed=changed,
        removed=removed,
        bytes=sum(_size(contents[name]) for name in (*added, *changed)),
        rows=sum(config.rows for config in release.summary.configs),
    )
    return Plan(hub, connection, state, release, texts, contents, published)


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _release_before(connection: HubRepo, state: RemoteState, part: Part, work: Path) -> ReleaseFile | None:
    """The release.json at the head of the repo; its small files are in `work/before` then.

    Raises BadInput for files of somebody else, and where the gated part and the rest would change places.
    """
    if state.head is None:
        return None
    foreign = sorted(set(state.files) - _OF_THE_HUB)
    if RELEASE not in state.files:
        if foreign:
            found = f"holds files that ppubench did not publish ({foreign[0]} and {len(foreign) - 1} others)"
            raise BadInput(connection.repo, found, "publish to an empty repo, or a new one")
        return None
    folder = connection.fetch(state.head, work / "before", patterns=SMALL_FILES)
    before = parse_release((folder / RELEASE).read_text(encoding="utf-8"), f"{connection.repo}, {RELEASE}")
    if (before.summary.part == "gated") != (part == "gated"):
        found = f"holds {_PARTS[before.summary.part]}, and {_PARTS[part]} would take its place"
        raise BadInput(connection.repo, found, "see --repo and --gated-repo: each part has a repo of its own")
    return before


def _difference(hub: Path, release: ReleaseFile, before: ReleaseFile | None, work: Path) -> ReleaseDiff | None:
    if before is None:
        return None
    rows = [{config.name: config.rows for config in each.summary.configs} for each in (before, release)]
    old, new = read_contents(work / "before"), read_contents(hub)
    # The candidates lie beside the portraits, which are not fetched for a comparison: the known facts say enough.
    return compare_releases(replace(old, rows=rows[0]), replace(new, rows=rows[1]))


def _next_version(standing: str, diff: ReleaseDiff | None) -> str:
    """Major: something was removed or has another role. Minor: samples were added or reworded. Patch: all else."""
    numbers = _numbers(standing)
    if len(numbers) != 3:
        return FIRST_VERSION
    major, minor, patch = numbers
    if diff is not None and (diff.roles or diff.samples.removed or diff.subjects.removed):
        return f"{major + 1}.0.0"
    if diff is not None and not diff.same:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]


def _previous_card(
    hub: Path, connection: HubRepo, state: RemoteState, before: ReleaseFile | None, work: Path
) -> str | None:
    """The card whose hand-written parts stay: the one here, or the one on the Hub if only that was edited."""
    local = hub / README
    here = read_card(local)
    if state.head is None or README not in state.files:
        return here
    there = _card_there(connection, state.head, work / "card")
    if here is None or hand_written(here) in (hand_written(there), ("", HAND_WRITTEN, {})):
        return there
    tagged = state.tags.get(f"v{before.card.version}") if before is not None else None
    if tagged is not None:
        base = _card_there(connection, tagged, work / "base")
        if hand_written(there) == hand_written(base):
            return here
        if hand_written(here) == hand_written(base):
            return there
    elif hand_written(there) == ("", HAND_WRITTEN, {}):
        return here
    found = f"was edited by hand both here ({local}) and on the Hub"
    raise BadInput(f"{connection.repo}, {README}", found, "put the text that is to stay in both, or in one alone")


def _card_there(connection: HubRepo, revision: str, folder: Path) -> str:
    """The card of a revision on the Hub; raises BadInput, naming the repo, if ours cannot be written around it."""
    try:
        card = read_card(connection.fetch(revision, folder, patterns=[README]) / README) or ""
        hand_written(card)
    except BadInput as problem:
        where = f"{connection.repo}, {README} on the Hub"
        raise BadInput(
            where, problem.found, "delete that card on the Hub (its text can go into the one here)"
        ) from None
    return card


def clear(work: Path) -> Path:
    """An empty folder in the place of whatever an earlier run left there."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work


def role_change_lines(diff: ReleaseDiff, *, most: int = 5) -> Sequence[str]:
    """The first changed roles, in words."""
    return [
        f"{row.sample_id}: {row.before} to {row.after} in {row.setting}{f' {row.ratio} %' if row.ratio else ''}"
        for row in diff.roles[:most]
    ]


def compare(first: str | Path, second: str | Path) -> ReleaseDiff:
    """What differs from the first to the second; each is anything that BUILD_OR_DATASET takes."""
    return compare_releases(read_contents(open_dataset(first)), read_contents(open_dataset(second)))
