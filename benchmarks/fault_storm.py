"""A build through a storm of faults: the same bytes as in calm weather, and no limit broken while it lasts.

Run it as `python -m benchmarks.fault_storm`. Three builds of one recipe: against a server without faults, through the
storm (5 % 429 with Retry-After 1 s, 3 % 5xx, 1 % cut bodies, 1 % time-outs, 2 % maxlag), and offline from the storm's
cache. Wanted: equal bytes, no limit broken by the server's own count, and zero requests offline.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.instant import InstantResponder
from benchmarks.world_server import Seen, WorldProcess, world_process
from flows.building.build import build
from schemas.storage.artifacts import TIMING
from schemas.storage.tables import file_sha256
from schemas.vocabulary import STAGES, Service
from sources.http_client.rate_limits import LIMITS
from sources.sandbox.server.faults import Faults
from sources.sandbox.server.server import COMMONS_HOST, QUERY_HOST, UPLOAD_HOST, WIKIDATA_HOST
from sources.wikimedia.source import COMMONS_HOST as COMMONS
from sources.wikimedia.source import QUERY_HOST as QUERY
from sources.wikimedia.source import WIKIDATA_HOST as WIKIDATA

STORM = Faults(
    rate_limited=0.05,
    server_error=0.03,
    cut_body=0.01,
    slow=0.01,
    maxlag=0.02,
    slow_s=30.0,
    retry_after_s=1,
    retry_after_on_5xx=False,
    most_per_url=4,
)
RATES: dict[Service, int] = {"action": 1200, "query": 120}
"""Requests a minute. Wikimedia's 200 and 30 would make the storm last an hour; the connections are its own."""
SPEC = "openai:http://127.0.0.1:9/v1#instant"
RECIPE = """
name = "storm"
[source]
kind = "wikidata"
contact = "storm@ppubench.example"
cache = {cache}
timeout_s = 2.0
[source.routes]
{routes}
[source.limits]
{limits}
[select]
limit = {people}
min_sitelinks = 10
[images]
width = {width}
[probe]
responder = "{spec}"
[export]
target = "instant"
"""


@dataclass(frozen=True)
class Built:
    """One build: its bytes (sha256 by path), what it sent, and how long it took."""

    digests: dict[str, str]
    requests: int
    seconds: float


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a finished build's stages and dataset, apart from when it was made."""
    named = [folder / stage for stage in STAGES] + [folder / "hub", folder / "hub_gated"]
    files = (path for top in named for path in top.rglob("*") if path.is_file() and path.name != TIMING)
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(files)}


def recipe_text(world: WorldProcess, cache: Path, *, people: int, width: int) -> str:
    """The recipe of a build from live Wikidata, whose hosts are routed to the world's server."""
    stand_in = {WIKIDATA: WIKIDATA_HOST, COMMONS: COMMONS_HOST, QUERY: QUERY_HOST, UPLOAD_HOST: UPLOAD_HOST}
    routes = "\n".join(f"{json.dumps(host)} = {json.dumps(world.routes[other])}" for host, other in stand_in.items())
    limits = "\n".join(
        f"{service} = {{per_minute = {RATES[service]}, burst = 10, connections = {limit.connections}}}"
        if service in RATES
        else f"{service} = {{connections = {limit.connections}}}"
        for service, limit in LIMITS.items()
    )
    return RECIPE.format(
        cache=json.dumps(str(cache)), routes=routes, limits=limits, people=people, width=width, spec=SPEC
    )


def built(folder: Path, recipe: Path, *, offline: bool) -> Built:
    """Build once, in a process of its own, and read off what it made."""
    start = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.fault_storm", "--one", str(recipe), "--out", str(folder)]
    done = subprocess.run([*command, *(["--offline"] if offline else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return Built(digests(folder), int(done.stdout.split()[-1]), time.monotonic() - start)


def one(recipe: Path, folder: Path, *, offline: bool) -> None:
    """Build in this process and print how many requests that took."""
    report = build(recipe, folder, responders={SPEC: InstantResponder(folder, share=0.5)}, offline=offline)
    print(report.requests)


def broken_limits(seen: dict[Service, Seen]) -> list[str]:
    """Every limit that was broken at some moment, by the server's count."""
    problems = []
    for service, counts in seen.items():
        most = LIMITS[service].connections or 0
        if counts.most_at_once > most:
            problems.append(f"{service}: {counts.most_at_once} requests at once, {most} allowed")
        if counts.most_in_a_minute > RATES.get(service, counts.most_in_a_minute):
            problems.append(f"{service}: {counts.most_in_a_minute} requests in a minute, {RATES[service]} allowed")
        if counts.too_early:
            problems.append(f"{service}: {counts.too_early} requests during a Retry-After")
    return problems


def differences(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Files that are not the same in both."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--width", type=int, default=330, help="thumbnail width in pixels")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--offline", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one, arguments.out, offline=arguments.offline)
        return
    with (
        tempfile.TemporaryDirectory() as name,
        world_process(people=arguments.people, seed=7) as world,
    ):
        top = Path(name)
        builds: dict[str, Built] = {}
        print("| build | files | requests | s | at once: action, query, media | a minute: action, query | too early |")
        print("|---|---|---|---|---|---|---|")
        problems: list[str] = []
        for weather, faults in (("calm", Faults()), ("storm", STORM), ("offline", Faults())):
            recipe = top / f"{weather}.toml"
            cache = top / ("cache-calm" if weather == "calm" else "cache-storm")
            recipe.write_text(recipe_text(world, cache, people=arguments.people, width=arguments.width))
            world.set_faults(faults)
            done = builds[weather] = built(top / weather, recipe, offline=weather == "offline")
            seen = world.seen()
            problems += [f"{weather}: {problem}" for problem in broken_limits(seen)]
            at_once = ", ".join(str(seen[service].most_at_once) for service in ("action", "query", "media"))
            minute = ", ".join(str(seen[service].most_in_a_minute) for service in ("action", "query"))
            early = sum(counts.too_early for counts in seen.values())
            row = (weather, str(len(done.digests)), f"{done.requests:,}", f"{done.seconds:.0f}", at_once, minute)
            print(f"| {' | '.join(row)} | {early} |", flush=True)
            differing = differences(builds["calm"].digests, done.digests)
            problems += [f"{weather}: {name} differs from the calm build's" for name in differing]
        if builds["offline"].requests:
            problems.append(f"offline: {builds['offline'].requests} requests were sent")
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
