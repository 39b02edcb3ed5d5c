"""Dumps of any size for the benchmark: copies of the embedded world among entities that nobody asks for."""

import bz2
import gzip
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from sources.sandbox.dump import dump_lines, world_entities
from sources.sandbox.world import make_world

WORLD_PEOPLE = 60
FILLER_TO_WORLD = 4
"""Bytes of other entities for one byte of the world."""
COPY_STEP = 100_000_000
"""QIDs of one copy of the world and of the next lie so far apart."""
MEMBER_BYTES = 16 * 2**20
"""Decompressed bytes of a gzip member, bzip2 stream or zstd frame; Wikidata's own are larger."""
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "ru", "zh", "ja", "ar", "pt", "sv", "pl", "uk", "fa", "he", "cs", "ca")
_QID = re.compile(rb'Q(90\d{7}|919\d{6})|(?<="numeric-id":)(90\d{7}|919\d{6})')
_HASH = re.compile(rb'"hash":"[0-9a-f]{40}"')
_GUID = re.compile(rb"\$[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def _guid(rng: Random) -> str:
    token = rng.randbytes(16).hex().upper()
    return f"{token[:8]}-{token[8:12]}-{token[12:16]}-{token[16:20]}-{token[20:]}"


def _filler(number: int, rng: Random) -> bytes:
    """An article, star or taxon: labels in many languages, statements with ids, numbers and references; 5 to 25 kB."""
    qid = f"Q{number}"
    title = " ".join(
        rng.choices(("study", "of", "red", "giant", "effect", "on", "cells", "in", "northern", "genus"), k=9)
    )
    claims: dict[str, list[object]] = {}
    for _ in range(rng.randrange(6, 32)):
        name = f"P{rng.randrange(40, 9000)}"
        if rng.random() < 0.5:
            other = rng.randrange(1, 120_000_000)
            value = {
                "value": {"entity-type": "item", "numeric-id": other, "id": f"Q{other}"},
                "type": "wikibase-entityid",
            }
        else:
            value = {"value": rng.randbytes(6).hex(), "type": "string"}
        stated: dict[str, object] = {
            "snaktype": "value",
            "property": "P248",
            "hash": rng.randbytes(20).hex(),
            "datatype": "wikibase-item",
        }
        stated |= {"datavalue": {"value": {"entity-type": "item", "numeric-id": 5412157, "id": "Q5412157"}}}
        main = {"snaktype": "value", "property": name, "hash": rng.randbytes(20).hex(), "datavalue": value}
        reference = {"hash": rng.randbytes(20).hex(), "snaks": {"P248": [stated]}, "snaks-order": ["P248"]}
        statement = {"mainsnak": main, "type": "statement", "id": f"{qid}${_guid(rng)}", "rank": "normal"}
        claims.setdefault(name, []).append(statement | {"references": [reference]})
    words = {code: {"language": code, "value": title} for code in LANGUAGES[: rng.randrange(3, len(LANGUAGES))]}
    links = {f"{code}wiki": {"site": f"{code}wiki", "title": title, "badges": []} for code in list(words)[:4]}
    entity = {"type": "item", "id": qid, "labels": words, "descriptions": words, "aliases": {}, "claims": claims}
    return json.dumps(entity | {"sitelinks": links, "lastrevid": number}, separators=(",", ":")).encode()


def lines(size: int) -> Iterator[bytes]:
    """Lines of an array of about `size` bytes, without their ends."""
    rng = Random("dump")
    whole = b"".join(dump_lines(world_entities(make_world(people=WORLD_PEOPLE, seed=7))))
    world = [line.rstrip(b",") for line in whole.splitlines()[1:-1]]
    filler = [_filler(10_000_000 + number, rng) for number in range(2000)]
    made, copy = 0, 0
    while made < size:
        for line in world:
            moved = _moved(line, copy * COPY_STEP)
            wanted = FILLER_TO_WORLD * len(moved)
            yield _fresh(moved, rng)
            made += len(moved)
            while wanted > 0 and made < size:
                other = _fresh(rng.choice(filler), rng)
                yield other
                made, wanted = made + len(other), wanted - len(other)
            if made >= size:
                break
        copy += 1


def _moved(line: bytes, step: int) -> bytes:
    """The line with every QID of the world raised by a step."""

    def raised(found: re.Match[bytes]) -> bytes:
        return b"Q%d" % (int(found[1]) + step) if found[1] else b"%d" % (int(found[2]) + step)

    return _QID.sub(raised, line)


def _fresh(line: bytes, rng: Random) -> bytes:
    """The line with other hashes and statement ids, so that a copy compresses no better than a new entity."""
    line = _HASH.sub(lambda _: b'"hash":"%s"' % rng.randbytes(20).hex().encode(), line)
    return _GUID.sub(lambda _: b"$%s" % _guid(rng).encode(), line)


def write_dump(path: Path, size: int) -> int:
    """Write an uncompressed dump of about `size` bytes; returns its bytes."""
    with path.open("wb") as file:
        file.write(b"[\n")
        before = b""
        for line in lines(size):
            file.write(before + line)
            before = b",\n"
        file.write(b"\n]\n")
    return path.stat().st_size


def compress(path: Path, suffix: str) -> Path:
    """The dump compressed as `suffix` says: members, streams or frames."""
    from backports import zstd

    packers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": lambda part: gzip.compress(part, 6, mtime=0),
        ".bz2": bz2.compress,
        ".zst": zstd.compress,
    }
    out = path.with_name(path.name + suffix)
    with path.open("rb") as file, out.open("wb") as packed, ThreadPoolExecutor(2) as pool:
        while parts := [part for _ in range(2) if (part := file.read(MEMBER_BYTES))]:
            for piece in pool.map(packers[suffix], parts):
                packed.write(piece)
    return out
