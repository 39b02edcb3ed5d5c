"""Dask addresses where something else listens, shards whose workers are gone, and shards that outlive a build."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flows.runners import dask_cluster, dask_worker
from flows.runners.dask_cluster import DaskRunner, check_workers
from schemas.errors import BadInput, Unfinished
from tests.servers.waiting import patient, wait_for

if TYPE_CHECKING:
    from distributed import Client

pytest.importorskip("prefect_dask")
from flows.runners import dask_flows


@contextmanager
def listener(say: bytes = b"") -> Iterator[str]:
    """Address of something that takes connections and says this, or nothing."""
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            taken.append(connection)
            if say:
                connection.sendall(say)
                connection.close()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(5)
        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    for connection in taken:
        connection.close()


def refused(address: str, folder: Path) -> str:
    with pytest.raises(BadInput) as refusal, dask_cluster.dask_cluster(DaskRunner(address), folder):
        pass
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_an_address_where_a_web_server_listens_is_refused(tmp_path: Path) -> None:
    with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert f"--address {address}: no Dask scheduler answers there" in refused(address, tmp_path)


def test_an_address_where_something_silent_listens_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "ANSWER_TIMEOUT_S", patient(0.5))
    began = time.monotonic()
    with listener() as address:
        assert "what listens says nothing within" in refused(address, tmp_path)
    assert time.monotonic() - began < patient(10)


@contextmanager
def cluster(*, workers: int) -> Iterator["Client"]:
    """A client of a cluster in this process."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=logging.ERROR
        ) as found,
        Client(found, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.slow
def test_our_own_workers_map_no_picture_anew(tmp_path: Path) -> None:
    """Dask's default has glibc give every freed picture back at once, an eighth of the time in page faults."""
    from distributed import Client

    with dask_cluster.dask_cluster(DaskRunner(workers=1), tmp_path) as address, Client(address) as client:
        (found,) = client.run(lambda: dict(os.environ)).values()
    assert "MALLOC_TRIM_THRESHOLD_" not in found
    assert found["OMP_NUM_THREADS"] == "1"


def test_the_address_of_a_worker_is_refused(tmp_path: Path) -> None:
    with cluster(workers=1) as client:
        (worker,) = client.nthreads()
        assert "it is a Worker" in refused(worker, tmp_path)


def test_workers_on_other_hosts_need_a_prefect_server_that_they_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "build.json").write_text("{}")
    with cluster(workers=1) as client:
        monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
        check_workers(client, "tcp://x", tmp_path)
        hosts = iter(["driver", "elsewhere"] * 2)
        monkeypatch.setattr(dask_cluster.socket, "gethostname", lambda: next(hosts))
        with pytest.raises(BadInput, match="is on elsewhere, which does not reach the Prefect server of this machine"):
            check_workers(client, "tcp://x", tmp_path)
        monkeypatch.setenv("PREFECT_API_URL", "http://10.0.0.5:4200/api")
        check_workers(client, "tcp://x", tmp_path)


def test_a_build_whose_last_worker_is_gone_says_so_and_ends_unfinished(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dask_flows, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(dask_flows, "WITHOUT_WORKER_S", 0.4)
    with cluster(workers=0) as client:
        futures = [client.submit(int, number) for number in range(3)]
        with pytest.raises(Unfinished, match="no Dask worker has been left for .* s, and 3 shards are to be done"):
            list(dask_flows.as_they_end(futures, client))
    assert "no Dask worker is left for 3 shards; waiting 0 s more for one to join" in caplog.text


def test_a_worker_that_joins_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_flows, "LOOK_EVERY_S", 0.05)
    with cluster(workers=0) as client:
        futures = [client.submit(int, number) for number in range(3)]
        threading.Timer(0.3, client.cluster.scale, [1]).start()
        assert sorted(dask_flows.as_they_end(futures, client)) == [0, 1, 2]


STARTED, MAY_END = threading.Event(), threading.Event()
WRITTEN: list[str] = []


def wait_and_write() -> None:
    """Stands for a shard of the build "folder" that is being done until it may end."""
    dask_worker._at_work["folder"] += 1
    STARTED.set()
    assert MAY_END.wait(patient(60))
    WRITTEN.append("table")
    dask_worker._at_work["folder"] -= 1


def test_a_build_that_fails_ends_after_the_shards_that_are_being_done(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="flows.runners.dask_flows")

    with cluster(workers=1) as client:
        (worker,) = client.cluster.workers.values()

        def end_once_it_is_waited_for() -> None:
            wait_for(lambda: "waiting for 1 shards that are being done" in caplog.text)
            wait_for(lambda: len(worker.state.tasks) == 1)  # the worker has heard that the others are taken back
            MAY_END.set()

        futures = [client.submit(wait_and_write, pure=False) for _ in range(3)]
        assert STARTED.wait(patient(60))
        threading.Thread(target=end_once_it_is_waited_for, daemon=True).start()
        dask_flows.take_back(futures, client, "folder")
        assert WRITTEN == ["table"]  # the two that had not begun are taken back
