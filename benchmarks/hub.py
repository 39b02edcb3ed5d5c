"""How fast a release of 500 people loads, how large its files are, and what publishing five more people sends.

Run it as `python -m benchmarks.hub`. Baseline of sizes: the bytes of a config's distinct pictures. Baseline of what
travels: the first publication. Wanted: a config loads in at most 2 s from the cache and gives its first row in at most
1 s when streamed (with `datasets` imported); its Parquet takes at most twice its distinct pictures and 10 MB; of a
second publication only new and changed files travel.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MB = 1_000_000
CONFIGS = ("train_pair_tiny", "ppu_eval_generation", "cross_image_selective")
LOAD = """
import os, sys, time
began = time.perf_counter()
import torch
from datasets import load_dataset
imported = time.perf_counter() - began
began = time.perf_counter()
rows = load_dataset(sys.argv[1], sys.argv[2], split=sys.argv[3], cache_dir=sys.argv[4])
loaded = time.perf_counter() - began
began = time.perf_counter()
next(iter(load_dataset(sys.argv[1], sys.argv[2], split=sys.argv[3], streaming=True)))
print(imported, loaded, time.perf_counter() - began, len(rows), flush=True)
os._exit(0)  # threads of a stream that is not read to its end may abort the interpreter at its exit
"""


def write_release(folder: Path, *, people: int, later: int, facts: int, sensitive: int, side: int) -> Iterator[None]:
    """Export `people` subjects, and at the next step `later` more beside them."""
    from curation.export.batch_parts import EarlierBatch
    from curation.export.export import ReleaseRequest, export_release
    from schemas.vocabulary import RATIOS
    from tests.worlds.eval_world import CARD
    from tests.worlds.synthetic_build import make_bundles

    bundles = make_bundles(people + later, facts=facts, sensitive=sensitive, side=side)
    card = CARD.model_copy(update={"contact": "takedown@example.org"})
    for batch, own in enumerate((bundles[:people], bundles[people:])):
        earlier = [EarlierBatch(folder / "pieces" / "0", lambda: bundles[:people])] if batch else []
        export_release(
            folder / "hub",
            own,
            ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=card.sensitive),
            card=card,
            piece=folder / "pieces" / str(batch),
            earlier=earlier,
        )
        yield


def distinct_picture_bytes(hub: Path, config: str) -> int:
    """Bytes of the different pictures of a config."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes: dict[str, int] = {}
    for path in sorted((hub / "data" / config).glob("*.parquet")):
        shown = [field.name for field in pq.read_schema(path) if pa.types.is_struct(field.type)]
        with pq.ParquetFile(path, read_dictionary=[f"{name}.bytes" for name in shown]) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, columns=shown)
                for name in shown:
                    for content in table.column(name).combine_chunks().field("bytes").dictionary.to_pylist():
                        sizes[hashlib.sha256(content).hexdigest()] = len(content)
    return sum(sizes.values())


def print_loading(hub: Path, cache: Path) -> None:
    """The table of sizes and loading times; every line in a fresh process, the second one of a config is printed."""
    print("| config | rows | distinct pictures MB | Parquet MB | bound MB | load from cache s | first row streamed s |")
    print("|---|---|---|---|---|---|---|")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    imported = 0.0
    for config in CONFIGS:
        split = "train" if config.startswith("train") else "test"
        command = [sys.executable, "-c", LOAD, str(hub), config, split, str(cache)]
        for _ in range(2):
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        imported, loaded, streamed, rows = map(float, done.stdout.split())
        pictures = distinct_picture_bytes(hub, config)
        size = sum(path.stat().st_size for path in (hub / "data" / config).iterdir())
        bound = 2 * pictures + 10 * MB
        print(
            f"| {config} | {int(rows):,} | {pictures / MB:.1f} | {size / MB:.1f} | {bound / MB:.1f} "
            f"| {loaded:.2f} | {streamed:.2f} |"
        )
    print(
        f"\nImporting torch and datasets before that: {imported:.1f} s (streaming imports torch if it is installed)\n"
    )


def print_publishing(folder: Path, steps: Iterator[None]) -> None:
    """The table of two publications on a loopback Hub."""
    from flows.publish.publish import PublishRequest, publish_folder
    from tests.servers.hub_server import OWNER, serve_hub

    print("| publication | s | files sent | MB sent | rows read back equal | commits |")
    print("|---|---|---|---|---|---|")
    with serve_hub() as hub:
        for name in ("first (baseline)", "with five more people", "again, unchanged"):
            sent = len(hub.uploaded)
            began = time.monotonic()
            report = publish_folder(folder, PublishRequest("tester/ppu", endpoint=hub.url, token=OWNER))
            if report.faults:
                sys.exit("\n".join(fault.line() for fault in report.faults[:5]))
            new = hub.uploaded[sent:]
            seconds, size = time.monotonic() - began, sum(each for _, each in new) / MB
            rows = report.repos[0].verified_rows
            commits = len(hub.dataset("tester/ppu").commits) - 1
            print(f"| {name} | {seconds:.1f} | {len(new)} | {size:.1f} | {rows or 0:,} | {commits} |", flush=True)
            next(steps, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--publish-people", type=int, default=50, help="people of the release that is published")
    parser.add_argument("--side", type=int, default=160, help="side of the pictures in pixels; they are noise")
    arguments = parser.parse_args()
    os.environ.update(HF_HUB_OFFLINE="0", HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
    with tempfile.TemporaryDirectory() as place:
        large, small = Path(place) / "large", Path(place) / "small"
        began = time.monotonic()
        next(write_release(large, people=arguments.people, later=0, facts=24, sensitive=8, side=arguments.side))
        print(f"Release of {arguments.people} people written in {time.monotonic() - began:.0f} s\n", flush=True)
        print_loading(large / "hub", Path(place) / "cache")
        steps = write_release(
            small, people=arguments.publish_people, later=5, facts=12, sensitive=5, side=arguments.side
        )
        next(steps)
        print_publishing(small, steps)


if __name__ == "__main__":
    main()
