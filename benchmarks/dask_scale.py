"""What Dask workers bring to the stages that are heavy on the processor: images and questions.

Run it as `python -m benchmarks.dask_scale`. The same build of the embedded world, until the stage questions, in one
process and on two workers of this machine; each in a process of its own. What counts is the time of the stages by their
own clocks, so that the start of Prefect and of the cluster does not; the workers have been warmed by the stage before.
How the world's faces are told apart is settled beforehand, as a build leaves it in the cache.
Wanted: on 2,000 subjects, images and questions together at least 1.5 times as fast on two workers. `--sizes` shows from
which size on it pays. "cores busy" is the processor time of the process, its workers and Prefect's server in the stage
images, by the time of the clock: what one process keeps busy limits what workers can bring on the same machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from schemas.storage.artifacts import cache_folder
from schemas.storage.tables import file_sha256
from sources.sandbox.world import make_world

RECIPE = """
name = "dask"
shard = {shard}
[source]
kind = "sandbox"
people = {people}
seed = {seed}
[select]
limit = {people}
min_sitelinks = 10
[facts]
gated = "open"
[images]
width = 330
[export]
target = "instant"
"""
HEAVY = ("images", "questions")
SEED = 7


def one_build(people: int, shard: int, workers: int) -> None:
    """Build in this process, with so many workers or (0) none, and print stage seconds and the digest of the tables."""
    from flows.building.build import build
    from flows.runners.dask_cluster import DaskRunner

    seen: list[tuple[float, float]] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "images" and done in (0, total):
            seen.append((time.monotonic(), processor_seconds()))

    with tempfile.TemporaryDirectory() as folder:
        recipe, out = Path(folder) / "dask.toml", Path(folder) / "build"
        recipe.write_text(RECIPE.format(people=people, shard=shard, seed=SEED))
        began = time.monotonic()
        runner = DaskRunner(workers=workers) if workers else None
        report = build(recipe, out, until="questions", dask=runner, progress=progress)
        seconds: dict[str, float | str] = {line.stage: line.seconds or 0.0 for line in report.stages}
        seconds["all"] = time.monotonic() - began
        (start, before), (end, after) = seen[0], seen[-1]
        seconds["cores"] = (after - before) / (end - start)
        tables = sorted(out.rglob("*.parquet"))
        seconds["bytes"] = " ".join(file_sha256(path)[:16] for path in tables)
    print(json.dumps(seconds))


def processor_seconds() -> float:
    """User and system time of this process and all that it started and that still runs."""
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def measured(people: int, shard: int, workers: int) -> dict[str, float | str]:
    command = [sys.executable, "-m", "benchmarks.dask_scale", "--one", str(people), "--shard", str(shard)]
    done = subprocess.run([*command, "--workers", str(workers)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float | str] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shard", type=int, default=50, help="subjects a shard")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_build(arguments.one, arguments.shard, arguments.workers)
        return
    print(
        "| subjects | workers | images s | cores busy | questions s | both, times as fast | whole run s | same bytes |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for size in arguments.sizes:
        make_world(people=size, seed=SEED, cache=cache_folder() / "worlds").face(size - 1)
        alone = measured(size, arguments.shard, 0)
        for workers, found in ((0, alone), (arguments.workers, measured(size, arguments.shard, arguments.workers))):
            heavy, base = (sum(float(run[stage]) for stage in HEAVY) for run in (found, alone))
            images, questions = (f"{float(found[stage]):.1f}" for stage in HEAVY)
            same = "yes" if found["bytes"] == alone["bytes"] else "NO"
            name = workers or "one process"
            print(
                f"| {size:,} | {name} | {images} | {float(found['cores']):.2f} | {questions} "
                f"| {base / heavy:.2f} | {float(found['all']):.0f} | {same} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
