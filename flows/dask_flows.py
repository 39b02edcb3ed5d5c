"""Stages whose shards go to Dask workers, through prefect-dask. Imported after Prefect's settings.

Prefect sends the flow that a task belongs to, with its parameters, to the worker: so the shards of a phase are a flow
of their own, whose parameters are orders and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect_dask.task_runners import DaskTaskRunner

from flows.folders import BuildFolder
from flows.prefect_flows import StageFlow, on_this_machine, stage_flow
from flows.preflight import TEMPLATES
from flows.remote import do_shard
from flows.sharing import send_inputs, take_shard
from flows.stage import ShardCall, ShardOrder, StageSpec
from flows.store import Store
from schemas.artifacts import Manifest
from schemas.recipes import BuildRecipe
from schemas.words import Stage

REMOTE: frozenset[Stage] = frozenset({"facts", "images", "screen", "questions", "probe", "attack"})
"""Stages that are worth sending; the others hold all subjects in memory, or are over in a moment."""
FETCHING: frozenset[Stage] = frozenset({"facts", "images"})
"""These ask the source."""

_finished: ContextVar[Callable[[int], None]] = ContextVar("finished")
"""What is to be told of every shard that is done, in the flow that hands them out."""
_shard = task(name="shard", cache_policy=NO_CACHE, persist_result=False)(do_shard)


def hand_out(orders: Sequence[ShardOrder]) -> None:
    """Send all shards of a phase at once; what a lost worker had is done by another. Raises the first exception."""
    futures = {
        _shard.with_options(task_run_name=f"{order.stage}-{order.phase}-{order.number:05d}").submit(order): order.number
        for order in orders
    }
    for future in as_completed(list(futures)):
        future.result()
        _finished.get()(futures[future])


_shards_flow = flow(name="shards", validate_parameters=False, persist_result=False)(hand_out)


def run_on_workers(address: str, store: Store | None, name: str, calls: Mapping[int, ShardCall]) -> None:
    """Have the workers of a scheduler do the shards of a phase; with a store, what they make is fetched from there."""
    if not calls:
        return

    def finished(number: int) -> None:
        if store is not None:
            take_shard(store, Path(calls[number].order.folder), calls[number].order)
        calls[number].finished()

    orders = [replace(calls[number].order, store=store.url if store is not None else "") for number in sorted(calls)]
    told = _finished.set(finished)
    try:
        _shards_flow.with_options(flow_run_name=name, task_runner=DaskTaskRunner(address=address))(orders)  # type: ignore[arg-type]
    finally:
        _finished.reset(told)


def on_dask(address: str, store: Store | None = None) -> StageFlow:
    """The flow of one stage with its shards on the workers of a scheduler, where the stage is worth it."""

    def run(
        name: str,
        build: BuildFolder,
        spec: StageSpec,
        table: Mapping[Stage, StageSpec],
        progress: Callable[[str, int, int], None],
    ) -> Manifest:
        if not worth_sending(spec.name, build.recipe):
            return on_this_machine(name, build, spec, table, progress)

        def execute(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
            if store is not None and calls:
                send_inputs(store, build, spec)
            run_on_workers(address, store, name, calls)

        return stage_flow(name, build, spec, table, progress, execute)

    return run


def worth_sending(stage: Stage, recipe: BuildRecipe) -> bool:
    """Whether a stage's shards go to workers: not where one process must keep the limits or the budget of asking."""
    if stage in FETCHING and recipe.source.kind == "wikidata":
        return False
    if stage == "questions" and recipe.workers.polisher:
        return False
    if stage == "attack" and recipe.attack.author != TEMPLATES:
        return False
    return stage in REMOTE
