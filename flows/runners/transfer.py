"""What of a build goes to shared storage and comes back, for one phase of a stage and for one shard of it."""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock

from pydantic import ValidationError

from flows.pipeline.batches import BATCHES
from flows.pipeline.build_folder import MARKS, BuildFolder
from flows.pipeline.build_identity import ANSWERS, IDENTITY, RECIPE, BuildIdentity
from flows.pipeline.stage import ShardOrder, StageSpec
from flows.resources.resources import SANDBOX, TARGET
from flows.runners.shared_store import Store
from schemas.errors import BadInput
from schemas.storage.artifacts import MANIFEST, Manifest, digest, read_manifest, write_atomically
from schemas.storage.tables import file_sha256
from schemas.vocabulary import Stage

REPLYING: frozenset[Stage] = frozenset({"probe"})
"""Stages whose shards keep replies beside their tables."""

SMALL = (".toml", ".csv")
"""Endings of the files right in a build's folder that say what it is: recipe, roster, resolved names, verdicts."""


def inputs_of(build: BuildFolder, spec: StageSpec) -> list[tuple[BuildFolder, Stage]]:
    """The artifacts that a worker may read: besides those of the stage table, how each batch was cut into shards."""
    return [
        (batch, name)
        for batch, names in [(build, spec.reads), *((before, spec.across) for before in build.earlier)]
        for name in dict.fromkeys(("select", *names))
    ]


def inputs_digest(build: BuildFolder, spec: StageSpec) -> str:
    """What the inputs of a stage are by their bytes; a key says only what they follow from."""
    manifests = {f"{name}/{batch.batch}": batch.artifact(name) / MANIFEST for batch, name in inputs_of(build, spec)}
    return digest({name: file_sha256(path) if path.is_file() else "" for name, path in manifests.items()})


def state_of(order: ShardOrder) -> str:
    """What a stage's unfinished artifact is made under: shards of one state belong together."""
    return f"{order.key} {order.inputs}"


def send_inputs(store: Store, build: BuildFolder, spec: StageSpec, orders: Sequence[ShardOrder]) -> None:
    """Before a phase: everything that a worker may read is in the store."""
    send_identity(store, build.path)
    for batch, name in inputs_of(build, spec):
        store.push_artifact(build.path, name, batch.batch)
    if spec.name == "probe" and build.recipe.probe.responder == SANDBOX:
        _send_target(store, build.path)
    if spec.name in REPLYING:
        share_replies(store, build.path, spec.name, build.batch, [order.number for order in orders])
    for state in {state_of(order) for order in orders}:
        store.begin(build.path, spec.name, build.batch, state)


def send_identity(store: Store, folder: Path) -> None:
    """The small files that say what the build is. Raises BadInput if the store holds those of another one."""
    _refuse_another(store, folder)
    batches = [path.name for path in sorted((folder / BATCHES).glob("*.json"))]
    further = [path.name for path in sorted(folder.iterdir()) if path.is_file() and path.name.endswith(SMALL)]
    for name in store.sizes(BATCHES).keys() - batches:
        store.forget(f"{BATCHES}/{name}")
    for name in store.sizes("").keys() - further:
        if name.endswith(SMALL):
            store.forget(name)
    kept = [f"{BATCHES}/{name}" for name in batches]
    store.push(folder, [*kept, *(name for name in further if name != RECIPE), RECIPE, IDENTITY])


def _refuse_another(store: Store, folder: Path) -> None:
    content, ours = store.read(IDENTITY), (folder / IDENTITY).read_bytes()
    if content is None or content == ours:
        return
    try:
        found = BuildIdentity.model_validate_json(content)
    except ValidationError:
        advice = "name another --store, or delete what is there"
        raise BadInput(f"--store {store.url}", f"holds an {IDENTITY} that is damaged", advice) from None
    own = BuildIdentity.model_validate_json(ours)
    said = f"holds a build of recipe {found.name!r} ({found.source}), not of {own.name!r} ({own.source})"
    raise BadInput(f"--store {store.url}", said, "name another --store, or delete what is there")


def _send_target(store: Store, folder: Path) -> None:
    from flows.resources.sandbox_target import KEY_FILE

    here, key = folder / TARGET, f"{TARGET}/{KEY_FILE}"
    if not (here / KEY_FILE).is_file() or store.read(key) == (here / KEY_FILE).read_bytes():
        return
    store.clear(TARGET, first=KEY_FILE)
    files = [path.relative_to(folder).as_posix() for path in sorted(here.rglob("*")) if path.is_file()]
    store.push(folder, [*(name for name in files if name != key), key])


def share_replies(store: Store, folder: Path, stage: Stage, batch: int, numbers: Iterable[int]) -> None:
    """Have here and in the store every reply that either place has, of these shards."""
    own, names = f"{ANSWERS}/{stage}/{batch}", [f"{number:05d}.jsonl" for number in numbers]
    here = {path.name for path in (folder / own).glob("*") if path.is_dir()}
    for log in sorted(here.union(store.folders(own))):
        there = store.sizes(f"{own}/{log}")
        for place, path in ((f"{own}/{log}/{name}", folder / own / log / name) for name in names):
            size = path.stat().st_size if path.is_file() else 0
            if size == there.get(path.name, 0):
                continue  # replies are only ever added
            local, remote = path.read_bytes() if size else b"", store.read(place) or b""
            both = _all_lines(local, remote)
            if both != local:
                write_atomically(path, both)
            if both != remote:
                store.write(place, both)


def _all_lines(*logs: bytes) -> bytes:
    """The lines of all logs, each once; one that was cut off by a kill is left out."""
    lines = (line for log in logs for line in log.split(b"\n")[:-1])
    return b"".join(line + b"\n" for line in dict.fromkeys(lines))


def send_replies(store: Store, folder: Path, order: ShardOrder) -> None:
    """The replies that a shard has got so far."""
    own = f"{ANSWERS}/{order.stage}/{order.batch}"
    for path in sorted((folder / own).glob(f"*/{order.number:05d}.jsonl")):
        store.write(path.relative_to(folder).as_posix(), path.read_bytes())


def fetch_build(store: Store, folder: Path) -> None:
    """On a worker: the small files of the build; those that are gone go, and requests of batches that were given up."""
    batches = store.sizes(BATCHES)
    for path in (folder / BATCHES).glob("*.json"):
        if path.name not in batches:
            path.unlink()
    there = [name for name in store.sizes("") if not name.startswith(".")]
    for path in folder.glob("*"):
        if path.is_file() and path.name.endswith(SMALL) and path.name not in there:
            path.unlink()
    store.pull(folder, there)
    store.pull(folder, [f"{BATCHES}/{name}" for name in batches])


def fetch_inputs(store: Store, build: BuildFolder, spec: StageSpec) -> None:
    """On a worker, before a phase: the manifests of what is read, and the target where it is probed.

    Of an artifact that is no longer the one in the store, only the files that are also the new one's stay here.
    """
    for batch, name in inputs_of(build, spec):
        folder = batch.artifact(name)
        there = store.read(f"{name}/{batch.batch}/{MANIFEST}")
        if not (folder / MANIFEST).is_file() or (folder / MANIFEST).read_bytes() != there:
            _keep_only(folder, Manifest.model_validate_json(there) if there is not None else None)
            if there is not None:
                write_atomically(folder / MANIFEST, there)
    if spec.name == "probe" and build.recipe.probe.responder == SANDBOX:
        _fetch_target(store, build.path)


def _keep_only(folder: Path, manifest: Manifest | None) -> None:
    """Remove from a folder all that is not a file of the manifest by name and bytes."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder / MARKS, ignore_errors=True)
    wanted = {entry.path: entry.sha256 for entry in manifest.files} if manifest is not None else {}
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        name = path.relative_to(folder).as_posix()
        if name not in wanted or wanted[name] != file_sha256(path):
            path.unlink()


def _fetch_target(store: Store, folder: Path) -> None:
    from flows.resources.sandbox_target import KEY_FILE

    here, key = folder / TARGET / KEY_FILE, store.read(f"{TARGET}/{KEY_FILE}")
    if key is None or (here.is_file() and here.read_bytes() == key):
        return
    shutil.rmtree(folder / TARGET, ignore_errors=True)
    names = [name for name in store.sizes(TARGET) if name != KEY_FILE]
    store.pull(folder, [f"{TARGET}/{name}" for name in (*names, KEY_FILE)])


@dataclass
class Listing:
    """A live resource: the tables that the shards of one phase read on a worker, brought from the store when listed.

    What a finished artifact holds its manifest says, whose files are held against their sha256 as they come; what the
    stage itself has made so far its marks say. Safe to use from several threads.
    """

    store: Store
    build: Path
    own: Path
    """Folder of the stage at work."""
    _finished: dict[Path, dict[str, str]] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)
    _marks: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, folder: Path, pattern: str) -> list[Path]:
        with self._lock:
            return self._of_this_stage(pattern) if folder == self.own else self._of_finished(folder, pattern)

    def _of_finished(self, folder: Path, pattern: str) -> list[Path]:
        if folder not in self._finished:
            manifest = read_manifest(folder)
            files = manifest.files if manifest is not None else ()
            self._finished[folder] = {entry.path: entry.sha256 for entry in files if "/" not in entry.path}
        paths = []
        for name, sha256 in sorted(self._finished[folder].items()):
            if PurePosixPath(name).match(pattern):
                paths.append(folder / name)
                if not paths[-1].is_file():
                    self.store.pull_whole(self.build, paths[-1].relative_to(self.build).as_posix(), sha256=sha256)
        return paths

    def _of_this_stage(self, pattern: str) -> list[Path]:
        own = self.own.relative_to(self.build).as_posix()
        if pattern not in self._made:
            number = PurePosixPath(pattern).stem.rpartition("-")[2]
            for mark in self.store.sizes(f"{own}/{MARKS}").keys() - self._marks:
                if PurePosixPath(mark).match(f"*-{number}.json"):
                    self._made.update(_tables_of(self.store, f"{own}/{MARKS}/{mark}"))
                    self._marks.add(mark)
        names = sorted(name for name in self._made if PurePosixPath(name).match(pattern))
        self.store.pull(self.build, [f"{own}/{name}" for name in names if not (self.own / name).is_file()])
        return [self.own / name for name in names]


def _tables_of(store: Store, mark: str) -> list[str]:
    """The tables of a finished shard, by its mark in the store."""
    content = store.read(mark)
    if content is None:
        raise FileNotFoundError(2, "a finished shard is gone from the store", f"{store.url}/{mark}")
    return list(json.loads(content)["rows"])


def mark_of(order: ShardOrder) -> str:
    """Place of a finished shard's mark in the build's folder."""
    return f"{order.stage}/{order.batch}/{MARKS}/{order.phase}-{order.number:05d}.json"


def shard_files(folder: Path, order: ShardOrder) -> list[str]:
    """The tables of a finished shard by their places in the build's folder, and its mark last."""
    tables: Iterable[str] = json.loads((folder / mark_of(order)).read_text())["rows"]
    return [*(f"{order.stage}/{order.batch}/{name}" for name in tables), mark_of(order)]


def take_shard(store: Store, folder: Path, order: ShardOrder) -> None:
    """On the driver, after a shard: its replies, its tables and then its mark."""
    own = f"{order.stage}/{order.batch}"
    tables = _tables_of(store, mark_of(order))
    if order.stage in REPLYING:
        share_replies(store, folder, order.stage, order.batch, [order.number])
    store.pull(folder, [*(f"{own}/{name}" for name in tables), mark_of(order)])
