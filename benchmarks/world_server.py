"""The embedded world in a process of its own, its pictures drawn beforehand: what Commons has lying ready."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import get_args

from schemas.protocols.source import Source
from schemas.storage.artifacts import cache_folder
from schemas.vocabulary import Service
from sources.http_client.client import PoliteClient, Retries
from sources.sandbox import file_bytes
from sources.sandbox.server.faults import Faults
from sources.sandbox.server.server import COMMONS_HOST, QUERY_HOST, WIKIDATA_HOST, RunningServer, serve
from sources.sandbox.world import make_world
from sources.wikimedia.source import WikimediaSource


@dataclass(frozen=True)
class Seen:
    """What the server saw of one service since its faults were last set."""

    requests: int
    most_at_once: int
    most_in_a_minute: int
    too_early: int
    """Requests that came while a Retry-After was still running."""


@dataclass(frozen=True)
class WorldProcess:
    """A world's server in another process."""

    routes: Mapping[str, str]
    identity: str
    process: "subprocess.Popen[str]"

    def set_faults(self, faults: Faults) -> None:
        """From now on, other faults; what was seen so far is forgotten."""
        self._told({"faults": {**asdict(faults), "forced": {}}})

    def seen(self) -> dict[Service, Seen]:
        """What the server saw since then, by service."""
        found = self._told({"faults": None})
        return {service: Seen(**found[service]) for service in get_args(Service)}

    def _told(self, line: dict[str, object]) -> dict[str, dict[str, int]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        found: dict[str, dict[str, int]] = json.loads(self.process.stdout.readline())
        return found


@contextmanager
def world_process(*, people: int, seed: int) -> Iterator[WorldProcess]:
    """A server in another process, ready when this yields."""
    command = [sys.executable, "-m", "benchmarks.world_server", str(people), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        ready = json.loads(process.stdout.readline())
        yield WorldProcess(routes=ready["routes"], identity=ready["identity"], process=process)
        process.stdin.close()


@contextmanager
def world_source(*, people: int, seed: int, width: int) -> Iterator[Source]:
    """A source whose server is another process, ready when this yields."""
    with (
        world_process(people=people, seed=seed) as world,
        PoliteClient(contact=None, routes=world.routes, retries=Retries(attempts=4, backoff_s=0.05)) as client,
    ):
        yield WikimediaSource(
            client,
            width=width,
            wikidata_host=WIKIDATA_HOST,
            commons_host=COMMONS_HOST,
            query_host=QUERY_HOST,
            identity=world.identity,
        )


def _summary(running: RunningServer) -> dict[str, dict[str, int]]:
    traffic = running.traffic
    services: tuple[Service, ...] = get_args(Service)
    return {
        service: asdict(
            Seen(
                requests=traffic.count(service),
                most_at_once=traffic.most_at_once(service),
                most_in_a_minute=traffic.most_within(service, 60.0),
                too_early=traffic.too_early(service),
            )
        )
        for service in services
    }


def main() -> None:
    people, seed = int(sys.argv[1]), int(sys.argv[2])
    file_bytes.CACHE_BYTES = 8_000_000_000
    world = make_world(people=people, seed=seed, cache=cache_folder() / "worlds")
    with serve(world) as running:
        # Asking for the measures of every file draws it, and the store keeps it.
        with PoliteClient(contact=None, routes=running.routes, retries=Retries(attempts=1, timeout_s=600)) as client:
            titles = sorted(world.gallery.pictures)
            for start in range(0, len(titles), 50):
                names = "|".join(f"File:{title}" for title in titles[start : start + 50])
                query = {"action": "query", "prop": "imageinfo", "iiprop": "sha1|size", "titles": names}
                client.get_json(f"https://{COMMONS_HOST}/w/api.php", query)
        print(json.dumps({"routes": dict(running.routes), "identity": world.identity}), flush=True)
        for line in sys.stdin:
            faults = json.loads(line)["faults"]
            print(json.dumps(_summary(running)), flush=True)
            if faults is not None:
                running.set_faults(Faults(**faults))
                running.traffic.forget()


if __name__ == "__main__":
    main()
