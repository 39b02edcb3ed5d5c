"""The Dask cluster of a build: started here, or found at an address and made sure of before anything is sent to it."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from flows.store import Store
from schemas.artifacts import library_versions
from schemas.problems import BadInput, Unfinished

if TYPE_CHECKING:
    from distributed import Client

CONNECT_TIMEOUT_S = 10.0
PACKAGES = ("schemas", "sources", "curation", "unlearn", "eval", "flows")


@dataclass(frozen=True)
class DaskRunner:
    """Where shards are done: by the workers of a scheduler, or of a cluster that this machine has during the build."""

    address: str | None = None
    workers: int | None = None
    """Processes of the cluster on this machine; by default one a core."""
    store: str | None = None
    """fsspec address of storage that all machines reach; by default they all see the build's folder itself."""


def project_version() -> str:
    """Version of this ppubench, with a digest of its code: two checkouts of one version can differ."""
    root, code = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file()):
        if path.suffix in (".py", ".toml", ".jinja"):
            code.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{version('ppubench')}+{code.hexdigest()[:12]}"


def worker_state(folder: str, store: str) -> dict[str, str]:
    """What a worker is asked before it gets work: its versions, and what it finds in the build's folder or store."""
    try:
        content = (Store(store).read("build.json") or b"") if store else (Path(folder) / "build.json").read_bytes()
        seen = hashlib.sha256(content).hexdigest() if content else "it is empty"
    except OSError as problem:
        seen = f"not there: {problem.strerror}"
    except (BadInput, Unfinished) as problem:
        seen = str(problem)
    return {"ppubench": project_version(), "folder": seen, **library_versions()}


@contextmanager
def dask_cluster(runner: DaskRunner, folder: Path) -> Iterator[str]:
    """Address of a scheduler whose workers can do this build's shards.

    Without an address, a cluster of processes on this machine that ends with the context. Raises BadInput where Dask is
    not installed, nothing answers at the address, no worker is there, or a worker runs another version of ppubench or
    of a library, or does not see the build's folder or store.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise BadInput("--runner dask", "needs prefect-dask", "pip install 'ppubench[dask]'") from None
    address = runner.address
    if address is None:
        logging.getLogger("distributed").setLevel(logging.ERROR)
        with LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=runner.workers or os.cpu_count(),
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as cluster:
            yield cluster.scheduler_address
        return
    if "://" not in address:
        raise BadInput(f"--address {address}", "is no address", "name one such as tcp://10.0.0.5:8786")
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        advice = "start `dask scheduler` and `dask worker ADDRESS`, or leave --address out"
        raise BadInput(f"--address {address}", f"no Dask scheduler answers there ({reason})", advice) from problem
    with client:
        check_workers(client, address, folder, store=runner.store or "")
    yield address


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
        for what in ("ppubench", *sorted(library_versions())):
            if theirs[what] != ours[what]:
                said = f"runs {what} {theirs[what]}, and this is {what} {ours[what]}"
                raise BadInput(f"worker {worker}", said, "install the same version everywhere")
        if theirs["folder"] != ours["folder"]:
            said = f"does not see {store or folder.resolve()} as it is here ({theirs['folder']})"
            advice = "put the build on storage that all machines mount at one path, or name a --store that all reach"
            raise BadInput(f"worker {worker}", said, advice)
