"""The build as Prefect flows: one flow a build, one subflow a stage, one task a shard. Imported after the settings."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectConcurrentFuture
from prefect.task_runners import ThreadPoolTaskRunner

from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import Executor, ShardCall, StageSpec, run_stage
from flows.runners.prefect_page import show_build
from flows.runners.prefect_server import spare_proxies
from schemas.progress import Progress
from schemas.storage.artifacts import Manifest
from schemas.vocabulary import Stage

spare_proxies()  # here, since Dask workers import this module too

MAX_THREADS = 4
LOOK_EVERY_S = 0.5
"""How long at most a wait takes: Ctrl-C that comes just as one begins is seen only when it is over."""


@task(name="shard", cache_policy=NO_CACHE, persist_result=False)
def shard(call: Callable[[], None]) -> None:
    """One shard of one stage: the call reads, works and writes."""
    call()


def run_as_tasks(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
    """The Prefect executor: each shard a task run named `<stage>-<phase>-<number>`.

    The flow's end waits for shards that still run: so these are told to stop where one failed, or Ctrl-C came.
    """
    named = [(calls[number], shard.with_options(task_run_name=f"{name}-{number:05d}")) for number in sorted(calls)]
    if parallel == 1:
        for call, run in named:
            run(call)
        return
    running: deque[PrefectConcurrentFuture[None]] = deque()
    try:
        for call, run in named:
            if len(running) == parallel:
                _await(running.popleft())
            running.append(run.submit(call))  # type: ignore[arg-type]  # the flow has a pool of threads
        for future in running:
            _await(future)
    except BaseException:
        for call, _ in named:
            call.stop()
        raise


def _await(future: PrefectConcurrentFuture[None]) -> None:
    """Raise what the task raised, once it has ended."""
    while not future.wrapped_future.done():
        future.wait(LOOK_EVERY_S)
    future.result()


@flow(name="stage", flow_run_name="{build.recipe.name}-{name}", validate_parameters=False, persist_result=False)
def stage_flow(
    name: str,
    build: BuildFolder,
    spec: StageSpec,
    table: Mapping[Stage, StageSpec],
    progress: Progress,
    execute: Executor,
) -> Manifest:
    """One stage, its shards as tasks."""
    return run_stage(build, spec, table, execute=execute, progress=progress)


def on_this_machine(
    name: str,
    build: BuildFolder,
    spec: StageSpec,
    table: Mapping[Stage, StageSpec],
    progress: Progress,
) -> Manifest:
    """The flow of one stage with its shards in threads of this process."""
    return stage_flow(name, build, spec, table, progress, run_as_tasks)


@runtime_checkable
class StageFlow(Protocol):
    """Brings one stage up to date as a flow of its own: `on_this_machine`, or on others."""

    def __call__(
        self,
        name: str,
        build: BuildFolder,
        spec: StageSpec,
        table: Mapping[Stage, StageSpec],
        progress: Progress,
    ) -> Manifest: ...


@flow(
    name="build",
    flow_run_name="build-{name}",
    validate_parameters=False,
    persist_result=False,
    task_runner=ThreadPoolTaskRunner(max_workers=MAX_THREADS),  # type: ignore[arg-type]
)
def build_flow(
    name: str,
    build: BuildFolder,
    specs: Sequence[StageSpec],
    table: Mapping[Stage, StageSpec],
    progress: Progress,
    finished: Callable[[Manifest], None],
    run_one: StageFlow,
) -> None:
    """The stages in order; each is brought up to date. Counts and links are left in Prefect's pages."""
    manifests = []
    for spec in specs:
        manifests.append(run_one(spec.name, build, spec, table, progress))
        finished(manifests[-1])
    show_build(name, build.path, manifests)
