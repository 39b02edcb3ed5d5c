"""Shards done from an order alone, in the build's folder or from shared storage: the same bytes as done on the spot."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from growing_build import RECIPE, hashes
from s3_server import s3_bucket  # noqa: F401 - a fixture

from flows import remote
from flows.batches import batches_of
from flows.folders import BuildFolder
from flows.remote import do_shard
from flows.resources import Resources
from flows.sharing import send_inputs, take_shard
from flows.stage import ShardCall, StageSpec, run_in_process, run_stage
from flows.stages import stage_table
from flows.store import Store
from schemas.artifacts import write_json
from schemas.problems import BadInput
from schemas.recipes import read_build_recipe
from schemas.words import STAGES, Stage

UNTIL: Stage = "questions"


def begin(folder: Path) -> BuildFolder:
    """A build folder with nothing in it but what it is."""
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    recipe = read_build_recipe(folder / "recipe.toml")
    from flows.build import _identity

    write_json(folder / "build.json", _identity(recipe).model_dump(mode="json"))
    return batches_of(folder, recipe)[0]


def bring(build: BuildFolder, store: Store | None) -> None:
    with Resources(build.path, build.recipe) as resources:
        table = stage_table(resources)
        for stage in STAGES[: STAGES.index(UNTIL) + 1]:
            sent = partial(by_order, store, build, table[stage])
            run_stage(build, table[stage], table, execute=run_in_process if stage == "select" else sent)


def by_order(
    store: Store | None,
    build: BuildFolder,
    spec: StageSpec,
    name: str,
    calls: Mapping[int, ShardCall],
    *,
    parallel: int,
) -> None:
    """As the Dask executor, one order after the other in this process; every order is carried out twice."""
    if store is not None and calls:
        send_inputs(store, build, spec)
    for number in sorted(calls):
        order = replace(calls[number].order, store=store.url if store is not None else "")
        do_shard(order)
        do_shard(order)  # a worker that is lost after it has finished has its work done again
        if store is not None:
            take_shard(store, build.path, order)
        calls[number].finished()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    build = begin(tmp_path_factory.mktemp("plain") / "build")
    with Resources(build.path, build.recipe) as resources:
        table = stage_table(resources)
        for stage in STAGES[: STAGES.index(UNTIL) + 1]:
            run_stage(build, table[stage], table)
    return hashes(build.path)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """As a worker that has just started; what it keeps open is closed."""
    yield
    for resources in remote._resources.values():
        resources.__exit__(None, None, None)
    for name in ("_resources", "_calls", "_scratch"):
        getattr(remote, name).clear()


@pytest.mark.parametrize("kind", ["folder", "memory", "s3"])
def test_orders_carried_out_give_the_same_bytes(
    kind: str, plain: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls = {"memory": f"memory://{uuid4().hex}/build"}
    if kind == "s3":
        urls["s3"] = f"s3://{request.getfixturevalue('s3_bucket')}/{uuid4().hex}"
    build = begin(tmp_path / "build")
    store = Store(urls[kind]) if kind in urls else None
    bring(build, store)
    assert hashes(build.path) == plain


def test_a_driver_that_starts_again_with_an_empty_store_goes_on(plain: dict[str, str], tmp_path: Path) -> None:
    build = begin(tmp_path / "build")
    bring(build, Store(f"memory://{uuid4().hex}/build"))
    for stage in ("screen", "questions"):
        shutil.rmtree(build.artifact(stage))
    bring(build, Store(f"memory://{uuid4().hex}/build"))
    assert hashes(build.path) == plain


def test_an_order_of_another_state_of_the_build_is_refused(tmp_path: Path) -> None:
    build = begin(tmp_path / "build")
    found: list[ShardCall] = []

    def keep(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
        found.extend(calls.values())
        raise KeyboardInterrupt

    with Resources(build.path, build.recipe) as resources:
        table = stage_table(resources)
        run_stage(build, table["select"], table)
        with pytest.raises(KeyboardInterrupt):
            run_stage(build, table["facts"], table, execute=keep)
    (build.path / "recipe.toml").write_text(RECIPE.replace('gated = "open"', 'gated = "drop"'))
    with pytest.raises(BadInput, match="a worker finds key .* for stage facts"):
        do_shard(found[0].order)
