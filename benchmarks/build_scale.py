"""How a build's time and memory grow with its subjects where the responder costs nothing and pictures lie ready.

Run it as `python -m benchmarks.build_scale`; each size runs in a process of its own, so that peaks do not add up.
Baseline: the same build at the first size. Wanted: 500 subjects at most 120 s and 1.5 GB; 2,000 subjects at most 4.4
times that time, and memory within 20 %.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """
name = "scale"
[source]
kind = "sandbox"
people = {people}
[select]
limit = {people}
min_sitelinks = 10
[facts]
gated = "open"
[images]
width = {width}
[export]
target = "instant"
"""


def peak_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_size(people: int, width: int) -> None:
    """Build once in this process and print stage seconds, totals and peak memory, tab-separated."""
    from benchmarks.instant import InstantResponder
    from benchmarks.world_server import world_source
    from flows.building.build import build

    with tempfile.TemporaryDirectory() as folder:
        recipe, out = Path(folder) / "scale.toml", Path(folder) / "build"
        recipe.write_text(RECIPE.format(people=people, width=width))
        with world_source(people=people, seed=7, width=width) as source:
            start = time.monotonic()
            peaks: dict[str, float] = {}
            report = build(
                recipe,
                out,
                progress=lambda stage, done, total: peaks.update({stage: peak_mb()}),
                source=source,
                responders={"hf:sandbox": InstantResponder(out, share=0.5)},
            )
            seconds = time.monotonic() - start
    rows = {table: count for stage in report.stages for table, count in stage.rows.items()}
    parts = " ".join(
        f"{stage.stage}={stage.seconds:.0f}/{peaks.get(stage.stage, peak_mb()):.0f}"
        for stage in report.stages
        if stage.seconds is not None
    )
    print(f"{people}\t{rows['facts']}\t{rows['images']}\t{seconds:.1f}\t{peak_mb():.0f}\t{parts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--width", type=int, default=960, help="thumbnail width in pixels")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_size(arguments.one, arguments.width)
        return
    print("| subjects | candidate facts | pictures | s | times the first | peak MB | seconds / peak so far by stage |")
    print("|---|---|---|---|---|---|---|")
    first = 0.0
    for size in arguments.sizes:
        command = [sys.executable, "-m", "benchmarks.build_scale", "--one", str(size), "--width", str(arguments.width)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        people, facts, pictures, seconds, peak, parts = done.stdout.strip().split("\t")
        first = first or float(seconds)
        print(
            f"| {int(people):,} | {int(facts):,} | {int(pictures):,} | {seconds} | {float(seconds) / first:.2f} "
            f"| {int(peak):,} | {parts} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
