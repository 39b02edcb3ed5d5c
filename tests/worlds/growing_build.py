"""A build of eight of twelve fictional people without Prefect or a model, to which others can be added."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks.instant import InstantResponder
from flows.building import build as building
from flows.building.add import add
from flows.building.status import BuildReport, report_of
from flows.pipeline import build_identity
from flows.pipeline.batches import batches_of
from flows.pipeline.stage import run_stage
from flows.resources.resources import Resources
from flows.stages.stage_table import stage_table
from schemas.protocols.responder import Ask, Decoding, Reply
from schemas.storage.artifacts import file_sha256
from schemas.vocabulary import Stage

RECIPE = """
name = "grow"
shard = 5
[source]
kind = "sandbox"
people = 12
[select]
limit = 8
min_sitelinks = 10
[facts]
gated = "open"
[images]
width = 330
[export]
target = "small"
"""
JOINING = ("Q900000006", "Luc D'Arvel")
"""Two of the four people whom the recipe's limit leaves over."""


class CutOff:
    """Answers a few asks and then stands for a process that is killed."""

    identity = "instant"

    def __init__(self, responder: InstantResponder, *, after: int) -> None:
        self._responder, self._left = responder, after

    def answer(self, asks: Sequence[Ask], decoding: Decoding) -> Iterator[Reply]:
        for reply in self._responder.answer(asks, decoding):
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
            yield reply


def without_prefect(patch: pytest.MonkeyPatch) -> None:
    """Stages run one after the other in this process."""

    def plain(batches: object, wanted: object, table: object, *further: object) -> None:
        for batch in batches:  # type: ignore[attr-defined]
            for spec in wanted:  # type: ignore[attr-defined]
                run_stage(batch, spec, table)  # type: ignore[arg-type]

    patch.setattr(building, "_run_flow", plain)


def make_build(folder: Path) -> Path:
    """The eight people's build; returns its folder."""
    (folder / "grow.toml").write_text(RECIPE)
    build = folder / "build"
    building.build(folder / "grow.toml", build, responders={"hf:sandbox": InstantResponder(build, share=0.8)})
    return build


def add_to(build: Path, *asked: str, batch: int = 1) -> BuildReport:
    """Add people, answered by an instant responder."""
    responder = InstantResponder(build, share=0.8, batch=batch)
    return add(build, asked, responders={"hf:sandbox": responder})


def bring_up_to_date(build: Path, *, start: Stage | None = None, knowing: Path | None = None) -> BuildReport:
    """What `ppubench export` does, with the instant responder, which knows the facts of the build `knowing`."""
    responders = {"hf:sandbox": InstantResponder(knowing or build, share=0.8)}
    return building.rebuild(build, start=start, responders=responders)


def state_of(build: Path) -> BuildReport:
    """What `ppubench status` reads, with the instant responder's identity."""
    found = build_identity.open_build(build)
    with Resources(build, found.recipe, responders={"hf:sandbox": InstantResponder(build, share=0.8)}) as resources:
        return report_of(batches_of(build, found.recipe), stage_table(resources), made=set())


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file but clocks and locks, by its place."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("timing.txt", ".lock")
    }
