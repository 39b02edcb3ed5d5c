"""Shards done from an order alone, in the build's folder or from shared storage: the same bytes as done on the spot."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Semaphore
from uuid import uuid4

import pytest

from benchmarks.instant import InstantResponder
from flows.pipeline.batches import BatchRequest, batches_of, write_request
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import ShardCall, ShardOrder, StageSpec, run_in_process, run_stage
from flows.pipeline.verdicts import VERDICTS
from flows.resources.resources import Resources
from flows.resources.sandbox_target import KEY_FILE
from flows.runners import dask_worker, transfer
from flows.runners.dask_cluster import project_version
from flows.runners.dask_worker import addressed, do_shard
from flows.runners.shared_store import Store
from flows.runners.transfer import send_identity, send_inputs, take_shard
from flows.stages.probe import GROUPED_BATCHES
from flows.stages.stage_table import stage_table
from schemas.errors import BadInput, Unfinished
from schemas.protocols.responder import Ask, Decoding, Reply, Responder
from schemas.recipes.build_recipe import read_build_recipe
from schemas.storage.artifacts import MANIFEST, write_json
from schemas.vocabulary import STAGES, Stage
from tests.servers.s3_server import s3_bucket  # noqa: F401 - a fixture
from tests.servers.waiting import wait_for
from tests.worlds.growing_build import JOINING, RECIPE, CutOff, hashes

UNTIL: Stage = "questions"
SMALLER = RECIPE.replace("limit = 8", "limit = 4").replace("shard = 5", "shard = 2")
"""Two shards of two, where the larger one has four."""
LARGER = RECIPE.replace("shard = 5", "shard = 2")


def begin(folder: Path, recipe_text: str = RECIPE) -> BuildFolder:
    """A build folder with nothing new in it but what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(recipe_text)
    recipe = read_build_recipe(folder / "recipe.toml")
    from flows.pipeline.build_identity import identity_of

    write_json(folder / "build.json", identity_of(recipe).model_dump(mode="json"))
    return batches_of(folder, recipe)[-1]


def new_store() -> Store:
    return Store(f"memory://{uuid4().hex}/build")


def bring(
    build: BuildFolder,
    store: Store | None,
    *,
    stages: Sequence[Stage] = STAGES[: STAGES.index(UNTIL) + 1],
    sent: Callable[[Stage], bool] = lambda stage: stage != "select",
    responder: Responder | None = None,
) -> None:
    """Bring stages up to date, those that are `sent` by orders."""
    with Resources(build.path, build.recipe, responders=responders(responder)) as resources:
        table = stage_table(resources)
        for stage in stages:
            ordered = partial(by_order, store, build, table[stage])
            run_stage(build, table[stage], table, execute=ordered if sent(stage) else run_in_process)


def responders(responder: Responder | None) -> Mapping[str, Responder]:
    return {"hf:sandbox": responder} if responder is not None else {}


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
    orders = addressed(calls, store, build, spec)
    if store is not None and calls:
        send_inputs(store, build, spec, orders)
    for order in orders:
        do_shard(order)
        do_shard(order)  # a worker that is lost after it has finished has its work done again
        if store is not None:
            take_shard(store, build.path, order)
        calls[order.number].finished()


def orders_of(build: BuildFolder, stage: Stage, store: Store | None = None) -> list[ShardOrder]:
    """The orders of a stage's first phase, of which none is carried out; its inputs are in the store."""
    found: list[ShardOrder] = []
    with Resources(build.path, build.recipe) as resources:
        table = stage_table(resources)

        def keep(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
            found.extend(addressed(calls, store, build, table[stage]))
            if store is not None:
                send_inputs(store, build, table[stage], found)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_stage(build, table[stage], table, execute=keep)
    return found


def close_worker() -> None:
    for resources in dask_worker._resources.values():
        resources.__exit__(None, None, None)
    for name in ("_resources", "_phases", "_scratch"):
        getattr(dask_worker, name).clear()


def scratch_of(store: Store) -> Path:
    """The folder of the worker that this process is."""
    return Path(dask_worker._scratch[store.url].name)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """The build made on the spot, until the questions."""
    build = begin(tmp_path_factory.mktemp("plain") / "build")
    bring(build, None, sent=lambda stage: False)
    return build


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """As a worker that has just started; what it keeps open is closed."""
    yield
    close_worker()


@pytest.mark.parametrize("kind", ["folder", "memory", "s3"])
def test_orders_carried_out_give_the_same_bytes(
    kind: str, plain: BuildFolder, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls = {"memory": f"memory://{uuid4().hex}/build"}
    if kind == "s3":
        urls["s3"] = f"s3://{request.getfixturevalue('s3_bucket')}/{uuid4().hex}"
    build = begin(tmp_path / "build")
    store = Store(urls[kind]) if kind in urls else None
    bring(build, store)
    assert hashes(build.path) == hashes(plain.path)


def test_a_driver_that_starts_again_with_an_empty_store_goes_on(plain: BuildFolder, tmp_path: Path) -> None:
    build = begin(tmp_path / "build")
    bring(build, Store(f"memory://{uuid4().hex}/build"))
    for stage in ("screen", "questions"):
        shutil.rmtree(build.artifact(stage))
    bring(build, Store(f"memory://{uuid4().hex}/build"))
    assert hashes(build.path) == hashes(plain.path)


def test_a_build_goes_on_with_an_empty_store_at_any_stage(plain: BuildFolder, tmp_path: Path) -> None:
    shutil.copytree(plain.path, tmp_path / "build")
    shutil.rmtree(tmp_path / "build/questions")
    build = begin(tmp_path / "build")
    bring(build, new_store(), sent=lambda stage: stage == "questions")
    assert hashes(build.path) == hashes(plain.path)


def test_a_later_batch_finds_what_it_reads_of_the_earlier_ones_in_an_empty_store(
    plain: BuildFolder, tmp_path: Path
) -> None:
    found = []
    for name, store in (("local", None), ("sent", new_store())):
        shutil.copytree(plain.path, tmp_path / name)
        write_request(tmp_path / name, BatchRequest(batch=1, asked=JOINING[:1], subjects=JOINING[:1]))
        build = begin(tmp_path / name)
        assert build.batch == 1
        bring(build, store, sent=lambda stage, store=store: store is not None and stage in ("screen", "questions"))
        found.append(hashes(build.path))
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def shrunk(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildFolder, Store, Path]:
    """A build that was larger before, its store, and the folder of the worker that did the shards of both."""
    folder, store = tmp_path_factory.mktemp("shrunk"), new_store()
    for text in (LARGER, SMALLER):
        build = begin(folder / "build", text)
        bring(build, store, sent=lambda stage: stage in ("screen", "questions"))
    shutil.copytree(scratch_of(store), folder / "worker")
    close_worker()
    return build, store, folder / "worker"


def test_of_a_larger_build_no_table_stays_in_the_store(shrunk: tuple[BuildFolder, Store, Path]) -> None:
    build, store, _ = shrunk
    names = {path.name for path in build.artifact("facts").glob("*.parquet")}
    assert store.sizes("facts/0").keys() == {*names, MANIFEST}


def test_a_worker_that_lives_on_keeps_no_input_of_an_earlier_build(shrunk: tuple[BuildFolder, Store, Path]) -> None:
    build, _, worker = shrunk
    read = [path.relative_to(worker) for stage in ("images", "facts", "screen") for path in worker.glob(f"{stage}/0/*")]
    assert Path("facts/0/facts-00001.parquet") in read
    for path in read:
        assert (worker / path).read_bytes() == (build.path / path).read_bytes()


def test_a_worker_replaces_an_input_of_the_same_size_with_other_bytes(plain: BuildFolder, tmp_path: Path) -> None:
    store = new_store()
    shutil.copytree(plain.path, tmp_path / "build")
    build = begin(tmp_path / "build")
    for round_ in range(2):
        shutil.rmtree(build.artifact("questions"))
        bring(build, store, sent=lambda stage: stage == "questions")
        own = scratch_of(store) / "facts/0"
        if round_ == 0:  # as if the worker had them of an artifact before this one
            (own / "facts-00000.parquet").write_bytes(bytes((own / "facts-00000.parquet").stat().st_size))
            (own / MANIFEST).write_text((own / MANIFEST).read_text().replace('"key": "', '"key": "0'))
            shutil.rmtree(scratch_of(store) / "questions")  # so that its shards are done, and read facts, once more
            dask_worker._phases.clear()
    assert (own / "facts-00000.parquet").read_bytes() == (build.artifact("facts") / "facts-00000.parquet").read_bytes()
    assert hashes(build.path) == hashes(plain.path)


def test_a_worker_does_a_shard_that_was_done_when_it_reached_the_phase(tmp_path: Path) -> None:
    build = begin(tmp_path / "build")
    bring(build, None, stages=("select",))
    first, second = orders_of(build, "facts")
    do_shard(first)
    close_worker()
    do_shard(second)  # reaches the phase when the first is done
    made = hashes(build.artifact("facts"))
    shutil.rmtree(build.artifact("facts"))
    for order in orders_of(build, "facts"):
        do_shard(order)
    assert hashes(build.artifact("facts")) == made


def test_a_worker_with_other_code_refuses_an_order_with_both_versions(tmp_path: Path) -> None:
    build = begin(tmp_path / "build")
    bring(build, None, stages=("select",))
    (order, *_) = orders_of(build, "facts")
    other = tuple((name, "0.0.1+other" if name == "ppubench" else version) for name, version in order.versions)
    with pytest.raises(BadInput) as refusal:
        do_shard(replace(order, versions=other))
    assert f"a worker: runs ppubench {project_version()}, and the build ppubench 0.0.1+other;" in str(refusal.value)


def test_a_shard_of_a_stage_that_was_begun_anew_is_not_pushed(tmp_path: Path) -> None:
    store, build = new_store(), begin(tmp_path / "build")
    bring(build, None, stages=("select",))
    (order, *_) = orders_of(build, "facts", store)
    store.begin(build.path, "facts", 0, "another state")
    with pytest.raises(Unfinished, match="the stage facts was begun anew"):
        do_shard(order)
    assert "facts-00000.parquet" not in store.sizes("facts/0")


def test_a_store_of_another_build_is_refused_with_both(tmp_path: Path) -> None:
    store = new_store()
    send_identity(store, begin(tmp_path / "one").path)
    with pytest.raises(BadInput) as refusal:
        send_identity(store, begin(tmp_path / "two", RECIPE.replace("people = 12", "people = 13")).path)
    assert "holds a build of recipe 'grow' (kind=sandbox people=12" in str(refusal.value)
    assert "not of 'grow' (kind=sandbox people=13" in str(refusal.value)


def test_a_request_that_was_given_up_is_gone_from_store_and_worker(tmp_path: Path) -> None:
    store, build = new_store(), begin(tmp_path / "build")
    write_request(build.path, BatchRequest(batch=1, asked=("x",), subjects=("Q1",)))
    send_identity(store, build.path)
    transfer.fetch_build(store, tmp_path / "worker")
    assert (tmp_path / "worker/batches/1.json").exists()
    (build.path / "batches/1.json").unlink()
    send_identity(store, build.path)
    transfer.fetch_build(store, tmp_path / "worker")
    assert not (tmp_path / "worker/batches/1.json").exists()


def test_verdicts_that_were_deleted_are_gone_from_store_and_worker(tmp_path: Path) -> None:
    store, build = new_store(), begin(tmp_path / "build")
    (build.path / VERDICTS).write_text("x")
    send_identity(store, build.path)
    transfer.fetch_build(store, tmp_path / "worker")
    assert (tmp_path / "worker" / VERDICTS).exists()
    (build.path / VERDICTS).unlink()
    send_identity(store, build.path)
    transfer.fetch_build(store, tmp_path / "worker")
    assert sorted(path.name for path in (tmp_path / "worker").iterdir()) == ["build.json", "recipe.toml"]


def test_another_target_replaces_the_one_in_the_store_and_on_the_worker(tmp_path: Path) -> None:
    store = new_store()
    for weights in ("old weights", "new weights"):
        for name, content in ((KEY_FILE, weights), ("model.safetensors", weights), (f"of {weights}", "")):
            path = tmp_path / weights / "target" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        transfer._send_target(store, tmp_path / weights)
        transfer._fetch_target(store, tmp_path / "worker")
    assert hashes(tmp_path / "worker/target") == hashes(tmp_path / "new weights/target")


class Counting:
    """Answers at once from the build's tables and counts the asks."""

    identity = "instant"

    def __init__(self, build: Path) -> None:
        self.asks, self._responder = 0, InstantResponder(build, share=0.8)

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        for reply in self._responder.answer(asks, decoding):
            self.asks += 1
            yield reply


@pytest.fixture
def asking(plain: BuildFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs the probe of a copy of the plain build by orders, with a responder."""
    shutil.copytree(plain.path, tmp_path / "build")
    build = begin(tmp_path / "build")

    def ask(
        responder: Responder, store: Store | None, *, stages: Sequence[Stage] = ("probe",), sent: bool = True
    ) -> None:
        close_worker()
        monkeypatch.setattr(dask_worker, "Resources", partial(Resources, responders=responders(responder)))
        bring(build, store, stages=stages, sent=lambda stage: sent, responder=responder)

    return ask


def test_probe_and_attack_by_orders_give_the_same_bytes(asking: Callable[..., None], tmp_path: Path) -> None:
    stages, build = ("probe", "split", "attack"), tmp_path / "build"
    asking(InstantResponder(build, share=0.8), None, stages=stages, sent=False)
    wanted = hashes(build)
    for name in (*stages, "answers"):
        shutil.rmtree(build / name)
    store = new_store()
    asking(InstantResponder(build, share=0.8), store, stages=("probe",))
    asking(InstantResponder(build, share=0.8), store, stages=("split",), sent=False)
    asking(InstantResponder(build, share=0.8), store, stages=("attack",))
    assert hashes(build) == wanted


def test_a_probe_that_is_judged_again_with_a_new_store_asks_nothing(
    asking: Callable[..., None], tmp_path: Path
) -> None:
    first, second = Counting(tmp_path / "build"), Counting(tmp_path / "build")
    asking(first, new_store())
    wanted = hashes(tmp_path / "build")
    shutil.rmtree(tmp_path / "build/probe")
    asking(second, new_store())
    assert first.asks > 0
    assert second.asks == 0
    assert hashes(tmp_path / "build") == wanted


def test_what_a_shard_was_told_before_it_failed_is_not_asked_again(asking: Callable[..., None], tmp_path: Path) -> None:
    store, build = new_store(), tmp_path / "build"
    together = GROUPED_BATCHES * begin(build).recipe.probe.batch
    whole, rest = Counting(build), Counting(build)
    with pytest.raises(KeyboardInterrupt):
        asking(CutOff(InstantResponder(build, share=0.8), after=2 * together), store)
    assert not list((build / "answers").glob("probe/0/*/*.jsonl"))
    asking(rest, store)
    shutil.rmtree(build / "probe")
    shutil.rmtree(build / "answers")
    asking(whole, new_store())
    assert rest.asks == whole.asks - 2 * together


def test_replies_of_the_driver_and_of_the_store_are_put_together(tmp_path: Path) -> None:
    store, log = new_store(), "answers/probe/0/key/00003.jsonl"
    (tmp_path / log).parent.mkdir(parents=True)
    (tmp_path / log).write_text("head\none\ntwo\ncut o")
    store.write(log, b"head\none\nthree\n")
    transfer.share_replies(store, tmp_path, "probe", 0, [3])
    assert (tmp_path / log).read_text() == "head\none\ntwo\nthree\n"
    assert store.read(log) == b"head\none\ntwo\nthree\n"


def test_replies_are_in_the_store_while_a_shard_is_being_done(
    asking: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store()
    monkeypatch.setattr(dask_worker, "SAVE_EVERY_S", 0.02)

    def arrived() -> bool:
        logs = [f"answers/probe/0/{log}/00000.jsonl" for log in store.folders("answers/probe/0")]
        return any((store.read(log) or b"").count(b"\n") > 9 for log in logs)

    class Waiting(CutOff):
        def answer(self, asks: Sequence[Ask], decoding: Decoding) -> Iterator[Reply]:
            for number, reply in enumerate(super().answer(asks, decoding)):
                yield reply
                if number == 9:
                    wait_for(arrived)  # in vain, if the replies come only when the shard ends

    with pytest.raises(KeyboardInterrupt):
        asking(Waiting(InstantResponder(tmp_path / "build", share=0.8), after=20), store)


def test_an_order_of_another_state_of_the_build_is_refused(tmp_path: Path) -> None:
    build = begin(tmp_path / "build")
    bring(build, None, stages=("select",))
    (order, *_) = orders_of(build, "facts")
    (build.path / "recipe.toml").write_text(RECIPE.replace('gated = "open"', 'gated = "drop"'))
    with pytest.raises(BadInput, match="a worker finds key .* for stage facts"):
        do_shard(order)


def test_a_worker_that_sees_other_inputs_of_the_same_key_is_refused(tmp_path: Path) -> None:
    build = begin(tmp_path / "build")
    bring(build, None, stages=("select",))
    (order, *_) = orders_of(build, "facts")
    with pytest.raises(BadInput, match="a worker finds other artifacts than the build for stage facts"):
        do_shard(replace(order, inputs="others"))


def test_a_worker_with_more_threads_does_as_many_shards_at_once_as_the_stage_allows() -> None:
    running, most = [0], [0]

    def work() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.05)
        running[0] -= 1

    order = ShardOrder("/b", 0, "probe", "answers", 0, "key")
    calls = {number: ShardCall(replace(order, number=number), work, lambda: None) for number in range(6)}
    phase = dask_worker._Phase(calls, Semaphore(1))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(phase.do, calls))
    assert most[0] == 1
