"""How fast a dump is read, and in how much memory, at two sizes of dump.

Run it as `python -m benchmarks.dump`; each measurement runs in a process of its own. Baseline: gzip.open and
json.loads on every line. A whole extraction reads the dump three times. Wanted: at least 60 MB/s of decompressed
JSON on two cores for gz and zst; for bz2 what two cores of its decompressor give; at most 500 MB of memory at both
sizes.
"""

import argparse
import bz2
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.dump_file import compress, write_dump

BASELINE_BYTES = 100_000_000
MIN_SITELINKS = 10


def extraction(path: Path) -> int:
    """All three rounds; returns decompressed bytes read."""
    from flows.building.dump import extract
    from sources.dump.entity_filter import PeopleRule

    with tempfile.TemporaryDirectory() as folder:
        report = extract(path, Path(folder) / "out", rule=PeopleRule(min_sitelinks=MIN_SITELINKS))
    print(f"{report.manifest.people}/{report.manifest.values}", file=sys.stderr)
    return 3 * report.manifest.bytes


def people(path: Path) -> int:
    """The first round alone."""
    from sources.dump.entity_filter import PeopleRule
    from sources.dump.extract import Wish, read_progress, read_round
    from sources.dump.store import DumpStore

    with tempfile.TemporaryDirectory() as folder:
        store = DumpStore(Path(folder), writing=True)
        wish = Wish(PeopleRule(min_sitelinks=MIN_SITELINKS), frozenset(), frozenset())
        read_round(path, store, wish, allow_cut=False, threads=2, advance=lambda done, size: None)
        read = read_progress(store).bytes
        store.close()
    return read


def bare(path: Path) -> int:
    """The decompressor alone, its output thrown away; for bzip2 with two threads."""
    from sources.dump.blocks import START
    from sources.dump.streams import read_blocks

    return sum(len(block.content) for block in read_blocks(path, START, threads=2))


def library(path: Path) -> int:
    """bz2 of the standard library in two threads, each reading the whole file: what two cores can give."""

    def read(_: int) -> int:
        total = 0
        with bz2.open(path) as file:
            while piece := file.read(2**22):
                total += len(piece)
        return total

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(read, range(2)))


def baseline(path: Path) -> int:
    """gzip.open and json.loads on every line of the first 100 MB."""
    total = kept = 0
    with gzip.open(path) as file:
        for line in file:
            total += len(line)
            text = line.strip(b",\n")
            if len(text) > 1:
                entity = json.loads(text)
                claims = entity["claims"].get("P31", [])
                ids = [claim["mainsnak"].get("datavalue", {}).get("value", {}).get("id") for claim in claims]
                kept += "Q5" in ids and len(entity["sitelinks"]) >= MIN_SITELINKS
            if total >= BASELINE_BYTES:
                break
    return total


WAYS: dict[str, Callable[[Path], int]] = {
    "gzip.open, json.loads": baseline,
    "decompressor alone": bare,
    "bz2 of the standard library, two threads": library,
    "people": people,
    "three rounds": extraction,
}


def one(way: str, path: Path) -> None:
    """Measure in this process: decompressed bytes, wall and CPU seconds, peak memory in MB."""
    start = time.monotonic()
    read = WAYS[way](path)
    seconds, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
    print(f"{read}\t{seconds:.2f}\t{used.ru_utime + used.ru_stime:.2f}\t{peak_mb():.0f}")


def peak_mb() -> float:
    """Largest resident memory of this process so far, MB; ru_maxrss would count the benchmark that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(way: str, path: Path, size: int) -> None:
    """Print one row of the table."""
    command = [sys.executable, "-m", "benchmarks.dump", "--one", way, "--path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    read, seconds, used, peak = done.stdout.strip().split("\t")
    rate = int(read) / 1e6 / float(seconds)
    print(f"| {way} | {path.suffix[1:]} | {size / 1e6:.0f} | {rate:.0f} | {seconds} | {used} | {peak} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=[250, 1000], help="MB of JSON of the two dumps")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one, arguments.path)
        return
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores")
    print("| what | file | MB of JSON | MB/s | s | CPU s | peak MB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for place, size in enumerate(arguments.sizes):
            plain = Path(folder) / f"dump{size}.json"
            made = write_dump(plain, size * 1_000_000)
            for suffix in (".gz", ".zst", ".bz2"):
                packed = compress(plain, suffix)
                if suffix == ".gz" and place == 0:
                    measure("gzip.open, json.loads", packed, made)
                measure("decompressor alone", packed, made)
                if suffix == ".bz2":
                    measure("bz2 of the standard library, two threads", packed, made)
                measure("people", packed, made)
                if suffix != ".bz2":
                    measure("three rounds", packed, made)
                packed.unlink()
            plain.unlink()


if __name__ == "__main__":
    main()
