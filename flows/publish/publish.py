"""Publish a build: gate, comparison, one commit, read-back, tag; run again it goes on, or finds nothing to do."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curation.card.card import read_card
from curation.card.metadata_files import README, ReleaseFile, read_release, release_texts
from curation.export.row_hashes import hash_rows
from curation.publish_gate.files import card_faults, text_faults
from curation.publish_gate.release_gate import check_release
from flows.pipeline.build_identity import locked, open_build
from flows.publish.build_gate import build_faults, loading_faults
from flows.publish.plan import Plan, clear, plan_release, role_change_lines
from schemas.dataset.adopted_record import read_adopted
from schemas.dataset.release import Fault, PublishedRepo, PublishReport
from schemas.errors import BadInput, Unfinished
from schemas.progress import Progress, silent
from sources.hub.upload import HubRepo

log = logging.getLogger(__name__)

WORK = ".publish"
"""Folder in a build for what publishing fetches; emptied at its beginning and end."""
HUB, GATED = "hub", "hub_gated"
VERSION = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}")


@dataclass(frozen=True)
class PublishRequest:
    """What is published where, and how."""

    repo: str
    """Dataset repo on the Hub, OWNER/NAME."""
    gated_repo: str | None = None
    """Repo of the gated classes; None: the repo's name with -gated."""
    private: bool = False
    gated: bool = False
    """Everybody must ask for access."""
    version: str | None = None
    """Such as "1.2.0"; None: the next one."""
    contact: str | None = None
    """Take-down contact; None: the recipe's."""
    dry_run: bool = False
    allow_role_changes: bool = False
    """Published samples may change their role."""
    endpoint: str | None = None
    """Of the Hub; None: the usual one."""
    token: str | None = field(default=None, repr=False)


def publish(folder: Path, request: PublishRequest, *, progress: Progress = silent) -> PublishReport:
    """Publish BUILD/hub, and BUILD/hub_gated if there is one, each to its repo.

    Everything is checked before anything is written. Raises BadInput for wrong use, and Unfinished where the Hub fails
    or another commit came in between; the same call then goes on.
    """
    if (adopted := read_adopted(folder)) is not None:
        licence = adopted.licence or "no licence"
        found_text = f"is {adopted.title}, adopted, whose source states {licence}"
        raise BadInput(str(folder), found_text, "only builds are published; point others to the source")
    found = open_build(folder)
    with locked(found.path):
        faults = list(build_faults(found))
        if any(fault.rule == "build-unfinished" for fault in faults):
            return PublishReport(dry_run=request.dry_run, faults=tuple(faults))
        return publish_folder(found.path, request, faults=faults, progress=progress)


def publish_folder(
    folder: Path, request: PublishRequest, *, faults: Sequence[Fault] = (), progress: Progress = silent
) -> PublishReport:
    """The same for a folder with hub/ (and hub_gated/) whose build has been looked at, with the faults of that."""
    _check_version(request.version)
    parts, dry_run = _parts(folder, request), request.dry_run
    faults = [*faults, *(fault for hub, release, _ in parts for fault in _release_faults(hub, release, progress))]
    if faults:
        return PublishReport(dry_run=dry_run, faults=tuple(faults))
    connections = [HubRepo(name, token=request.token, endpoint=request.endpoint) for _, _, name in parts]
    for connection in connections if not dry_run else []:
        connection.check_rights()
    work = clear(folder / WORK)
    try:
        plans = [
            plan_release(hub, release, connection, gated=request.gated, version=request.version, work=work / hub.name)
            for (hub, release, _), connection in zip(parts, connections, strict=True)
        ]
        faults = [fault for plan in plans for fault in _text_faults(plan)]
        if faults:
            return PublishReport(dry_run=dry_run, faults=tuple(faults))
        refused = "" if request.allow_role_changes else _refusal(plans)
        if dry_run or refused:
            return PublishReport(dry_run=dry_run, repos=tuple(plan.published for plan in plans), refused=refused)
        done = []
        for plan in plans:
            closed = plan.release.summary.part == "gated"
            gated = request.gated or closed
            done.append(_write(plan, private=request.private, gated=gated, work=work, progress=progress))
        return PublishReport(dry_run=False, repos=tuple(done))
    finally:
        clear(work).rmdir()


def _check_version(version: str | None) -> None:
    if version is not None and not VERSION.fullmatch(version):
        raise BadInput(f"--version {version}", "is not a version", "write three numbers, such as 1.2.0")


def _parts(build: Path, request: PublishRequest) -> list[tuple[Path, ReleaseFile, str]]:
    """(folder, release, repo) of each part of the build."""
    repo, contact = request.repo, request.contact
    parts = [(build / HUB, repo)]
    if (build / GATED).is_dir():
        second = request.gated_repo or f"{repo}-gated"
        if second.casefold() == repo.casefold():  # the Hub does not tell names apart by case
            raise BadInput(f"--gated-repo {second}", "is the repo of the open part", "name another one")
        parts.append((build / GATED, second))
    found = []
    for hub, name in parts:
        release = read_release(hub)
        changes = {"contact": contact} if contact is not None else {}
        card = release.card.model_copy(update={"repository": name, "version": "0.0.0", **changes})
        found.append((hub, release.model_copy(update={"card": card}), name))
    return found


def _release_faults(hub: Path, release: ReleaseFile, progress: Progress) -> Iterator[Fault]:
    """Every fault of one part, its place seen from the build folder."""
    for fault in _faults_in(hub, release, progress):
        yield fault.model_copy(update={"where": f"{hub.name}/{fault.where}"})


def _faults_in(hub: Path, release: ReleaseFile, progress: Progress) -> Iterator[Fault]:
    missing = [file for config in release.summary.configs for file in config.files if not (hub / file).is_file()]
    if missing:
        yield from (Fault(rule="file-missing", where=file, found="is not there") for file in missing)
        return
    try:
        previous = read_card(hub / README)
    except BadInput as problem:
        yield Fault(rule="card-text", where=README, found=problem.found)
        return
    try:
        texts = release_texts(hub, release, previous=previous)
    except BadInput as problem:
        yield Fault(rule="card-markers", where=README, found=problem.found)
        return
    yield from check_release(hub, release, texts, progress=progress)
    yield from loading_faults(hub, release)


def _text_faults(plan: Plan) -> Iterator[Fault]:
    """Faults of the text files as they will be published: parts of the card may have been written on the Hub."""
    faults = (
        *card_faults(plan.texts[README], plan.release),
        *text_faults(plan.texts, contact=plan.release.card.contact),
    )
    for fault in faults:
        yield fault.model_copy(update={"where": f"{plan.hub.name}/{fault.where}"})


def _refusal(plans: list[Plan]) -> str:
    """Why role changes stop this, in one line; "" if there are none."""
    for plan in plans:
        diff = plan.published.diff
        if diff is not None and diff.roles:
            first = "; ".join(role_change_lines(diff))
            return (
                f"{plan.published.repo}: {len(diff.roles)} samples that are published have another role now ({first})"
            )
    return ""


def _write(plan: Plan, *, private: bool, gated: bool, work: Path, progress: Progress) -> PublishedRepo:
    """Bring one repo to the plan's content: close it, commit, read back, tag."""
    repo, published = plan.connection, plan.published
    state = repo.prepare(private=private, gated=gated, state=plan.state)
    if plan.state.head not in (None, state.head) or state.head is None:
        raise Unfinished(f"{repo.repo}: somebody else changed the repo while it was looked at")
    revision = state.head
    if published.status != "unchanged":
        progress("upload", 0, 1)
        revision = repo.commit(
            plan.changed, published.removed, message=f"Release {plan.tag}, by ppubench", parent=state.head
        )
        progress("upload", 1, 1)
    verified: int | None = None
    if state.tags.get(plan.tag) != revision:
        progress("read back", 0, 1)
        verified = _read_back(plan, revision, clear(work / "readback"))
        progress("read back", 1, 1)
        if plan.tag in state.tags:
            log.warning("%s: %s is an earlier commit with the same files; it stays", repo.repo, plan.tag)
        else:
            repo.tag(plan.tag, revision)
    return published.model_copy(update={"revision": revision, "verified_rows": verified})


def _read_back(plan: Plan, revision: str, folder: Path) -> int:
    """Fetch the revision anew and compare every row with the build's; the number of rows. Raises Unfinished."""
    fetched = plan.connection.fetch(revision, folder)
    where = f"{plan.connection.repo}@{revision[:12]}"
    for name, content in plan.contents.items():
        if isinstance(content, bytes) and (fetched / name).read_bytes() != content:
            raise Unfinished(f"{where}: {name} read back is not what was sent")
    ours, theirs = hash_rows(plan.hub), hash_rows(fetched)
    for config in sorted(ours.keys() | theirs.keys()):
        if ours.get(config) != theirs.get(config):
            raise Unfinished(f"{where}: the rows of {config} read back are not the build's")
    return sum(each.rows for each in theirs.values())
