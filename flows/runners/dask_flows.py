"""Stages whose shards go to Dask workers, through prefect-dask. Imported after Prefect's settings.

Prefect sends the flow that a task belongs to, with its parameters, to the worker: so the shards of a phase are a flow
of their own, whose parameters are orders and nothing else.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from distributed.client import Future, FutureCancelledError
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import ShardCall, ShardOrder, StageSpec
from flows.runners.dask_worker import addressed, do_shard, shards_at_work
from flows.runners.prefect_flows import StageFlow, on_this_machine, stage_flow
from flows.runners.shared_store import Store
from flows.runners.transfer import send_inputs, take_shard
from schemas.errors import Unfinished
from schemas.progress import Progress
from schemas.recipes.build_recipe import TEMPLATES, BuildRecipe
from schemas.storage.artifacts import Manifest
from schemas.vocabulary import Stage

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
"""How long no shard ends before it is looked whether a worker is left."""
WITHOUT_WORKER_S = 300.0
"""How long a build waits for a worker to come back."""
LET_END_S = 60.0
"""How long a build that failed waits for the shards that workers are doing: they would write after its end."""

REMOTE: frozenset[Stage] = frozenset({"facts", "images", "screen", "questions", "probe", "attack"})
"""Stages that are worth sending; the others hold all subjects in memory, or are over in a moment."""
FETCHING: frozenset[Stage] = frozenset({"facts", "images"})
"""These ask the source."""

_finished: ContextVar[Callable[[int], None]] = ContextVar("finished")
"""What is to be told of every shard that is done, in the flow that hands them out."""
_shard = task(name="shard", cache_policy=NO_CACHE, persist_result=False)(do_shard)


def hand_out(orders: Sequence[ShardOrder]) -> None:
    """Send all shards of a phase at once; what a lost worker had is done by another.

    Raises the first exception, and Unfinished when no worker is left or the scheduler is gone; what is still to be done
    is taken back, and what is being done is waited for.
    """
    sent: list[PrefectDaskFuture[None]] = [
        _shard.with_options(task_run_name=f"{order.stage}-{order.phase}-{order.number:05d}").submit(order)  # type: ignore[misc]
        for order in orders
    ]
    futures = [future.wrapped_future for future in sent]
    client: Client = futures[0].client
    try:
        for place in as_they_end(futures, client):
            sent[place].result()
            _finished.get()(orders[place].number)
    except FutureCancelledError as problem:
        raise Unfinished(f"the Dask scheduler has lost the shards, as when it ends ({problem})") from problem
    except BaseException:
        take_back(futures, client, orders[0].folder)
        raise


def as_they_end(futures: Sequence[Future[None]], client: "Client") -> Iterator[int]:
    """The places of the futures as these end; says every while that no worker is left, and at last gives up."""
    ended: SimpleQueue[int] = SimpleQueue()

    def tell(place: int, future: object) -> None:
        ended.put(place)

    for place, future in enumerate(futures):
        future.add_done_callback(partial(tell, place))  # type: ignore[no-untyped-call]
    left, alone_since = len(futures), None
    while left:
        try:
            place = ended.get(timeout=LOOK_EVERY_S)
        except Empty:
            alone = not client.nthreads()  # type: ignore[no-untyped-call]
            alone_since = (alone_since or time.monotonic()) if alone else None
            if alone_since is not None:
                _say_alone(time.monotonic() - alone_since, left)
            continue
        left, alone_since = left - 1, None
        yield place


def _say_alone(seconds: float, left: int) -> None:
    if seconds >= WITHOUT_WORKER_S:
        raise Unfinished(f"no Dask worker has been left for {seconds:.0f} s, and {left} shards are to be done")
    log.warning(
        "no Dask worker is left for %d shards; waiting %.0f s more for one to join", left, WITHOUT_WORKER_S - seconds
    )


def take_back(futures: Sequence[Future[None]], client: "Client", folder: str) -> None:
    """Let no shard begin, and those that are being done end, so that nothing is written into a folder let go of."""
    try:
        client.cancel(list(futures), force=True)  # type: ignore[no-untyped-call]
        end, said = time.monotonic() + LET_END_S, False
        while running := sum(client.run(shards_at_work, folder, on_error="ignore").values()):
            if time.monotonic() > end:
                log.warning("%d shards are still being done on workers; they may write into %s yet", running, folder)
                return
            if not said:
                log.info("waiting for %d shards that are being done on workers, %.0f s at most", running, LET_END_S)
                said = True
            time.sleep(0.1)
    except OSError as problem:
        log.warning("the Dask scheduler cannot be told to stop: %s", problem)


_shards_flow = flow(name="shards", validate_parameters=False, persist_result=False)(hand_out)


def run_on_workers(
    address: str, store: Store | None, name: str, calls: Mapping[int, ShardCall], orders: Sequence[ShardOrder]
) -> None:
    """Have the workers of a scheduler do the shards of a phase; with a store, what they make is fetched from there."""
    by_number = {order.number: order for order in orders}

    def finished(number: int) -> None:
        if store is not None:
            take_shard(store, Path(by_number[number].folder), by_number[number])
        calls[number].finished()

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
        progress: Progress,
    ) -> Manifest:
        if not worth_sending(spec.name, build.recipe):
            return on_this_machine(name, build, spec, table, progress)

        def execute(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
            if not calls:
                return
            orders = addressed(calls, store, build, spec)
            if store is not None:
                send_inputs(store, build, spec, orders)
            run_on_workers(address, store, name, calls, orders)

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
