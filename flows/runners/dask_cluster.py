"""The Dask cluster of a build: started here, or found at an address and made sure of before anything is sent to it."""

import asyncio
import hashlib
import logging
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from flows.runners.shared_store import Store
from schemas.errors import BadInput, Unfinished
from schemas.loopback import on_loopback
from schemas.storage.artifacts import library_versions

if TYPE_CHECKING:
    from distributed import Client

CONNECT_TIMEOUT_S = 8.0
ANSWER_TIMEOUT_S = 12.0
"""For connecting and the first answer together: what listens may take the connection and stay silent."""
THREADS = 2
"""Of a worker of our own: one shard computes while another waits for what it fetches (see
flows.runners.dask_worker._Phase).
"""
OF_OUR_WORKERS = {
    # Nobody sees its profiles, and a sampler that wants the interpreter every 10 ms slows what draws and decodes.
    "distributed.worker.profile.enabled": False,
    # Dask's own also has MALLOC_TRIM_THRESHOLD_, with which glibc maps and unmaps the pages of every picture anew: an
    # eighth of the processor's time. A shard gives its memory back at its end (flows.pipeline.memory).
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1},
}
"""Settings of Dask for the workers of our own cluster."""
PACKAGES = ("schemas", "sources", "curation", "unlearn", "eval", "flows")


@dataclass(frozen=True)
class DaskRunner:
    """Where shards are done: by the workers of a scheduler, or of a cluster that this machine has during the build."""

    address: str | None = None
    workers: int | None = None
    """Processes of the cluster on this machine; by default one a core."""
    store: str | None = None
    """fsspec address of storage that all machines reach; by default they all see the build's folder itself."""


@cache
def project_version() -> str:
    """Version of this ppubench, with a digest of its code: two checkouts of one version can differ.

    Of the code when it is first asked for: what a process runs does not change with its files.
    """
    root, code = Path(__file__).resolve().parents[2], hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file()):
        if path.suffix in (".py", ".toml", ".jinja"):
            code.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{version('ppubench')}+{code.hexdigest()[:12]}"


@cache
def running_versions() -> tuple[tuple[str, str], ...]:
    """What all machines of a build must have the same of, by name: this ppubench and the libraries."""
    return (("ppubench", project_version()), *sorted(library_versions().items()))


def worker_state(folder: str, store: str) -> dict[str, str]:
    """What a worker is asked before it gets work: its versions, its host, and what it finds in the folder or store."""
    try:
        content = (Store(store).read("build.json") or b"") if store else (Path(folder) / "build.json").read_bytes()
        seen = hashlib.sha256(content).hexdigest() if content else "it is empty"
    except OSError as problem:
        seen = f"not there: {problem.strerror}"
    except (BadInput, Unfinished) as problem:
        seen = str(problem)
    return {**dict(running_versions()), "folder": seen, "host": socket.gethostname()}


@contextmanager
def dask_cluster(runner: DaskRunner, folder: Path) -> Iterator[str]:
    """Address of a scheduler whose workers can do this build's shards.

    Without an address, a cluster of processes on this machine that ends with the context. Raises BadInput where Dask is
    not installed, nothing answers at the address, no worker is there, or a worker runs another version of ppubench or
    of a library, or does not see the build's folder or store.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise BadInput("--runner dask", "needs prefect-dask", "pip install 'ppubench[dask]'") from None
    address = runner.address
    if address is None:
        logging.getLogger("distributed").setLevel(logging.ERROR)
        with (
            dask.config.set(OF_OUR_WORKERS),
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=runner.workers or os.cpu_count(),
                threads_per_worker=THREADS,
                dashboard_address="127.0.0.1:0",  # not 8787, which another build may have
                silence_logs=logging.ERROR,
            ) as cluster,
        ):
            yield cluster.scheduler_address
        return
    if "://" not in address:
        raise BadInput(f"--address {address}", "is no address", "name one such as tcp://10.0.0.5:8786")
    try:
        with ThreadPoolExecutor(1) as pool:  # in a thread, since a notebook has a loop running in this one
            pool.submit(asyncio.run, _require_scheduler(address)).result()
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except Exception as problem:  # whatever listens there, its bytes can mean anything to Dask
        causes = [each for each in (problem, problem.__cause__) if each is not None]
        reason = ": ".join(" ".join(str(each).split()) or type(each).__name__ for each in causes)
        advice = "start `dask scheduler` and `dask worker ADDRESS`, or leave --address out"
        raise BadInput(f"--address {address}", f"no Dask scheduler answers there ({reason})", advice) from problem
    with client:
        check_workers(client, address, folder, store=runner.store or "")
    yield address


async def _require_scheduler(address: str) -> None:
    """Ask what listens at an address what it is; raise anything, in ANSWER_TIMEOUT_S at most, unless a scheduler."""
    from distributed.core import rpc
    from distributed.security import Security

    arguments = Security().get_connection_args("client")  # type: ignore[no-untyped-call]
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            async with rpc(address, timeout=CONNECT_TIMEOUT_S, connection_args=arguments) as asked:  # type: ignore[no-untyped-call]
                found = await asked.identity()
    except TimeoutError:
        raise TimeoutError(f"what listens says nothing within {ANSWER_TIMEOUT_S:.0f} s") from None
    if found["type"] != "Scheduler":
        raise ValueError(f"it is a {found['type']}")


def check_workers(client: "Client", address: str, folder: Path, *, store: str = "") -> None:
    """Raise BadInput unless there is a worker, and every one has our versions and sees the build's folder or store."""
    ours = worker_state(str(folder.resolve()), store)
    found = client.run(worker_state, str(folder.resolve()), store, on_error="return")
    if not found:
        raise BadInput(
            f"--address {address}", "the scheduler has no worker", f"start some with `dask worker {address}`"
        )
    for worker, theirs in sorted(found.items()):
        if isinstance(theirs, BaseException):
            raise BadInput(f"worker {worker}", f"has no ppubench ({theirs})", "install the same one there")
        for what, _ in running_versions():
            if theirs[what] != ours[what]:
                said = f"runs {what} {theirs[what]}, and this is {what} {ours[what]}"
                raise BadInput(f"worker {worker}", said, "install the same version everywhere")
        if theirs["folder"] != ours["folder"]:
            said = f"does not see {store or folder.resolve()} as it is here ({theirs['folder']})"
            advice = "put the build on storage that all machines mount at one path, or name a --store that all reach"
            raise BadInput(f"worker {worker}", said, advice)
        if theirs["host"] != ours["host"]:
            _require_prefect_there(worker, theirs["host"])


def _require_prefect_there(worker: str, host: str) -> None:
    """Raise BadInput if Prefect's server, which a shard reports to, is one that only this machine reaches."""
    server = os.environ.get("PREFECT_API_URL", "")
    if on_loopback(server):
        said = f"is on {host}, which does not reach the Prefect server of this machine ({server})"
        advice = "run `prefect server start --host ADDRESS` and set PREFECT_API_URL=http://ADDRESS:4200/api everywhere"
        raise BadInput(f"worker {worker}", said, advice)
