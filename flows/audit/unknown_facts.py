"""The never-knew control of real models: facts of a build that its target answered wrongly, as a dataset of their own.

Probing keeps them beside the facts that were known; no release holds them. Asked plainly they are wrong because that is
how they were chosen, so it is the other routes whose guessing they measure.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from curation.export.rows import SubjectBundle, index_subject, question_rows, unknown_facts
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.pipeline.build_identity import IDENTITY, open_build
from flows.pipeline.stage import by_subject
from schemas.dataset.layout import eval_config
from schemas.dataset.release import Part
from schemas.dataset.samples import EvalSample
from schemas.dataset.split_files import split_file
from schemas.records.build_rows import Fact, Knowledge, Portrait, Question, Subject
from schemas.storage.artifacts import write_json
from schemas.storage.tables import Record, read_records, write_records
from schemas.vocabulary import TASKS, Setting, Stage

R = TypeVar("R", bound=Record)

UNKNOWN = "unknown"
"""Folder of that dataset in an audit's or a study's."""
UNKNOWN_SETTING: Setting = "selective"
"""Under which that dataset is asked: what the target did not know is to be forgotten, what it knew is kept."""


def asked_of_unknown(target: EvaluateRequest, hub: Path, out: Path) -> EvaluateRequest | None:
    """The target, asked about the facts of a build that it did not know; None where there are none."""
    dataset = write_unknown(hub, out / UNKNOWN)
    if dataset is None:
        return None
    other = {"dataset": dataset, "setting": UNKNOWN_SETTING, "ratio": None, "target": None, "allow_missing": True}
    return target.model_copy(update=other)


def write_unknown(hub: Path, out: Path) -> Path | None:
    """A build's dataset with the facts that its target did not know beside the others; None where there are none.

    `hub` is the build's dataset. A dataset that is no build's, or of which the probe kept nothing unknown, has none.
    """
    build = hub.parent
    if not (build / IDENTITY).is_file():
        return None
    config = open_build(build).recipe.facts
    part: Part = "open" if config.gated == "separate" else "all"
    rows: defaultdict[str, list[Record]] = defaultdict(list)
    samples: dict[str, str] = {}
    for bundle in _bundles(build):
        index = index_subject(bundle, part=part, sensitive=frozenset(config.sensitive))
        unknown = unknown_facts(index)
        samples |= {fact.sample_id: fact.subject_id for fact in unknown}
        for name, row in question_rows(index, [*index.known, *unknown]):
            rows[name].append(row)
    if not samples:
        return None
    for name in map(eval_config, TASKS):
        folder = out / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        write_records(folder / "test-00000-of-00001.parquet", rows[name], EvalSample)
    split = split_file(out, UNKNOWN_SETTING)
    split.parent.mkdir(parents=True, exist_ok=True)
    write_json(split, [{"subject_id": subject, "id": sample} for sample, subject in sorted(samples.items())])
    return out


def _bundles(build: Path) -> Iterator[SubjectBundle]:
    """Every subject of every batch with what the probe knows of it."""
    portraits = by_subject(_rows(build, "screen", "portraits", Portrait))
    facts = by_subject(_rows(build, "facts", "facts", Fact))
    asked = by_subject(_rows(build, "questions", "questions", Question))
    knowledge = by_subject(_rows(build, "probe", "knowledge", Knowledge))
    for subject in _rows(build, "screen", "subjects", Subject):
        own = subject.subject_id
        yield SubjectBundle(
            subject=subject,
            portraits=tuple(portraits[own]),
            facts=tuple(facts[own]),
            questions=tuple(asked[own]),
            knowledge=tuple(knowledge[own]),
            assignments=(),
            attacks=(),
        )


def _rows(build: Path, stage: Stage, table: str, record: type[R]) -> Iterator[R]:
    for batch in sorted((path for path in (build / stage).glob("*") if path.name.isdigit()), key=lambda p: int(p.name)):
        for path in sorted(batch.glob(f"{table}-*.parquet")):
            yield from read_records(path, record)
