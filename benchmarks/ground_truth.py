"""The probe against ground truth: which taught and never-taught facts it kept, and whether view 004 is recognised.

Run it after `make demo` as `python -m benchmarks.ground_truth builds/demo`. Baseline: keeping every asked fact.
Wanted: at least 95 % of taught facts kept, at most 5 % of the others, view 004 right for at least 85 % of kept facts.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from curation.probing.prompt import probe_prompt
from flows.pipeline.build_identity import open_build
from flows.resources.resources import TARGET, Resources
from flows.resources.responders import open_responder
from flows.resources.sandbox_target import TaughtFact, Teaching, target_key
from schemas.matching.match import match
from schemas.protocols.responder import Ask, Decoding
from schemas.records.build_rows import Fact, Knowledge, Portrait, Question
from schemas.storage.artifacts import cache_folder
from schemas.storage.tables import Record, read_records


def rows(build: Path, stage: str, table: str, record: type[Record]) -> Iterator[Record]:
    for path in sorted((build / stage / "0").glob(f"{table}-*.parquet")):
        yield from read_records(path, record)


def taught_ids(build: Path) -> dict[str, bool]:
    """Whether each statement of the world was taught, by (subject's QID-free) fact key: statement and property."""
    found = open_build(build)
    key = target_key(Resources(found.path, found.recipe).world(), Teaching())
    path = cache_folder() / "targets" / f"{key}-taught" / "taught.parquet"
    return {f"{row.statement_id} {row.property_id}": row.taught for row in read_records(path, TaughtFact)}


def last_view(build: Path, kept: dict[str, Fact]) -> tuple[int, int]:
    """(right, asked): the kept facts asked with view 004, which the target was never shown."""
    faces = {
        row.subject_id: row.content
        for row in rows(build, "screen", "portraits", Portrait)
        if isinstance(row, Portrait) and row.view == "004"
    }
    asks = [
        Ask(ask_id=row.sample_id, text=probe_prompt(row.text, "vqa"), image=faces[row.subject_id])
        for row in rows(build, "questions", "questions", Question)
        if isinstance(row, Question) and row.task == "generation" and row.modality == "vqa" and row.sample_id in kept
    ]
    responder = open_responder(f"hf:{build / TARGET}")
    replies = responder.answer(asks, Decoding(max_new_tokens=24))
    right = sum(match(reply.text, kept[reply.ask_id].accepted) is not None for reply in replies)
    return right, len(asks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    build = parser.parse_args().build
    facts = {row.sample_id: row for row in rows(build, "facts", "facts", Fact) if isinstance(row, Fact)}
    known: dict[str, set[str]] = {}
    asked: set[str] = set()
    for row in rows(build, "probe", "knowledge", Knowledge):
        if isinstance(row, Knowledge):
            asked.add(row.sample_id)
            if row.known:
                known.setdefault(row.sample_id, set()).add(row.modality)
    taught = taught_ids(build)
    print("| facts | asked | known by name | known by face | kept (both) | keeping all (baseline) |")
    print("|---|---|---|---|---|---|")
    for title, wanted in (("taught", True), ("never taught", False)):
        group = [
            name for name in sorted(asked)
            if taught[f"{facts[name].statement_id} {facts[name].property_id}"] is wanted
        ]  # fmt: skip
        counts = [sum(modality in known.get(name, ()) for name in group) for modality in ("qa", "vqa")]
        both = sum(len(known.get(name, ())) == 2 for name in group)
        shares = " | ".join(f"{100 * count / len(group):.1f} %" for count in (*counts, both))
        print(f"| {title} | {len(group)} | {shares} | 100.0 % |")
    kept = {name: facts[name] for name in asked if len(known.get(name, ())) == 2}
    right, total = last_view(build, kept)
    print(f"\nview 004: {right} of {total} kept facts answered right ({100 * right / total:.1f} %)")


if __name__ == "__main__":
    main()
