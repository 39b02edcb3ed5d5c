"""The embedded world in a process of its own, its pictures drawn beforehand: what Commons has lying ready."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from schemas.origins import Source
from sources.client import PoliteClient
from sources.sandbox import originals
from sources.sandbox.server import COMMONS_HOST, QUERY_HOST, WIKIDATA_HOST, serve
from sources.sandbox.world import make_world
from sources.wikimedia import WikimediaSource


@contextmanager
def world_source(*, people: int, seed: int, width: int) -> Iterator[Source]:
    """A source whose server is another process, ready when this yields."""
    command = [sys.executable, "-m", "benchmarks.world_server", str(people), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        ready = json.loads(process.stdout.readline())
        routes: Mapping[str, str] = ready["routes"]
        with PoliteClient(contact=None, routes=routes, attempts=4, backoff_s=0.05) as client:
            yield WikimediaSource(
                client,
                width=width,
                wikidata_host=WIKIDATA_HOST,
                commons_host=COMMONS_HOST,
                query_host=QUERY_HOST,
                identity=ready["identity"],
            )
        process.stdin.close()


def main() -> None:
    people, seed = int(sys.argv[1]), int(sys.argv[2])
    originals.CACHE_BYTES = 8_000_000_000
    world = make_world(people=people, seed=seed)
    with serve(world) as running:
        # Asking for the measures of every file draws it, and the store keeps it.
        with PoliteClient(contact=None, routes=running.routes, attempts=1, timeout_s=600) as client:
            titles = sorted(world.gallery.pictures)
            for start in range(0, len(titles), 50):
                names = "|".join(f"File:{title}" for title in titles[start : start + 50])
                query = {"action": "query", "prop": "imageinfo", "iiprop": "sha1|size", "titles": names}
                client.get_json(f"https://{COMMONS_HOST}/w/api.php", query)
        print(json.dumps({"routes": dict(running.routes), "identity": world.identity}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
