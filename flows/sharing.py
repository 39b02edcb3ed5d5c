"""What of a build goes to shared storage and comes back, for one phase of a stage and for one shard of it."""

import json
from collections.abc import Iterable
from pathlib import Path

from flows.batches import BATCHES
from flows.build import IDENTITY, RECIPE
from flows.folders import MARKS, BuildFolder
from flows.resources import SANDBOX, TARGET
from flows.stage import ShardOrder, StageSpec
from flows.store import Store
from schemas.artifacts import MANIFEST


def send_inputs(store: Store, build: BuildFolder, spec: StageSpec) -> None:
    """Before a phase: everything that a worker may read is in the store."""
    send_identity(store, build.path)
    for batch, names in [(build, spec.reads), *((before, spec.across) for before in build.earlier)]:
        for name in names:
            store.push_artifact(build.path, name, batch.batch)
    if spec.name == "probe" and build.recipe.probe.responder == SANDBOX:
        there = store.sizes(TARGET)
        store.push(build.path, [name for name in _target_files(build.path) if Path(name).name not in there])
    store.begin(build.path, spec.name, build.batch)


def send_identity(store: Store, folder: Path) -> None:
    """The small files that say what the build is."""
    batches = [f"{BATCHES}/{path.name}" for path in sorted((folder / BATCHES).glob("*.json"))]
    further = [path.name for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in (".toml", ".csv")]
    store.push(folder, [*batches, *(name for name in further if name != RECIPE), RECIPE, IDENTITY])


def _target_files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted((folder / TARGET).rglob("*")) if path.is_file()]


def fetch_build(store: Store, folder: Path) -> None:
    """On a worker: the small files of the build."""
    for name in store.sizes(""):
        if not name.startswith("."):
            store.pull(folder, [name])
    store.pull_matching(folder, BATCHES, "*.json")


def fetch_inputs(store: Store, build: BuildFolder, spec: StageSpec) -> None:
    """On a worker, before a phase: the manifests of what is read, and the target where it is probed."""
    for batch, names in [(build, spec.reads), *((before, spec.across) for before in build.earlier)]:
        store.pull(build.path, [f"{name}/{batch.batch}/{MANIFEST}" for name in ("select", *names)])
    if spec.name == "probe" and build.recipe.probe.responder == SANDBOX:
        store.pull_matching(build.path, TARGET, "*")


def shard_files(folder: Path, order: ShardOrder) -> list[str]:
    """The files of a finished shard by their places in the build's folder, its mark last."""
    own = f"{order.stage}/{order.batch}"
    mark = f"{own}/{MARKS}/{order.phase}-{order.number:05d}.json"
    answers = (folder / "answers" / own).glob(f"*/{order.number:05d}.jsonl")
    tables: Iterable[str] = json.loads((folder / mark).read_text())["rows"]
    return [*(path.relative_to(folder).as_posix() for path in answers), *(f"{own}/{name}" for name in tables), mark]


def take_shard(store: Store, folder: Path, order: ShardOrder) -> None:
    """On the driver, after a shard: its tables and then its mark."""
    own = f"{order.stage}/{order.batch}"
    mark = f"{own}/{MARKS}/{order.phase}-{order.number:05d}.json"
    content = store.read(mark)
    if content is None:
        raise FileNotFoundError(2, "a finished shard is gone from the store", f"{store.url}/{mark}")
    store.pull(folder, [f"{own}/{name}" for name in json.loads(content)["rows"]])
    for log_folder in store.folders(f"answers/{own}"):
        store.pull(folder, [f"answers/{own}/{log_folder}/{order.number:05d}.jsonl"])
    store.pull(folder, [mark])
