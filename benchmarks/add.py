"""What adding five people to a large build costs beside building it, with an instant responder.

Run it as `python -m benchmarks.add`. The build and the addition run in one process, one after the other, with one
Prefect server, whose start is timed apart; what an addition takes beside its stages is the start of nine flows. Wanted:
adding 5 to 500 takes at most 5 % of the full build's time plus the start of the flows.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

RECIPE = """
name = "add"
[source]
kind = "sandbox"
people = {world}
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


def seconds(run: Callable[[], object]) -> float:
    """Wall seconds of a call."""
    began = time.monotonic()
    run()
    return time.monotonic() - began


def measure(people: int, added: int, width: int) -> None:
    from benchmarks.instant import InstantResponder
    from benchmarks.world_server import world_source
    from flows.building.add import add
    from flows.building.build import build
    from flows.runners.prefect_server import running_server
    from sources.sandbox.world import make_world

    world = make_world(people=people + added, seed=7)
    newcomers = world.subjects[people:]
    with tempfile.TemporaryDirectory() as folder:
        recipe, out = Path(folder) / "add.toml", Path(folder) / "build"
        recipe.write_text(RECIPE.format(world=people + added, people=people, width=width))
        home = Path(os.environ.get("PREFECT_HOME", ".prefect")).resolve()
        with world_source(people=people + added, seed=7, width=width) as source, ExitStack() as stack:

            def start() -> None:
                os.environ.update(stack.enter_context(running_server(home)))

            def whole() -> None:
                build(recipe, out, source=source, responders={"hf:sandbox": InstantResponder(out, share=0.5)})

            def addition() -> None:
                responder = InstantResponder(out, share=0.5, batch=1)
                report = add(out, newcomers, source=source, responders={"hf:sandbox": responder})
                stages = " ".join(f"{one.stage}={one.seconds:.1f}" for one in report.batches[0].stages if one.seconds)
                at_work.append(sum(one.seconds or 0 for one in report.batches[0].stages))
                joined = sum(one.state == "joined" for one in report.batches[0].people)
                print(f"{joined} of {len(newcomers)} joined; seconds by stage: {stages}\n")

            at_work: list[float] = []
            start_s, built_s, added_s = seconds(start), seconds(whole), seconds(addition)
    stages_s = at_work[0]
    print("| subjects | build s | added | add s | of it stages | stages' share of the build | server's start s |")
    print("|---|---|---|---|---|---|---|")
    share = f"{100 * stages_s / built_s:.1f} %"
    print(f"| {people} | {built_s:.1f} | {added} | {added_s:.1f} | {stages_s:.1f} | {share} | {start_s:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--added", type=int, default=5)
    parser.add_argument("--width", type=int, default=960, help="thumbnail width in pixels")
    arguments = parser.parse_args()
    measure(arguments.people, arguments.added, arguments.width)


if __name__ == "__main__":
    main()
