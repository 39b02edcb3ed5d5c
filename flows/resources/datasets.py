"""What BUILD_OR_DATASET names: a build, an exported folder, a local clone, or a release on the Hub."""

import logging
from pathlib import Path

from filelock import FileLock

from schemas.dataset.folder import dataset_folder
from schemas.errors import BadInput, Unfinished
from schemas.storage.artifacts import cache_folder, digest
from sources.hub.download import HubId, fetch_release, parse_hub_id
from sources.hub.published_layout import is_export, view_as_export

log = logging.getLogger(__name__)


def open_dataset(named: str | Path, *, revision: str | None = None, splits: Path | None = None) -> Path:
    """The folder, in the layout of our exports, of what the user named; every command comes through here.

    A folder that exists is taken as it is (`hub/` of a build, or itself); anything else of the form OWNER/NAME is
    fetched from the Hub, at `revision` or what follows an @. Releases of another layout, and any release with split
    files of its own in `splits`, are shown through links in the cache. Raises BadInput for what is none of these.
    """
    path = Path(named)
    if path.exists():
        if revision is not None:
            raise BadInput(f"{path}: --revision", "is given for a local folder", "leave it out, or name a Hub id")
        return _in_our_layout(path, splits)
    wanted = parse_hub_id(str(named))
    if wanted is None:
        found = "is neither a folder nor a Hub id"
        raise BadInput(str(named), found, "name a build, an exported dataset, or a Hub id such as closerG/ppu-bench")
    if revision is not None and wanted.revision not in (None, revision):
        raise BadInput(str(named), f"names another revision than --revision {revision}", "name it once")
    owner = wanted.repo.partition("/")[0]
    if str(named) == wanted.repo and revision is None and Path(owner).is_dir():
        found = f"no such folder, and the Hub is not asked for such a dataset, since there is a folder {owner} here"
        raise BadInput(str(named), found, f"check the name; one on the Hub is {wanted.repo}@main")
    wanted = HubId(wanted.repo, revision or wanted.revision)
    log.info("%s: reading it from the Hub, or its cache", wanted)
    try:
        return _in_our_layout(fetch_release(wanted), splits)
    except Unfinished as problem:
        raise Unfinished(f"{problem}; there is no such folder here either") from problem


def _in_our_layout(path: Path, splits: Path | None) -> Path:
    for candidate in (path / "hub", path):
        if is_export(candidate, splits):
            return candidate
    folder = path / "hub" if (path / "hub" / "data").is_dir() else path
    if not folder.is_dir() or not any(folder.rglob("*.parquet")):
        return dataset_folder(folder)  # which says what is wrong
    key = digest([str(folder.resolve()), str(splits.resolve()) if splits else ""])
    view = cache_folder() / "views" / key
    view.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{view}.lock"):
        return view_as_export(folder, view, splits=splits)
